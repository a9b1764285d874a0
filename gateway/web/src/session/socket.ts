// Opens a socket for one secret and turns what the gateway says into events of the page.
import { io, type Socket } from "socket.io-client";
import type { Store } from "../conversation/store.ts";
import type { ClientEvents, Queue, ServerEvents } from "../conversation/wire.ts";
import { PASSING, TOO_MANY, type Ack } from "../conversation/wire.ts";

export type TalkSocket = Socket<ServerEvents, ClientEvents>;

/** How the gateway refuses a secret that it does not know. */
export const UNAUTHORIZED = "unauthorized";

export type ConnectError = Error & { data?: { retry_after_ms?: number } };

/** `lastSeq` is asked on every connect; null while there is no room. */
export function openSocket(secret: string, lastSeq: () => number | null): TalkSocket {
  return io({
    // WebSocket needs no sticky load balancer; polling is for networks that block it.
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    forceNew: true,
    // A room waits 30 s for whoever lost their connection: many tries fit into that.
    reconnectionDelay: 300,
    reconnectionDelayMax: 2_000,
    timeout: 5_000,
    auth: (tell) => {
      const seen = lastSeq();
      tell(seen === null ? { secret } : { secret, last_seq: seen });
    },
  });
}

/** Events that mean the same to everybody; `resumed` and the connection are the session's. */
export function forwardEvents(socket: TalkSocket, { dispatch }: Store): void {
  const now = () => Date.now();
  socket.on("queue_complete", () => dispatch({ type: "matched" }));
  socket.on("queue_status", (status) => dispatch({ type: "waiting", status, now: now() }));
  socket.on("queue_changed", ({ from, to }) => dispatch({ type: "moved", from, to }));
  socket.on("queue_returned", ({ queue, waited_ms }) => dispatch({ type: "unmatched", queue, waited: waited_ms, now: now() }));
  socket.on("user_connected", () => dispatch({ type: "partner", present: true }));
  socket.on("user_disconnected", () => dispatch({ type: "partner", present: false }));
  socket.on("send_message_to_client", (message) => dispatch({ type: "received", message }));
  socket.on("message_liked", ({ message_id }) => dispatch({ type: "liked", id: message_id, liked: true }));
  socket.on("partner_starts_typing", () => dispatch({ type: "partner-typing", typing: true }));
  socket.on("partner_stops_typing", () => dispatch({ type: "partner-typing", typing: false }));
}

const NO_ANSWER: Ack = { success: false, code: "unavailable" };
const ANSWER_MS = 6_000;
const GOODBYE_MS = 30_000;

export function askForQueue(socket: TalkSocket, queue: Queue): Promise<Ack> {
  return socket.timeout(ANSWER_MS).emitWithAck("request_queue", { queue }).catch(() => NO_ANSWER);
}

/** Likes, and once more when it was too much at a time. */
export async function like(socket: TalkSocket, id: string): Promise<boolean> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const ack = await socket.timeout(ANSWER_MS).emitWithAck("like_message", { message_id: id }).catch(() => NO_ANSWER);
    if (ack.code !== TOO_MANY) return ack.success;
    await pause(ack.retry_after_ms);
  }
  return false;
}

/** Says goodbye in the background, for as long as the room would wait for us. */
export function sayGoodbye(socket: TalkSocket): void {
  socket.off();
  const limit = setTimeout(() => socket.disconnect(), GOODBYE_MS);
  const close = () => {
    clearTimeout(limit);
    socket.disconnect();
  };
  const leave = async () => {
    const ack = await socket.timeout(ANSWER_MS).emitWithAck("leave_room").catch(() => NO_ANSWER);
    if (ack.success || !PASSING.includes(ack.code)) return close();
    await pause(ack.retry_after_ms);
    if (socket.active) await leave();
  };
  socket.on("connect_error", () => socket.active || close());
  if (socket.connected) void leave();
  else socket.once("connect", () => void leave());
}

export function pause(ms = 1_000): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
