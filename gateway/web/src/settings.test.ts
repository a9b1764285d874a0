import { expect, test } from "vitest";
import { DEFAULTS, readSettings, sortLinks } from "./settings.ts";
import { chooseLanguage } from "./texts.ts";

const LINKS = [
  { label: "everywhere", url: "https://a.example" },
  { label: "German", url: "tel:1", country: "DE" },
  { label: "French", url: "https://c.example", country: "FR" },
];

test("links of one's own country come first, those of others apart", () => {
  const { near, far } = sortLinks(LINKS, ["de-DE", "en"]);
  expect(near.map((l) => l.label)).toEqual(["German", "everywhere"]);
  expect(far.map((l) => l.label)).toEqual(["French"]);
});

test("broken settings fall back", () => {
  expect(readSettings(null)).toEqual(DEFAULTS);
  expect(readSettings({ reports: "yes", helpLinks: "none", moveAfterSeconds: "soon" })).toEqual(DEFAULTS);
});

test("a link that would run something is left out", () => {
  const helpLinks = [{ label: "bad", url: "javascript:alert(1)" }, { label: "good", url: "tel:112" }];
  expect(readSettings({ helpLinks }).helpLinks.map((l) => l.label)).toEqual(["good"]);
});

test.each([
  [["de-AT", "en"], "de"],
  [["fr", "de"], "de"],
  [["fr", "pt-BR"], "en"],
  [[], "en"],
])("of %j the language is %s", (preferred, language) => {
  expect(chooseLanguage(preferred).language).toBe(language);
});
