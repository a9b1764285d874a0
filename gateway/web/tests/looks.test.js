// Every state in pictures, with axe: on a phone, wide, dark, at 320 px; and by keyboard alone.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { plugIn } from "./support/cable.js";
import { launch, meet, Person, PHONE, WIDE } from "./support/browser.js";
import { startStack } from "./support/stack.js";
import { until } from "./support/until.js";

let stack;
let browser;
let people = [];

before(async () => {
  stack = await startStack();
  browser = await launch();
});

afterEach(async () => {
  for (const person of people) await person.goes();
  people = [];
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

const SCREENS = {
  phone: { viewport: PHONE, hasTouch: true, isMobile: true },
  "phone-dark": { viewport: PHONE, hasTouch: true, isMobile: true, colorScheme: "dark" },
  wide: { viewport: WIDE },
  "wide-dark": { viewport: WIDE, colorScheme: "dark" },
  narrow: { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true },
  german: { viewport: { width: 320, height: 568 }, locale: "de-DE" },
};

async function talkALittle(ann, ben) {
  const lines = [
    [ann, "Hi. I did not know whom to tell this."],
    [ben, "Hi. Take your time, I am here."],
    [ann, "My exam was today and I froze. I just sat there for an hour."],
    [ann, "Averyveryverylongwordwithoutanyplacetobreakitwhichstillhastofitonasmallscreen"],
    [ben, "That sounds really hard. Do you want to tell me what happened?"],
  ];
  for (const [who, text] of lines) {
    await who.page.fill("#draft", text);
    await who.page.locator(".send").click();
    await (who === ann ? ben : ann).got(text);
  }
}

for (const [name, options] of Object.entries(SCREENS)) {
  test(`every state looks right: ${name}`, async () => {
    const ann = await Person.arrives(browser, stack.url(0), options);
    people.push(ann);
    await until(() => ann.page.locator(".help a").count(), "the links");
    await ann.looksRight(`${name}-1-start`);
    await ann.choose("vent");
    await until(() => ann.page.locator(".counts").count(), "how many wait");
    await ann.looksRight(`${name}-2-waiting`);
    const ben = await Person.arrives(browser, stack.url(1));
    people.push(ben);
    await ben.choose("listen");
    await ben.connected();
    await until(() => ann.page.locator("#draft").count(), "the room");
    await ann.looksRight(`${name}-3-connected`);
    await talkALittle(ann, ben);
    await ann.page.locator(".like").first().click();
    await ben.page.locator(".like").nth(1).click();
    await ann.page.locator(".mine .liked").waitFor();
    await ben.page.locator("#draft").pressSequentially("I once");
    await ann.page.getByTestId("typing").waitFor();
    await ann.looksRight(`${name}-4-talking`);
    await ben.page.fill("#draft", "");
    await ann.asks(ann.page.locator(".leave"));
    await ann.looksRight(`${name}-5-leaving`);
    await ann.page.keyboard.press("Escape");
    await ann.asks(ann.page.locator(".tool").first());
    await ann.looksRight(`${name}-6-help`);
    await ann.page.keyboard.press("Escape");
    await ben.goes();
    people.pop();
    await until(() => ann.page.locator(".presence-away").count(), "the loss to be told");
    await ann.looksRight(`${name}-7-partner-away`);
    await ann.page.locator(".leave").click();
    await ann.page.locator("dialog[open] .strong").click();
    await ann.page.locator(".over h2").waitFor();
    await ann.looksRight(`${name}-8-over`);
  });
}

test("the report dialog looks right", async () => {
  const ann = await reporting(WIDE);
  await ann.looksRight("wide-9-report");
  const ben = await reporting(PHONE);
  await ben.looksRight("phone-9-report");
});

// Shown whether or not this server takes reports: its settings are replaced here.
async function reporting(viewport) {
  const [ann, ben] = await meet(browser, stack, { options: [{ viewport }, {}] });
  people.push(ann, ben);
  await ann.page.route("**/config.json", (route) => route.fulfill({ json: { reports: true, helpLinks: [] } }));
  await ann.page.reload();
  await ann.connected();
  await ann.asks(ann.page.locator(".tool").nth(1));
  return ann;
}

test("no connection while talking, and while choosing, is said", async (t) => {
  const cable = await plugIn(stack.url(0));
  t.after(cable.remove);
  const [ann, ben] = await meet(browser, stack, { options: [SCREENS.phone, {}], urls: [cable.url] });
  people.push(ann, ben);
  cable.pull();
  await ann.sees("Your connection is lost");
  await ann.looksRight("phone-10-connection-lost");
  const cem = await Person.arrives(browser, stack.url(0));
  people.push(cem);
  await cem.page.context().setOffline(true);
  await cem.choose("talk");
  await cem.sees("Your connection is lost");
  await cem.looksRight("wide-10-no-connection");
});

test("everything works by keyboard alone", async () => {
  const ann = await Person.arrives(browser, stack.url(0), { viewport: { width: 320, height: 568 } });
  const ben = await Person.arrives(browser, stack.url(1));
  people.push(ann, ben);
  const press = async (...keys) => {
    for (const key of keys) await ann.page.keyboard.press(key);
  };
  const tabTo = async (name) => {
    for (let i = 0; i < 30 && !(await ann.focused()).includes(name); i++) await press("Tab");
    assert.ok((await ann.focused()).includes(name), `${name} is reached`);
  };
  await tabTo("Talk");
  await press("Enter");
  await until(async () => (await ann.focused()).startsWith("H1 Looking for"), "the focus on what happens");
  await ben.choose("talk");
  await ann.connected();
  assert.equal(await ann.focused(), "TEXTAREA#draft");
  await ann.page.keyboard.type("one");
  await press("Shift+Enter");
  await ann.page.keyboard.type("two");
  await press("Enter");
  await ben.got("one\ntwo");
  assert.equal(await ann.focused(), "TEXTAREA#draft");
  await ben.say("yes");
  await ann.got("yes");
  await press("Shift+Tab", "Space");
  await ben.bubble("yes").getByRole("img", { name: "They like this" }).waitFor();
  for (let i = 0; i < 10 && (await ann.focused()) !== "BUTTON Leave"; i++) await press("Shift+Tab");
  const dialog = (state) => ann.page.locator("dialog[open]").waitFor({ state });
  await press("Enter");
  await dialog("visible");
  await tabTo("Stay");
  await press("Escape");
  await dialog("detached");
  assert.equal(await ann.focused(), "BUTTON Leave");
  await press("Enter");
  await dialog("visible");
  await tabTo("Leave");
  await press("Enter");
  await until(async () => (await ann.focused()) === "H2 You have left", "the focus on the end");
  await press("Tab", "Enter");
  await until(async () => (await ann.focused()).startsWith("H1 Somebody to talk to"), "the start");
});

test("nothing moves for whoever does not want it", async () => {
  const ann = await Person.arrives(browser, stack.url(0), { reducedMotion: "reduce" });
  people.push(ann);
  await ann.choose("vent");
  await ann.sees("Looking for");
  assert.equal(await ann.page.evaluate(() => document.getAnimations().length), 0);
});
