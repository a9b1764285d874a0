// What a tab remembers over a reload: who we are, where we were, and our own words that the
// server does not have yet. Gone with the tab; what was said stays with the server.
import type { State, Unsent } from "../conversation/state.ts";

const KEY = "talk-to-me";

export interface Memory {
  secret: string;
  inRoom: boolean;
  draft: string;
  unsent: Unsent[];
}

export function remember(secret: string, { phase, draft, messages }: State): void {
  const unsent = messages.filter((m) => m.mine && m.state !== "kept").map(({ nonce, content, at }) => ({ nonce, content, at }));
  const memory: Memory = { secret, inRoom: phase === "room", draft, unsent };
  // Full or forbidden storage costs the return after a reload, not the conversation.
  try {
    sessionStorage.setItem(KEY, JSON.stringify(memory));
  } catch {
    forget();
  }
}

export function recall(): Memory | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Memory | null;
  } catch {
    return null;
  }
}

export function forget(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept either.
  }
}
