import { expect, test } from "vitest";
import { tidy } from "./tidy.ts";

test.each([
  ["  a word \n", "a word"],
  ["two\r\nlines\r\tand more", "two\nlines\n\tand more"],
  ["🌧 ünï", "🌧 ünï"],
  ["half \ud83c of it", "half \ufffd of it"],
  ["\u0000\u0001bell\u0007", "bell"],
])("%j is sent as %j", (written, sent) => {
  expect(tidy(written)).toBe(sent);
});
