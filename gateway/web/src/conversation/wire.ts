// What the gateway says and is told: the shapes on the wire, nothing else.
// The state machine and the session are written against these.

export type Queue = "vent" | "listen" | "talk";

export const QUEUES: readonly Queue[] = ["vent", "listen", "talk"];

/** A message as chat-store has it. */
export interface Stored {
  _id: string;
  room_id: string;
  author: string;
  /** Seconds since 1970. */
  timestamp: number;
  nonce: string;
  content: string;
  liked: boolean;
  /** Its place in the room. */
  seq: number;
}

export type Counts = Record<Queue, number>;

/** `resumed`: sent once on every connect. */
export interface Snapshot {
  state: "idle" | "waiting" | "room" | "over";
  user_id: string;
  queue?: Queue;
  waited_ms?: number;
  room_id?: string;
  partner_connected?: boolean;
  last_seq?: number;
  messages?: Stored[];
}

export interface QueueStatus {
  queue: Queue;
  waited_ms: number;
  waiting: Counts;
}

/** The answer to an emit, and to a REST call. */
export interface Ack<T = unknown> {
  success: boolean;
  data?: T;
  error?: string;
  code?: string;
  retry_after_ms?: number;
}

export const TOO_MANY = "too_many_requests";

/** What goes by: asking again later makes sense. */
export const PASSING: readonly (string | undefined)[] = [TOO_MANY, "unavailable", "outdated"];

/** What a message may hold at most, in bytes of UTF-8. */
export const MESSAGE_BYTES = 16_000;

export interface ServerEvents {
  resumed: (snapshot: Snapshot) => void;
  queue_complete: (body: { user_id: string }) => void;
  queue_status: (status: QueueStatus) => void;
  queue_changed: (change: { from: Queue; to: Queue }) => void;
  queue_returned: (place: { queue: Queue; waited_ms: number }) => void;
  user_connected: () => void;
  user_disconnected: () => void;
  send_message_to_client: (message: Stored) => void;
  message_liked: (like: { message_id: string; user_id: string }) => void;
  partner_starts_typing: () => void;
  partner_stops_typing: () => void;
  /** Another connection speaks for this user now. */
  replaced: () => void;
  room_ended: (end: { reason: "left" | "gone" }) => void;
}

type Answer<T = unknown> = (ack: Ack<T>) => void;

export interface ClientEvents {
  request_queue: (body: { queue: Queue }, answer: Answer) => void;
  send_message: (body: { content: string; nonce: string }, answer: Answer<Stored>) => void;
  like_message: (body: { message_id: string }, answer: Answer) => void;
  typing: (body: { typing: boolean }) => void;
  leave_room: (answer: Answer) => void;
}
