// Everything that the page knows, and everything that can happen to it.
// reduce.ts says what follows from what; session.ts makes the events happen.
import type { Counts, Queue, QueueStatus, Snapshot, Stored } from "./wire.ts";

export interface Message {
  /** Made by the author; one nonce is one message, however often it is sent. */
  nonce: string;
  id: string | null;
  /** The room's order; unknown until the message is kept. */
  seq: number | null;
  mine: boolean;
  content: string;
  /** Milliseconds since 1970. */
  at: number;
  state: "sending" | "kept" | "failed";
  liked: boolean;
}

/** Not kept yet: the only words that outlive a reload in the browser. */
export type Unsent = Pick<Message, "nonce" | "content" | "at">;

export interface Wait {
  queue: Queue;
  /** Since when, in milliseconds since 1970. */
  since: number;
  /** True when the server said yes. */
  asked: boolean;
  counts: Counts | null;
  movedFrom: Queue | null;
  /** A match fell through before it began. */
  returned: boolean;
}

export type Ending = "i-left" | "left" | "gone" | "lost";
export type Link = "off" | "connecting" | "up" | "lost" | "elsewhere";
export type Problem = "refused" | "expired";

export interface State {
  /** `returning`: reloaded, and the server has not said yet where we were. */
  phase: "start" | "returning" | "waiting" | "room" | "over";
  link: Link;
  wait: Wait | null;
  messages: readonly Message[];
  /** Likes of messages whose id is not known yet: the like overtook the acknowledgement. */
  earlyLikes: readonly string[];
  /** The highest seq up to which nothing of the partner's is missing. */
  seen: number;
  partner: "joining" | "here" | "away";
  partnerTyping: boolean;
  draft: string;
  ending: Ending | null;
  problem: Problem | null;
}

export const INITIAL: State = {
  phase: "start",
  link: "off",
  wait: null,
  messages: [],
  earlyLikes: [],
  seen: 0,
  partner: "joining",
  partnerTyping: false,
  draft: "",
  ending: null,
  problem: null,
};

export type Event =
  | { type: "chosen"; queue: Queue; now: number }
  | { type: "reloaded"; draft: string; unsent: readonly Unsent[] }
  | { type: "link"; link: Link }
  | { type: "resumed"; snapshot: Snapshot; now: number }
  | { type: "queued" }
  | { type: "waiting"; status: QueueStatus; now: number }
  | { type: "moved"; from: Queue; to: Queue }
  | { type: "matched" }
  | { type: "unmatched"; queue: Queue; waited: number; now: number }
  | { type: "partner"; present: boolean }
  | { type: "partner-typing"; typing: boolean }
  | { type: "draft"; text: string }
  | { type: "sent"; nonce: string; content: string; now: number }
  | { type: "kept"; message: Stored }
  | { type: "failed"; nonce: string }
  | { type: "retried" }
  | { type: "discarded"; nonce: string }
  | { type: "received"; message: Stored }
  | { type: "liked"; id: string; liked: boolean }
  | { type: "ended"; ending: Ending }
  | { type: "refused"; problem: Problem }
  | { type: "reset" };
