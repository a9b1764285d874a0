// What the operator decides: /config.json, which the gateway may replace. Whatever is missing
// or broken in it falls back, since the page must work without.
import { language } from "./texts.ts";

export interface HelpLink {
  /** Two letters, as in DE; without it the link is for everybody. */
  country?: string;
  label: string;
  url: string;
}

export interface Settings {
  /** The gateway takes POST /reports. */
  reports: boolean;
  /** Seconds after which vent and listen move to talk. */
  moveAfterSeconds: number;
  /** The line about emergencies, by language; the page has one of its own. */
  emergency: Record<string, string>;
  helpLinks: HelpLink[];
}

export const DEFAULTS: Settings = { reports: false, moveAfterSeconds: 10, emergency: {}, helpLinks: [] };

const SAFE = /^(https?|tel|sms|mailto):/i;

export async function loadSettings(): Promise<Settings> {
  try {
    const response = await fetch("/config.json", { cache: "no-cache" });
    return response.ok ? readSettings(await response.json()) : DEFAULTS;
  } catch {
    return DEFAULTS;
  }
}

export function readSettings(json: unknown): Settings {
  const given = (typeof json === "object" && json !== null ? json : {}) as Partial<Settings>;
  const links = Array.isArray(given.helpLinks) ? given.helpLinks : [];
  return {
    reports: given.reports === true,
    moveAfterSeconds: Number(given.moveAfterSeconds) || DEFAULTS.moveAfterSeconds,
    emergency: typeof given.emergency === "object" && given.emergency !== null ? given.emergency : {},
    helpLinks: links.filter((link) => typeof link?.label === "string" && SAFE.test(String(link?.url))),
  };
}

export function emergencyLine({ emergency }: Settings, fallback: string): string {
  return emergency[language] ?? fallback;
}

/** The links for this person's countries and for everybody, and those of other countries. */
export function sortLinks(links: readonly HelpLink[], languages: readonly string[]): { near: HelpLink[]; far: HelpLink[] } {
  const regions = new Set(languages.map((tag) => tag.split("-").at(-1)?.toUpperCase()));
  const isNear = ({ country }: HelpLink) => country === undefined || regions.has(country.toUpperCase());
  const near = links.filter(isNear).sort((a, b) => Number(a.country === undefined) - Number(b.country === undefined));
  return { near, far: links.filter((link) => !isNear(link)) };
}

export function countryName(code: string): string {
  try {
    return new Intl.DisplayNames([language], { type: "region" }).of(code.toUpperCase()) ?? code;
  } catch {
    return code;
  }
}
