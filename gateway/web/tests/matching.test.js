// From the choice to the match: every queue, the limit, three people, going away.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { launch, meet, Person } from "./support/browser.js";
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

const arrives = async (number = 0, options = {}) => {
  const person = await Person.arrives(browser, stack.url(number), options);
  people.push(person);
  return person;
};

for (const queues of [["talk", "talk"], ["vent", "listen"], ["listen", "vent"]]) {
  test(`${queues.join(" and ")} are matched`, async () => {
    people = await meet(browser, stack, { queues });
    await people[0].sees("Say hello");
    assert.match(await people[1].heard(), /Somebody is here/);
  });
}

test("whoever waits sees how long and how many, and can stop", async () => {
  const ann = await arrives();
  await ann.choose("vent");
  await ann.sees("Looking for somebody who listens");
  await ann.sees("If nobody is free to listen within 10 seconds");
  await until(() => ann.page.locator(".counts").count(), "how many wait");
  await until(async () => (await ann.page.getByTestId("elapsed").innerText()) >= "0:02", "time to pass");
  assert.match(await ann.page.locator(".counts").innerText(), /Vent\s*1\s*Listen\s*0\s*Talk\s*0/);
  await ann.button("Stop waiting").click();
  assert.match(await ann.heading(), /Somebody to talk to/);
  const ben = await arrives(1);
  await ben.choose("listen");
  await ben.sees("You have been waiting for");
  assert.equal(await ben.presence(), "", "nobody is there to be matched with");
});

test("after the limit vent becomes talk, and the page says so", async () => {
  const [ann, ben] = [await arrives(0), await arrives(1)];
  await ann.choose("vent");
  await ann.sees("you are now waiting in “Talk”", 20_000);
  await ann.sees("Looking for somebody to talk with");
  await ann.looksRight("wide-15-moved");
  await ben.choose("talk");
  await Promise.all([ann.connected(), ben.connected()]);
});

test("of three, two are matched and the third waits for the next", async () => {
  const [ann, ben, cem] = [await arrives(0), await arrives(1), await arrives(0)];
  for (const person of [ann, ben, cem]) await person.choose("talk");
  const here = async () => (await Promise.all([ann, ben, cem].map((p) => p.presence()))).filter((text) => text === "A stranger is here").length;
  await until(async () => (await here()) === 2, "two to be matched");
  const third = await until(async () => {
    for (const person of people) if ((await person.presence()) === "") return person;
  }, "one to wait");
  const dan = await arrives(1);
  await dan.choose("talk");
  await Promise.all([third.connected(), dan.connected()]);
});

test("a reload while waiting keeps the place", async () => {
  const ann = await arrives();
  await ann.choose("vent");
  await until(async () => (await ann.page.getByTestId("elapsed").count()) && (await ann.page.getByTestId("elapsed").innerText()) >= "0:03", "3 s");
  await ann.page.reload();
  await ann.sees("Looking for");
  await until(() => ann.page.getByTestId("elapsed").count(), "the time");
  assert.ok((await ann.page.getByTestId("elapsed").innerText()) >= "0:03", "the time goes on");
});

test("who has no English reads German", async () => {
  const [ann, ben] = [await arrives(0, { locale: "de-AT" }), await arrives(1)];
  assert.equal(await ann.page.locator("html").getAttribute("lang"), "de");
  assert.match(await ann.page.locator(".help li").first().innerText(), /142/, "the help of one's country comes first");
  await ann.choose("talk");
  await ben.choose("talk");
  await ann.sees("Jemand ist da");
});
