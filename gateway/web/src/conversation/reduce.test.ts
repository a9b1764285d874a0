// Every step of the page, as a table of named cases.
import { describe, expect, test } from "vitest";
import { reduce } from "./reduce.ts";
import { INITIAL, type Event, type State } from "./state.ts";
import type { Snapshot, Stored } from "./wire.ts";

const NOW = 1_000_000;

function after(...events: Event[]): State {
  return events.reduce(reduce, INITIAL);
}

const chosen: Event = { type: "chosen", queue: "vent", now: NOW };
const matched: Event = { type: "matched" };
const room: Event[] = [chosen, { type: "queued" }, matched, { type: "partner", present: true }];

function stored(seq: number, author: string, content = `text ${seq}`, nonce = `nonce-${author}-${seq}`): Stored {
  return { _id: `id-${seq}`, room_id: "r", author, timestamp: 5, nonce, content, liked: false, seq };
}

const sent = (nonce: string, content = nonce): Event => ({ type: "sent", nonce, content, now: NOW });
const kept = (seq: number, nonce: string): Event => ({ type: "kept", message: stored(seq, "me", nonce, nonce) });
const received = (seq: number): Event => ({ type: "received", message: stored(seq, "you") });
const resumed = (snapshot: Partial<Snapshot>): Event => ({
  type: "resumed",
  snapshot: { state: "idle", user_id: "me", ...snapshot },
  now: NOW,
});

const texts = (state: State) => state.messages.map((m) => m.content);
const states = (state: State) => state.messages.map((m) => m.state);

describe("waiting", () => {
  test("a choice waits, and asks until the server said yes", () => {
    expect(after(chosen)).toMatchObject({ phase: "waiting", wait: { queue: "vent", since: NOW, asked: false } });
    expect(after(chosen, { type: "queued" }).wait?.asked).toBe(true);
  });

  test("the server's clock tells how long it was", () => {
    const status = { queue: "vent" as const, waited_ms: 4_000, waiting: { vent: 1, listen: 0, talk: 2 } };
    const state = after(chosen, { type: "waiting", status, now: NOW + 9_000 });
    expect(state.wait).toMatchObject({ since: NOW + 5_000, counts: { talk: 2 }, asked: true });
  });

  test("moved to talk, the time that was waited stays", () => {
    const state = after(chosen, { type: "moved", from: "vent", to: "talk" });
    expect(state.wait).toMatchObject({ queue: "talk", movedFrom: "vent", since: NOW });
  });

  test("moved to talk, one is counted there", () => {
    const status = { queue: "vent" as const, waited_ms: 9_000, waiting: { vent: 2, listen: 0, talk: 0 } };
    const state = after(chosen, { type: "waiting", status, now: NOW }, { type: "moved", from: "vent", to: "talk" });
    expect(state.wait?.counts).toEqual({ vent: 1, listen: 0, talk: 1 });
  });

  test("a connection that comes back to a server that forgot us asks again", () => {
    expect(after(chosen, { type: "queued" }, resumed({ state: "idle" }))).toMatchObject({ phase: "waiting", wait: { asked: false } });
  });

  test("a match that was missed is found on resuming", () => {
    const state = after(chosen, resumed({ state: "room", partner_connected: true, messages: [stored(1, "you")] }));
    expect(state).toMatchObject({ phase: "room", partner: "here", seen: 1 });
    expect(texts(state)).toEqual(["text 1"]);
  });

  test("a partner who vanished before it began gives the place back, and one's words as a draft", () => {
    const state = after(...room, sent("a", "hello?"), { type: "draft", text: "are you" }, { type: "unmatched", queue: "vent", waited: 7_000, now: NOW });
    expect(state).toMatchObject({ phase: "waiting", draft: "hello?\nare you", messages: [], wait: { queue: "vent", since: NOW - 7_000, returned: true } });
  });

  test("so it is when the news of it was missed", () => {
    const state = after(...room, sent("a", "hello?"), resumed({ state: "waiting", queue: "vent", waited_ms: 7_000 }));
    expect(state).toMatchObject({ phase: "waiting", draft: "hello?", wait: { returned: true } });
  });

  test("the draft goes with one into the next room", () => {
    const returned: Event = { type: "unmatched", queue: "vent", waited: 7_000, now: NOW };
    expect(after(...room, { type: "draft", text: "so" }, returned, matched)).toMatchObject({ phase: "room", draft: "so" });
  });
});

describe("messages", () => {
  test("are sending, then kept; the draft is empty", () => {
    const state = after(...room, { type: "draft", text: "a" }, sent("a"));
    expect(state.draft).toBe("");
    expect(states(state)).toEqual(["sending"]);
    expect(states(reduce(state, kept(1, "a")))).toEqual(["kept"]);
  });

  test("stand in the room's order, what is not kept yet last", () => {
    const state = after(...room, sent("a"), sent("b"), received(2), kept(1, "a"));
    expect(texts(state)).toEqual(["a", "text 2", "b"]);
  });

  test("are there once, however often they come", () => {
    const again = resumed({ state: "room", messages: [stored(1, "me", "a", "a"), stored(2, "you")] });
    const state = after(...room, sent("a"), received(2), again, received(2), kept(1, "a"));
    expect(texts(state)).toEqual(["a", "text 2"]);
    expect(state.messages.map((m) => m.mine)).toEqual([true, false]);
  });

  test("of a stranger who copies a nonce do not replace one's own", () => {
    const copy: Event = { type: "received", message: stored(2, "you", "forged", "a") };
    expect(texts(after(...room, sent("a"), kept(1, "a"), copy))).toEqual(["a", "forged"]);
  });

  test("that fail take along what waits behind them, and all are tried again in order", () => {
    const state = after(...room, sent("a"), sent("b"), { type: "failed", nonce: "a" });
    expect(states(state)).toEqual(["failed", "failed"]);
    expect(states(reduce(state, { type: "retried" }))).toEqual(["sending", "sending"]);
    expect(texts(reduce(state, { type: "discarded", nonce: "a" }))).toEqual(["b"]);
  });

  test("do not fail after they were kept", () => {
    expect(states(after(...room, sent("a"), kept(1, "a"), sent("b"), { type: "failed", nonce: "a" }))).toEqual(["kept", "sending"]);
  });

  test("count as seen when they are the partner's: one's own may overtake them", () => {
    expect(after(...room, received(3), sent("a"), kept(7, "a")).seen).toBe(3);
    expect(after(...room, resumed({ state: "room", messages: [stored(4, "me")] })).seen).toBe(4);
  });
});

describe("likes", () => {
  test("mark the message, also when they overtake its acknowledgement", () => {
    const like: Event = { type: "liked", id: "id-1", liked: true };
    expect(after(...room, sent("a"), kept(1, "a"), like).messages[0]?.liked).toBe(true);
    expect(after(...room, sent("a"), like, kept(1, "a")).messages[0]?.liked).toBe(true);
  });

  test("that were not kept are taken back", () => {
    const unlike: Event = { type: "liked", id: "id-1", liked: false };
    expect(after(...room, received(1), { type: "liked", id: "id-1", liked: true }, unlike).messages[0]?.liked).toBe(false);
  });
});

describe("the partner", () => {
  test("types until the message is there or the connection is lost", () => {
    const typing: Event = { type: "partner-typing", typing: true };
    expect(after(...room, typing).partnerTyping).toBe(true);
    expect(after(...room, typing, received(1)).partnerTyping).toBe(false);
    expect(after(...room, typing, { type: "partner", present: false })).toMatchObject({ partnerTyping: false, partner: "away" });
  });
});

describe("reload", () => {
  const reloaded: Event = { type: "reloaded", draft: "half", unsent: [{ nonce: "b", content: "b", at: NOW }] };

  test("comes back into the room with everything once", () => {
    const messages = [stored(1, "you"), stored(2, "me", "b", "b")];
    const state = after(reloaded, resumed({ state: "room", partner_connected: true, messages }));
    expect(state).toMatchObject({ phase: "room", draft: "half", seen: 2 });
    expect(texts(state)).toEqual(["text 1", "b"]);
    expect(states(state)).toEqual(["kept", "kept"]);
  });

  test("keeps what the server does not have", () => {
    expect(states(after(reloaded, resumed({ state: "room", messages: [stored(1, "you")] })))).toEqual(["kept", "failed"]);
  });

  test("tells when it is over", () => {
    expect(after(reloaded, resumed({ state: "over" }))).toMatchObject({ phase: "over", ending: "lost" });
  });

  test("starts again when there was nothing, with one's words", () => {
    expect(after(reloaded, resumed({ state: "idle" }))).toMatchObject({ phase: "start", draft: "b\nhalf" });
  });
});

describe("the end", () => {
  test("shows what was said, and what was not sent", () => {
    const state = after(...room, received(1), sent("a"), { type: "ended", ending: "left" });
    expect(state).toMatchObject({ phase: "over", ending: "left" });
    expect(states(state)).toEqual(["kept", "failed"]);
  });

  test("is told once: the first reason stays", () => {
    expect(after(...room, { type: "ended", ending: "i-left" }, { type: "ended", ending: "gone" }).ending).toBe("i-left");
  });

  test("and nothing more happens in that room", () => {
    expect(texts(after(...room, { type: "ended", ending: "left" }, received(1)))).toEqual([]);
  });

  test("starting over forgets everything", () => {
    expect(after(...room, received(1), { type: "ended", ending: "left" }, { type: "reset" })).toEqual(INITIAL);
  });
});
