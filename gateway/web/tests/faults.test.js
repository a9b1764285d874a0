// What goes wrong: reloads, lost connections, killed and frozen services. Nothing is missing
// afterwards, and nothing is there twice. What kills comes last: the runner's list of processes is
// that of the beginning.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { plugIn } from "./support/cable.js";
import { launch, meet, Person } from "./support/browser.js";
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

afterEach(async () => {
  for (const person of [ann, ben]) await person?.goes();
  ann = ben = undefined;
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

test("a reload comes back into the conversation, with likes and draft", async () => {
  [ann, ben] = await meet(browser, stack);
  await ann.say("before");
  await ben.got("before");
  await ben.bubble("before").getByRole("button", { name: "Like" }).click();
  await ben.say("an answer");
  await ann.got("an answer");
  await ann.page.fill("#draft", "half a sentence");
  await ann.page.reload();
  await ann.connected();
  assert.deepEqual(await ann.messages(), [["me", "before", "kept"], ["you", "an answer", "kept"]]);
  assert.equal(await ann.page.inputValue("#draft"), "half a sentence");
  await ann.bubble("before").getByRole("img", { name: "They like this" }).waitFor();
  await ben.connected();
  await ben.say("after");
  await ann.got("after");
  const stored = await ann.page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
  assert.ok(!stored.includes("before") && !stored.includes("an answer"), "what was said is not stored in the browser");
});

test("what was said during a lost connection is there when it is back", async (t) => {
  const cable = await plugIn(stack.url(1));
  t.after(cable.remove);
  [ann, ben] = await meet(browser, stack, { urls: [stack.url(0), cable.url] });
  await ann.say("one");
  await ben.got("one");
  cable.pull();
  await ben.sees("Your connection is lost");
  await ann.sees("Their connection is lost");
  await ben.say("from under ground");
  await ann.say("two");
  await ann.say("three");
  await ann.kept("three");
  cable.mend();
  await ben.got("three", 15_000);
  await ann.got("from under ground", 15_000);
  await ben.kept("from under ground");
  await ann.connected();
  assert.deepEqual(await ann.texts(), ["one", "two", "three", "from under ground"]);
  assert.deepEqual(await ann.texts(), await ben.texts());
});

test("a match that came while the connection was lost is found when it is back", async (t) => {
  const cable = await plugIn(stack.url(1));
  t.after(cable.remove);
  ben = await Person.arrives(browser, cable.url);
  await ben.choose("talk");
  await ben.sees("You have been waiting for");
  cable.pull();
  await ben.sees("Your connection is lost");
  ann = await Person.arrives(browser, stack.url(0));
  await ann.choose("talk");
  await ann.sees("You have been waiting for");
  cable.mend();
  await Promise.all([ann.connected(15_000), ben.connected(15_000)]);
  await ben.say("sorry, a tunnel");
  await ann.got("sorry, a tunnel");
});

test("a closed tab is a lost connection, and after 30 s the end", async () => {
  [ann, ben] = await meet(browser, stack);
  await ann.say("are you there?");
  await ben.got("are you there?");
  await ben.goes();
  ben = undefined;
  await ann.sees("Their connection is lost. They have about 30 seconds to come back");
  await ann.sees("The other person did not come back", 50_000);
  await ann.looksRight("wide-12-gone");
  assert.deepEqual(await ann.texts(), ["are you there?"]);
});

test("a conversation that is open in a second tab asks in the first", async () => {
  [ann, ben] = await meet(browser, stack);
  const kept = await ann.page.evaluate(() => ({ ...sessionStorage }));
  const page = await ann.page.context().newPage();
  await page.addInitScript((kept) => Object.assign(sessionStorage, kept), kept);
  await page.goto(ann.url);
  const copy = new Person(page, ann.url);
  await copy.connected();
  await ann.sees("This conversation is open in another tab.");
  await ann.looksRight("wide-13-another-tab");
  await ann.button("Continue here").click();
  await copy.sees("This conversation is open in another tab.");
  await ann.say("here I am");
  await ben.got("here I am");
});

test("a message that cannot be kept has failed, and sent again it arrives once", async (t) => {
  if (stack.untouchable) return t.skip(stack.untouchable);
  [ann, ben] = await meet(browser, stack);
  await ann.say("before");
  await ben.got("before");
  await stack.frozen("chat-store", async () => {
    await ann.say("the one sentence that matters");
    await ann.say("and another");
    await ann.sees("Not sent", 9_000);
    await ann.looksRight("wide-11-not-sent");
  });
  await ann.button("Try again").first().click();
  await ann.kept("the one sentence that matters", 20_000);
  await ann.kept("and another", 20_000);
  await ben.got("and another", 20_000);
  assert.deepEqual(await ben.texts(), ["before", "the one sentence that matters", "and another"]);
  assert.deepEqual(await ann.texts(), await ben.texts());
});

test("unsent words survive a reload, and are sent then", async (t) => {
  if (stack.untouchable) return t.skip(stack.untouchable);
  [ann, ben] = await meet(browser, stack);
  await stack.frozen("chat-store", async () => {
    await ann.say("do not lose me");
    await ann.sees("Not sent", 9_000);
    await ann.page.reload();
  });
  await ann.kept("do not lose me", 30_000);
  await ben.got("do not lose me", 10_000);
  assert.deepEqual(await ben.texts(), ["do not lose me"]);
});

test("a server that is away while sending gets the message when it is back", async (t) => {
  if (stack.untouchable) return t.skip(stack.untouchable);
  [ann, ben] = await meet(browser, stack);
  await stack.frozen("gateway", async () => {
    await ann.say("into the silence");
    await ann.sees("Not sent", 9_000);
  });
  await until(async () => {
    if (await ann.button("Try again").count()) await ann.button("Try again").click({ timeout: 1_000 }).catch(() => {});
    return (await ann.messages()).every(([, , state]) => state === "kept");
  }, "the message to be kept", 30_000);
  await ben.got("into the silence", 20_000);
  await ann.connected(20_000);
  assert.deepEqual(await ben.texts(), ["into the silence"]);
});

test("a network that blocks WebSocket is no hindrance", async () => {
  [ann, ben] = [await Person.arrives(browser, stack.url(0)), await Person.arrives(browser, stack.url(1))];
  await ann.page.addInitScript(() => {
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
      constructor() {
        super(`${location.origin.replace("http", "ws")}/blocked`);
      }
    };
  });
  await ann.page.reload();
  for (const person of [ann, ben]) await person.choose("talk");
  await Promise.all([ann.connected(), ben.connected()]);
  await ann.say("the long way round");
  await ben.got("the long way round");
  await ben.say("heard");
  await ann.got("heard");
});

test("a secret that is good for nothing any more begins anew", async () => {
  const gone = { secret: "nobody.signed.this", inRoom: true, draft: "still here", unsent: [] };
  ann = await Person.arrives(browser, stack.url(0));
  await ann.page.evaluate((gone) => sessionStorage.setItem("talk-to-me", JSON.stringify(gone)), gone);
  await ann.page.reload();
  await ann.sees("You were away for too long");
  await ann.looksRight("wide-14-expired");
  ben = await Person.arrives(browser, stack.url(1));
  for (const person of [ann, ben]) await person.choose("talk");
  await Promise.all([ann.connected(), ben.connected()]);
  assert.equal(await ann.page.inputValue("#draft"), "still here");
});

test("a gateway that closes down hands over, and the other one notices nothing", async (t) => {
  if (stack.untouchable) return t.skip(stack.untouchable);
  const cable = await plugIn(stack.url(1));
  t.after(cable.remove);
  [ann, ben] = await meet(browser, stack, { urls: [stack.url(0), cable.url] });
  await ben.say("before");
  await ann.got("before");
  cable.leadTo(stack.url(0));
  stack.signal("gateway-2", "SIGTERM");
  await ben.say("during");
  await ben.kept("during", 15_000);
  await ann.say("after");
  await ben.got("after", 15_000);
  assert.deepEqual(await ann.texts(), ["before", "during", "after"]);
  assert.deepEqual(await ben.texts(), ["before", "during", "after"]);
  assert.ok(!(await ann.heard()).includes("connection is lost"), "the partner saw no lost connection");
});

test("a killed gateway is not the end", async (t) => {
  if (stack.untouchable) return t.skip(stack.untouchable);
  [ann, ben] = await meet(browser, stack);
  await ann.say("before");
  await ben.got("before");
  stack.signal("gateway-1", "SIGKILL");
  await ben.say("while it was dead");
  await ann.say("and from me");
  await ann.got("while it was dead", 30_000);
  await ben.got("and from me", 30_000);
  await ann.connected(20_000);
  await ben.connected(20_000);
  assert.deepEqual((await ann.texts()).sort(), ["and from me", "before", "while it was dead"]);
  assert.deepEqual(await ann.texts(), await ben.texts());
});
