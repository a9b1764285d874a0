// Chromium, and the people who use it: each in a context of their own, as on another machine.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";
import { until } from "./until.js";

const ARGS = [
  "--no-sandbox --headless --disable-gpu --disable-quic --no-first-run --disable-background-networking",
  "--disable-component-update --disable-sync",
].flatMap((line) => line.split(" "));
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCREENSHOTS = fileURLToPath(new URL("../screenshots/", import.meta.url));

export function launch() {
  const named = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath: existsSync(named) ? named : undefined, args: ARGS });
}

export const PHONE = { width: 360, height: 740 };
export const WIDE = { width: 1280, height: 800 };

/** Somebody who opens the page. */
export class Person {
  static async arrives(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: WIDE, locale: "en-US", ...options });
    const page = await context.newPage();
    const person = new Person(page, url);
    await page.goto(url);
    await person.heading();
    return person;
  }

  constructor(page, url) {
    this.page = page;
    this.url = url;
    this.wrongs = [];
    page.on("pageerror", (error) => this.wrongs.push(String(error)));
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.wrongs.push(message.text());
    });
  }

  async heading() {
    const heading = this.page.locator("h1");
    await heading.waitFor();
    return heading.innerText();
  }

  async choose(queue) {
    await this.page.locator(`[data-queue=${queue}]`).click();
  }

  async connected(patience) {
    await until(() => this.presence().then((text) => text === "A stranger is here"), "a partner", patience);
  }

  async presence() {
    const presence = this.page.getByTestId("presence");
    return (await presence.count()) ? presence.innerText() : "";
  }

  async say(text) {
    await this.page.fill("#draft", text);
    await this.page.press("#draft", "Enter");
  }

  /** What stands there: [who, text, state]. */
  messages() {
    return this.page.locator(".message").evaluateAll((all) =>
      all.map((li) => [li.classList.contains("mine") ? "me" : "you", li.querySelector(".text").textContent, li.dataset.state]),
    );
  }

  async texts() {
    return (await this.messages()).map(([, text]) => text);
  }

  async sees(text, patience) {
    await until(async () => (await this.page.locator("body").innerText()).includes(text), `“${text}” to be seen`, patience);
  }

  async kept(text, patience) {
    const there = async () => (await this.messages()).some(([who, t, state]) => who === "me" && t === text && state === "kept");
    await until(there, `“${text}” to be kept`, patience);
  }

  async got(text, patience) {
    const there = async () => (await this.messages()).some(([who, t]) => who === "you" && t === text);
    await until(there, `“${text}” to arrive`, patience);
  }

  bubble(text) {
    return this.page.locator(".message").filter({ hasText: text });
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  async asks(button) {
    await button.click();
    await this.page.locator("dialog[open]").waitFor();
  }

  async leaves() {
    await this.asks(this.button("Leave"));
    await this.page.locator("dialog[open]").getByRole("button", { name: "Leave" }).click();
  }

  heard() {
    return this.page.getByTestId("announcer").innerText();
  }

  focused() {
    return this.page.evaluate(() => {
      const { tagName, id, innerText } = document.activeElement ?? {};
      return id ? `${tagName}#${id}` : `${tagName} ${innerText ?? ""}`.trim();
    });
  }

  /** The tab is hidden, or shown again. */
  async hide(hidden = true) {
    await this.page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  }

  /** Takes a picture, and lets axe look: no violation, nothing wider than the screen. */
  async looksRight(name) {
    await this.page.screenshot({ path: `${SCREENSHOTS}${name}.png`, animations: "disabled" });
    if (!(await this.page.evaluate(() => "axe" in window))) await this.page.evaluate(AXE);
    const violations = await this.page.evaluate(async () => {
      const found = await window.axe.run(document, { resultTypes: ["violations"] });
      return found.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`));
    });
    assert.deepEqual(violations, [], `axe on ${name}`);
    const [content, screen] = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${name} is ${content} px wide on a screen of ${screen} px`);
  }

  async goes() {
    await this.page.context().close();
    assert.deepEqual(this.wrongs, []);
  }
}

/** Two people in one room, each on a gateway of their own. */
export async function meet(browser, stack, { queues = ["talk", "talk"], options = [{}, {}], urls = [] } = {}) {
  const people = await Promise.all(queues.map((_, i) => Person.arrives(browser, urls[i] ?? stack.url(i), options[i])));
  for (const [i, queue] of queues.entries()) await people[i].choose(queue);
  await Promise.all(people.map((person) => person.connected()));
  return people;
}
