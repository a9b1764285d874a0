// Everything that two people do in a room.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launch, meet } from "./support/browser.js";
import { startStack } from "./support/stack.js";
import { until } from "./support/until.js";

let stack;
let browser;
let ann;
let ben;

before(async () => {
  stack = await startStack();
  browser = await launch();
});

beforeEach(async () => {
  [ann, ben] = await meet(browser, stack);
});

afterEach(async () => {
  await ann.goes();
  await ben.goes();
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

test("messages go both ways and are kept", async () => {
  await ann.say("How are you?");
  await ben.got("How are you?");
  await ben.say("Not so well.\nAnd you? 🌧");
  await ann.got("Not so well.\nAnd you? 🌧");
  await ann.kept("How are you?");
  assert.deepEqual(await ann.texts(), await ben.texts());
  assert.match(await ann.heard(), /Stranger: Not so well/);
});

test("a like is given by click or by keyboard, and is seen", async () => {
  await ann.say("I did it today.");
  await ann.say("All of it.");
  await ben.got("All of it.");
  await ben.bubble("I did it today.").getByRole("button", { name: "Like" }).click();
  await ann.bubble("I did it today.").getByRole("img", { name: "They like this" }).waitFor();
  // From where one writes, one step back is the newest message.
  await ben.page.focus("#draft");
  await ben.page.keyboard.press("Shift+Tab");
  await ben.page.keyboard.press("Enter");
  await ann.bubble("All of it.").getByRole("img", { name: "They like this" }).waitFor();
  assert.equal(await ben.bubble("All of it.").getByRole("button").getAttribute("aria-pressed"), "true");
  assert.match(await ann.heard(), /likes your message/);
});

test("the other one sees that somebody types, and that they stopped", async () => {
  await ann.page.locator("#draft").pressSequentially("I think");
  await ben.page.getByTestId("typing").waitFor();
  await ann.page.fill("#draft", "");
  await ben.page.getByTestId("typing").waitFor({ state: "detached" });
  await ann.page.locator("#draft").pressSequentially("Hm");
  await ben.page.getByTestId("typing").waitFor();
  await ben.page.getByTestId("typing").waitFor({ state: "detached", timeout: 8_000 });
});

test("a burst of 50 messages arrives in order, once each", async () => {
  const burst = Array.from({ length: 50 }, (_, i) => `message ${i}`);
  for (const text of burst) await ann.say(text);
  await ann.kept("message 49", 30_000);
  await ben.got("message 49", 30_000);
  assert.deepEqual(await ben.texts(), burst);
  assert.deepEqual(await ann.texts(), burst);
});

test("both see one order when both write at once", async () => {
  const say = async (person, name) => {
    for (let i = 0; i < 15; i++) await person.say(`${name} ${i}`);
    await person.kept(`${name} 14`, 20_000);
  };
  await Promise.all([say(ann, "ann"), say(ben, "ben")]);
  await Promise.all([ann.got("ben 14"), ben.got("ann 14")]);
  assert.deepEqual(await ann.texts(), await ben.texts());
});

test("markup in a message is text", async () => {
  const nasty = `<img src=x onerror="document.title='got you'"><script>document.title='got you'</script> <b>bold</b>`;
  await ann.say(nasty);
  await ben.got(nasty);
  assert.equal(await ben.page.locator(".messages img, .messages script, .messages b").count(), 0);
  assert.equal(await ben.page.title(), "talk to me");
});

test("a message that is too long is not sent, and not lost", async () => {
  await ann.page.fill("#draft", "ü".repeat(8_001));
  await ann.sees("Too long by 2 characters");
  await ann.page.press("#draft", "Enter");
  assert.equal((await ann.page.inputValue("#draft")).length, 8_001);
  assert.deepEqual(await ann.messages(), []);
  await ann.say("ü".repeat(8_000));
  await ben.got("ü".repeat(8_000));
});

test("the title tells of messages while the tab is hidden", async () => {
  await ben.hide();
  await ann.say("one");
  await ann.say("two");
  await until(async () => (await ben.page.title()) === "● 2 new messages – talk to me", "the title to tell");
  await ben.hide(false);
  assert.equal(await ben.page.title(), "talk to me");
});

test("a sound tells of messages while the tab is hidden, for whoever wants it", async () => {
  const sounds = () => ben.page.evaluate(() => window.sounds ?? 0);
  await ben.page.evaluate(() => {
    const Tone = window.OscillatorNode;
    window.OscillatorNode = class extends Tone {
      start(when) {
        window.sounds = (window.sounds ?? 0) + 1;
        super.start(when);
      }
    };
  });
  await ben.hide();
  await ann.say("one");
  await ben.got("one");
  assert.equal(await sounds(), 0);
  await ben.hide(false);
  await ben.asks(ben.button("In an emergency"));
  await ben.page.getByRole("switch").check();
  const tried = await sounds();
  assert.ok(tried > 0, "it is heard once when it is chosen");
  await ben.hide();
  await ann.say("two");
  await until(async () => (await sounds()) > tried, "the sound");
});

test("who reads further up is not pulled down, and is told of what is new", async () => {
  for (let i = 0; i < 40; i++) await ann.say(`line ${i}`);
  await ben.got("line 39", 20_000);
  // Until the page knows of it: what came just before may still pull it down.
  const up = async (box) => {
    box.scrollTo({ top: 0 });
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    return box.scrollTop === 0;
  };
  await until(() => ben.page.locator(".messages").evaluate(up), "the beginning to be seen");
  await ann.say("the newest");
  await ben.button("New messages").click();
  await until(
    () => ben.page.locator(".messages").evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 5),
    "the end to be seen",
  );
});

test("leaving asks first, tells the other one, and one can start over", async () => {
  await ann.say("Bye.");
  await ben.got("Bye.");
  await ann.asks(ann.button("Leave"));
  await ann.button("Stay").click();
  await until(async () => (await ann.focused()) === "BUTTON Leave", "the focus where it was");
  await ann.leaves();
  await ann.sees("You have left");
  await ben.sees("The other person has left");
  await until(async () => (await ben.focused()) === "H2 The other person has left", "the focus on what happened");
  assert.deepEqual(await ben.texts(), ["Bye."]);
  for (const person of [ann, ben]) {
    await person.button("Start over").click();
    await person.choose("talk");
  }
  await Promise.all([ann.connected(), ben.connected()]);
  assert.deepEqual(await ann.messages(), []);
});

test("a report is offered when the server takes reports, and is sent", async (t) => {
  const { reports } = await (await fetch(`${stack.url(0)}/config.json`)).json();
  assert.equal(await ann.button("Report").count(), reports ? 1 : 0);
  if (!reports) return t.skip("this server takes no reports");
  await ben.say("Where do you live?");
  await ann.got("Where do you live?");
  await ann.asks(ann.button("Report"));
  await ann.page.getByLabel("Wants to know who or where I am").check();
  await ann.page.getByLabel("Anything to add?").fill("Asked twice.");
  await ann.button("Send report").click();
  await ann.sees("Your report was sent");
  await ann.button("OK").click();
});
