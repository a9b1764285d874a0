// Sends one's messages one after the other, so that none overtakes another, and gives up on
// one that is not acknowledged in time. A message keeps its nonce: sending again is safe.
import type { Store } from "../conversation/store.ts";
import { TOO_MANY, type Ack, type Stored } from "../conversation/wire.ts";

/** The server answers in 5 s, one way or the other; one more for the way. */
export const PATIENCE_MS = 6_000;

export type Offer = (message: { content: string; nonce: string }, answer: (ack: Ack<Stored>) => void) => void;

export class Outbox {
  #head: { nonce: string; attempt: number } | null = null;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  /** `offer` gives a message to the socket; while there is none it does nothing. */
  constructor(
    private readonly store: Store,
    private readonly offer: Offer,
  ) {}

  /** Something new to send, perhaps. */
  pump(): void {
    if (this.#head) return;
    const next = this.store.state.messages.find((m) => m.state === "sending");
    if (!next) return;
    this.#head = { nonce: next.nonce, attempt: 0 };
    this.#extend(0);
    this.#try();
  }

  /** The connection is back: everything that failed gets another chance. */
  reconnected(): void {
    this.store.dispatch({ type: "retried" });
    if (!this.#head) return this.pump();
    this.#extend(0);
    this.#try();
  }

  clear(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#again);
    this.#head = null;
  }

  #try(): void {
    const head = this.#head;
    const message = this.store.state.messages.find((m) => m.nonce === head?.nonce && m.mine && m.state !== "kept");
    if (!head || !message) return this.#next();
    const attempt = ++head.attempt;
    const { content, nonce } = message;
    this.offer({ content, nonce }, (ack) => this.#answered(nonce, attempt, ack));
  }

  #answered(nonce: string, attempt: number, ack: Ack<Stored>): void {
    // Kept is kept, however late it is said.
    if (ack.success && ack.data) this.store.dispatch({ type: "kept", message: ack.data });
    if (this.#head?.nonce !== nonce || (!ack.success && this.#head.attempt !== attempt)) return;
    if (ack.success) return this.#next();
    if (ack.code !== TOO_MANY) return this.#fail();
    const pause = ack.retry_after_ms ?? 1_000;
    this.#extend(pause);
    this.#again = setTimeout(() => this.#try(), pause);
  }

  #next(): void {
    this.clear();
    this.pump();
  }

  #fail(): void {
    const nonce = this.#head?.nonce;
    this.clear();
    if (nonce) this.store.dispatch({ type: "failed", nonce });
  }

  #extend(pause: number): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#again);
    this.#deadline = setTimeout(() => this.#fail(), pause + PATIENCE_MS);
  }
}
