// How the gateway serves the page: small, compressed, cached by hash, under a strict policy.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, Person } from "./support/browser.js";
import { startStack } from "./support/stack.js";

let stack;
let browser;
let ann;

before(async () => {
  stack = await startStack();
  browser = await launch();
  ann = await Person.arrives(browser, stack.url(0));
});

after(async () => {
  await ann?.goes();
  await browser?.close();
  await stack?.stop();
});

test("all that the page needs is under 100 kB", async () => {
  await ann.page.evaluate(() => document.fonts.ready);
  const parts = await ann.page.evaluate(() =>
    ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type).map((e) => [e.name, e.transferSize])),
  );
  const bytes = parts.reduce((sum, [, size]) => sum + size, 0);
  assert.ok(parts.length >= 4 && bytes > 20_000 && bytes < 100_000, `${bytes} bytes: ${JSON.stringify(parts)}`);
});

test("the policy forbids everything that is not ours, and the page keeps it", async () => {
  const { headers } = await fetch(stack.url(0));
  assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.equal(headers.get("x-content-type-options"), "nosniff");
  const inline = await ann.page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    return window.ran === true;
  });
  assert.equal(inline, false, "an inline script does not run");
  ann.wrongs = [];
});

test("files with a hash are kept for a year, the others are asked for again", async () => {
  const script = await ann.page.locator("script[src]").getAttribute("src");
  const { headers } = await fetch(new URL(script, stack.url(0)), { headers: { "accept-encoding": "br" } });
  assert.match(headers.get("cache-control") ?? "", /max-age=31536000, immutable/);
  assert.equal(headers.get("content-encoding"), "br");
  assert.equal((await fetch(stack.url(0))).headers.get("cache-control"), "no-cache");
});
