// One person's way through: identity, socket, queue, room. Turns what the person does into
// emits and what the gateway says into events; what follows from them is in reduce.ts.
import type { Store } from "../conversation/store.ts";
import { tidy } from "../conversation/tidy.ts";
import { PASSING, type Queue, type Snapshot } from "../conversation/wire.ts";
import { forget, recall, remember } from "./memory.ts";
import { newNonce } from "./nonce.ts";
import { Outbox } from "./outbox.ts";
import { newIdentity, report } from "./rest.ts";
import { askForQueue, forwardEvents, like, openSocket, pause, sayGoodbye, UNAUTHORIZED, type ConnectError, type TalkSocket } from "./socket.ts";
import { Typing } from "./typing.ts";

/** Put out by the server, which is closing down perhaps: another one takes us. */
const ELSEWHERE_MS = 500;
/** The server has us there already: what follows comes by itself. */
const ALREADY: readonly (string | undefined)[] = ["already_waiting", "in_room"];

export class Session {
  #socket: TalkSocket | null = null;
  #secret: string | null = null;
  #wasInRoom = false;
  #replaced = false;
  readonly #outbox: Outbox;
  readonly #typing: Typing;

  constructor(private readonly store: Store) {
    this.#outbox = new Outbox(store, (message, answer) => {
      if (this.#up()) this.#socket?.emit("send_message", message, answer);
    });
    this.#typing = new Typing((typing) => {
      if (this.#up()) this.#socket?.emit("typing", { typing });
    });
    store.subscribe((state) => {
      if (this.#secret && state.phase !== "over") remember(this.#secret, state);
    });
  }

  /** Goes back to where the tab was before it was reloaded. */
  restore(): void {
    const memory = recall();
    if (!memory) return;
    this.#wasInRoom = memory.inRoom;
    this.store.dispatch({ type: "reloaded", draft: memory.draft, unsent: memory.unsent });
    this.#connect(memory.secret);
  }

  choose(queue: Queue): void {
    this.store.dispatch({ type: "chosen", queue, now: Date.now() });
    void this.#begin();
  }

  /** Stops waiting, or leaves the room. */
  leave(): void {
    const inRoom = this.store.state.phase === "room";
    if (this.#socket) sayGoodbye(this.#socket);
    this.#drop();
    this.store.dispatch(inRoom ? { type: "ended", ending: "i-left" } : { type: "reset" });
  }

  startOver(): void {
    this.store.dispatch({ type: "reset" });
  }

  /** Takes the conversation over from another tab. */
  continueHere(): void {
    this.#replaced = false;
    this.store.dispatch({ type: "link", link: "connecting" });
    this.#socket?.connect();
  }

  write(text: string): void {
    this.store.dispatch({ type: "draft", text });
    if (this.store.state.phase === "room") this.#typing.wrote(text);
  }

  send(): void {
    const content = tidy(this.store.state.draft);
    if (content === "") return;
    this.#typing.stop();
    this.store.dispatch({ type: "sent", nonce: newNonce(), content, now: Date.now() });
    this.#outbox.pump();
  }

  retry(): void {
    this.store.dispatch({ type: "retried" });
    this.#outbox.pump();
  }

  discard(nonce: string): void {
    this.store.dispatch({ type: "discarded", nonce });
  }

  async like(id: string): Promise<void> {
    if (!this.#socket) return;
    this.store.dispatch({ type: "liked", id, liked: true });
    const kept = await like(this.#socket, id);
    if (!kept) this.store.dispatch({ type: "liked", id, liked: false });
  }

  async report(reason: string): Promise<boolean> {
    return this.#secret !== null && (await report(this.#secret, reason)).success;
  }

  #up(): boolean {
    return this.store.state.link === "up" && this.#socket?.connected === true;
  }

  async #begin(): Promise<void> {
    const choice = this.store.state.wait;
    const stillWanted = () => this.store.state.phase === "waiting" && !this.#secret && choice !== null;
    while (stillWanted()) {
      const answer = await newIdentity();
      if (!stillWanted()) return;
      if (answer.success && answer.data) return this.#connect(answer.data.secret);
      if (!PASSING.includes(answer.code)) return this.#refused();
      this.store.dispatch({ type: "link", link: "lost" });
      await pause(answer.retry_after_ms ?? 1_500);
    }
  }

  #connect(secret: string): void {
    this.#secret = secret;
    const socket = openSocket(secret, () => this.#lastSeq());
    this.#socket = socket;
    forwardEvents(socket, this.store);
    socket.on("resumed", (snapshot) => this.#resumed(snapshot));
    socket.on("room_ended", ({ reason }) => this.#over(reason));
    socket.on("replaced", () => (this.#replaced = true));
    socket.on("disconnect", (reason) => this.#disconnected(socket, reason));
    socket.on("connect_error", (error) => this.#notConnected(socket, error));
  }

  #lastSeq(): number | null {
    const { phase, seen } = this.store.state;
    return phase === "room" || (phase === "returning" && this.#wasInRoom) ? seen : null;
  }

  #resumed(snapshot: Snapshot): void {
    this.#typing.forget();
    this.store.dispatch({ type: "resumed", snapshot, now: Date.now() });
    const { phase, wait } = this.store.state;
    if (phase === "room") this.#outbox.reconnected();
    else if (phase === "waiting" && !wait?.asked) void this.#ask();
    else if (phase === "over" || phase === "start") this.#drop(true);
  }

  async #ask(): Promise<void> {
    const socket = this.#socket;
    const wanted = () => this.#socket === socket && this.store.state.phase === "waiting" && !this.store.state.wait?.asked;
    while (socket?.connected && wanted()) {
      const ack = await askForQueue(socket, this.store.state.wait?.queue ?? "talk");
      if (!wanted()) return;
      if (ack.success || ALREADY.includes(ack.code)) return this.store.dispatch({ type: "queued" });
      if (!PASSING.includes(ack.code)) return this.#refused();
      await pause(ack.retry_after_ms);
    }
  }

  #refused(): void {
    this.#drop(true);
    this.store.dispatch({ type: "refused", problem: "refused" });
  }

  #over(ending: "left" | "gone"): void {
    this.store.dispatch({ type: "ended", ending });
    this.#drop(true);
  }

  #disconnected(socket: TalkSocket, reason: string): void {
    // Two tabs with one secret would put each other out for ever: the older one asks first.
    if (this.#replaced) return this.store.dispatch({ type: "link", link: "elsewhere" });
    this.store.dispatch({ type: "link", link: "lost" });
    if (reason === "io server disconnect") this.#connectAgain(socket, ELSEWHERE_MS);
  }

  #notConnected(socket: TalkSocket, error: ConnectError): void {
    if (error.message === UNAUTHORIZED) return this.#unauthorized();
    this.store.dispatch({ type: "link", link: "lost" });
    if (!socket.active) this.#connectAgain(socket, error.data?.retry_after_ms ?? ELSEWHERE_MS);
  }

  #connectAgain(socket: TalkSocket, after: number): void {
    setTimeout(() => this.#socket === socket && socket.connect(), after);
  }

  // The secret is worth nothing any more: a new one, and from the start.
  #unauthorized(): void {
    const { phase } = this.store.state;
    this.#drop(true);
    if (phase === "waiting") return void this.#begin();
    this.store.dispatch(phase === "room" ? { type: "ended", ending: "lost" } : { type: "refused", problem: "expired" });
  }

  #drop(close = false): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#secret = null;
    this.#wasInRoom = false;
    this.#replaced = false;
    this.#outbox.clear();
    this.#typing.forget();
    forget();
    if (!close || !socket) return;
    socket.off();
    socket.disconnect();
  }
}
