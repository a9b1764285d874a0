import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Store } from "../conversation/store.ts";
import type { Ack, Stored } from "../conversation/wire.ts";
import { Outbox, PATIENCE_MS } from "./outbox.ts";

interface Offered {
  nonce: string;
  answer: (ack: Ack<Stored>) => void;
}

let store: Store;
let offered: Offered[];
let outbox: Outbox;

beforeEach(() => {
  vi.useFakeTimers();
  store = new Store();
  store.dispatch({ type: "chosen", queue: "talk", now: 0 });
  store.dispatch({ type: "matched" });
  offered = [];
  outbox = new Outbox(store, ({ nonce }, answer) => offered.push({ nonce, answer }));
});

afterEach(() => {
  vi.useRealTimers();
});

function write(...nonces: string[]): void {
  for (const nonce of nonces) store.dispatch({ type: "sent", nonce, content: nonce, now: 0 });
  outbox.pump();
}

let seq = 0;
function keep({ nonce, answer }: Offered): void {
  seq += 1;
  answer({ success: true, data: { _id: `id-${seq}`, room_id: "r", author: "me", timestamp: 0, nonce, content: nonce, liked: false, seq } });
}

const nonces = () => offered.map((o) => o.nonce);
const states = () => store.state.messages.map((m) => m.state);

test("one message is under way at a time", () => {
  write("a", "b");
  expect(nonces()).toEqual(["a"]);
  keep(offered[0]!);
  expect(nonces()).toEqual(["a", "b"]);
});

test("without an answer in time it has failed, and what waits behind it too", () => {
  write("a", "b");
  vi.advanceTimersByTime(PATIENCE_MS);
  expect(states()).toEqual(["failed", "failed"]);
  expect(nonces()).toEqual(["a"]);
});

test("tried again it has the same nonce, and the others follow", () => {
  write("a", "b");
  vi.advanceTimersByTime(PATIENCE_MS);
  store.dispatch({ type: "retried" });
  outbox.pump();
  keep(offered[1]!);
  keep(offered[2]!);
  expect(nonces()).toEqual(["a", "a", "b"]);
  expect(states()).toEqual(["kept", "kept"]);
});

test("an answer that comes late still counts", () => {
  write("a");
  vi.advanceTimersByTime(PATIENCE_MS);
  keep(offered[0]!);
  expect(states()).toEqual(["kept"]);
});

test("too many at a time is tried again by itself", () => {
  write("a", "b");
  offered[0]!.answer({ success: false, code: "too_many_requests", retry_after_ms: 20_000 });
  vi.advanceTimersByTime(19_999);
  expect(states()).toEqual(["sending", "sending"]);
  expect(nonces()).toEqual(["a"]);
  vi.advanceTimersByTime(1);
  expect(nonces()).toEqual(["a", "a"]);
});

test("a refusal is a failure at once", () => {
  write("a");
  offered[0]!.answer({ success: false, code: "unavailable" });
  expect(states()).toEqual(["failed"]);
});

test("a refusal of an earlier try does not fail the one under way", () => {
  write("a");
  outbox.reconnected();
  offered[0]!.answer({ success: false, code: "unavailable" });
  expect(states()).toEqual(["sending"]);
});

test("a connection that is back sends what failed, in order", () => {
  write("a", "b");
  vi.advanceTimersByTime(PATIENCE_MS);
  outbox.reconnected();
  keep(offered[1]!);
  expect(nonces()).toEqual(["a", "a", "b"]);
});

test("what was discarded is not sent", () => {
  write("a", "b");
  vi.advanceTimersByTime(PATIENCE_MS);
  store.dispatch({ type: "discarded", nonce: "a" });
  outbox.reconnected();
  expect(nonces()).toEqual(["a", "b"]);
});
