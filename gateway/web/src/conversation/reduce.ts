// The state machine of the page, pure: start → waiting → room → over.
// Nothing here knows a socket or an element; reduce.test.ts shows every step.
import { INITIAL, type Event, type Message, type State, type Wait } from "./state.ts";
import type { Queue, Snapshot, Stored } from "./wire.ts";

export function reduce(state: State, event: Event): State {
  switch (event.type) {
    case "chosen":
      return { ...INITIAL, draft: state.draft, phase: "waiting", link: "connecting", wait: wait(event.queue, event.now) };
    case "reloaded":
      return { ...INITIAL, phase: "returning", link: "connecting", draft: event.draft, messages: event.unsent.map(unsent) };
    case "link":
      return { ...state, link: event.link, partnerTyping: event.link === "up" && state.partnerTyping };
    case "resumed":
      return resumed({ ...state, link: "up" }, event.snapshot, event.now);
    case "reset":
      return INITIAL;
    case "refused":
      return { ...INITIAL, draft: draftWithUnsaid(state), problem: event.problem };
    case "draft":
      return { ...state, draft: event.text };
    case "ended":
      return state.phase === "start" ? state : ended(state, event.ending);
    default:
      return reduceWaiting(reduceRoom(state, event), event);
  }
}

function reduceWaiting(state: State, event: Event): State {
  if (event.type === "unmatched" && state.phase === "room") {
    return unmatched(state, { ...wait(event.queue, event.now - event.waited), asked: true, returned: true });
  }
  if (state.phase !== "waiting" || !state.wait) return state;
  switch (event.type) {
    case "queued":
      return { ...state, wait: { ...state.wait, asked: true } };
    case "waiting": {
      const { queue, waited_ms, waiting } = event.status;
      return { ...state, wait: { ...state.wait, queue, asked: true, since: event.now - waited_ms, counts: waiting } };
    }
    case "moved":
      return { ...state, wait: moved(state.wait, event.from, event.to) };
    case "matched":
      return inRoom(state);
    default:
      return state;
  }
}

function reduceRoom(state: State, event: Event): State {
  if (state.phase !== "room") return state;
  switch (event.type) {
    case "partner":
      return { ...state, partner: event.present ? "here" : "away", partnerTyping: event.present && state.partnerTyping };
    case "partner-typing":
      return { ...state, partnerTyping: event.typing };
    case "sent": {
      const { nonce, content, now } = event;
      const message: Message = { ...unsent({ nonce, content, at: now }), state: "sending" };
      return { ...state, draft: "", messages: [...state.messages, message] };
    }
    case "kept":
      return merged(state, [event.message], () => true);
    case "received":
      return { ...merged(state, [event.message], () => false), partnerTyping: false, partner: "here", seen: Math.max(state.seen, event.message.seq) };
    case "failed":
      return failed(state, event.nonce);
    case "retried":
      return { ...state, messages: state.messages.map((m) => (m.state === "failed" ? { ...m, state: "sending" } : m)) };
    case "discarded":
      return { ...state, messages: state.messages.filter((m) => m.nonce !== event.nonce || m.state !== "failed") };
    case "liked":
      return liked(state, event.id, event.liked);
    default:
      return state;
  }
}

function resumed(state: State, snapshot: Snapshot, now: number): State {
  switch (snapshot.state) {
    case "room":
      return resumedRoom(state, snapshot);
    case "waiting": {
      const since = now - (snapshot.waited_ms ?? 0);
      const queue = snapshot.queue ?? state.wait?.queue ?? "talk";
      if (state.phase === "room") return unmatched(state, { ...wait(queue, since), asked: true, returned: true });
      const before = state.wait ?? wait(queue, since);
      const movedFrom = before.queue === queue ? before.movedFrom : before.queue;
      return { ...state, phase: "waiting", messages: [], draft: draftWithUnsaid(state), wait: { ...before, queue, since, movedFrom, asked: true } };
    }
    case "over":
      return ended(state, "lost");
    case "idle":
      return resumedIdle(state);
  }
}

function resumedRoom(state: State, snapshot: Snapshot): State {
  const entered = state.phase === "room" ? state : { ...inRoom(state), messages: state.messages };
  const stored = snapshot.messages ?? [];
  const seen = Math.max(entered.seen, snapshot.last_seq ?? 0, ...stored.map((m) => m.seq));
  const partner = snapshot.partner_connected ? "here" : "away";
  return { ...merged(entered, stored, (m) => m.author === snapshot.user_id), seen, partner, partnerTyping: false };
}

// The server knows nothing of us: whoever was waiting asks again, a conversation is over.
function resumedIdle(state: State): State {
  if (state.phase === "waiting" && state.wait) return { ...state, wait: { ...state.wait, asked: false } };
  if (state.phase === "room") return ended(state, "lost");
  if (state.phase === "returning") return { ...INITIAL, draft: draftWithUnsaid(state) };
  return state;
}

function wait(queue: Queue, since: number): Wait {
  return { queue, since, asked: false, counts: null, movedFrom: null, returned: false };
}

// The numbers go along at once; the server tells them only every few seconds.
function moved(wait: Wait, from: Queue, to: Queue): Wait {
  const { counts } = wait;
  const moved = counts && { ...counts, [from]: Math.max(0, counts[from] - 1), [to]: counts[to] + 1 };
  return { ...wait, queue: to, movedFrom: from, counts: moved };
}

function inRoom(state: State): State {
  return { ...state, phase: "room", wait: null, messages: [], earlyLikes: [], seen: 0, partner: "joining", partnerTyping: false };
}

// What was written to somebody who never came goes back to where it can be sent again.
function unmatched(state: State, place: Wait): State {
  return { ...INITIAL, phase: "waiting", link: state.link, wait: place, draft: draftWithUnsaid(state) };
}

function draftWithUnsaid(state: State): string {
  const unsaid = state.messages.filter((m) => m.mine).map((m) => m.content);
  return [...unsaid, state.draft].filter((text) => text.trim() !== "").join("\n");
}

function ended(state: State, ending: State["ending"]): State {
  if (state.phase === "over") return state;
  const messages = state.messages.map((m): Message => (m.state === "sending" ? { ...m, state: "failed" } : m));
  return { ...state, phase: "over", link: "off", wait: null, messages, ending, partnerTyping: false };
}

// Nothing overtakes a message that failed: whatever waits behind it has failed too.
function failed(state: State, nonce: string): State {
  const sending = state.messages.some((m) => m.nonce === nonce && m.state === "sending");
  if (!sending) return state;
  return { ...state, messages: state.messages.map((m) => (m.state === "sending" ? { ...m, state: "failed" } : m)) };
}

function liked(state: State, id: string, value: boolean): State {
  if (!state.messages.some((m) => m.id === id)) {
    return value ? { ...state, earlyLikes: [...state.earlyLikes, id] } : state;
  }
  return { ...state, messages: state.messages.map((m) => (m.id === id ? { ...m, liked: value } : m)) };
}

function unsent({ nonce, content, at }: Pick<Message, "nonce" | "content" | "at">): Message {
  return { nonce, content, at, id: null, seq: null, mine: true, state: "failed", liked: false };
}

// One author and nonce are one message (a stranger may copy a nonce); the room's sequence is
// the order; what is not kept yet comes last.
function merged(state: State, stored: readonly Stored[], isMine: (message: Stored) => boolean): State {
  const known = new Map(state.messages.map((m) => [key(m.mine, m.nonce), m]));
  for (const message of stored) {
    const mine = isMine(message);
    const at = key(mine, message.nonce);
    known.set(at, kept(message, mine, known.get(at), state.earlyLikes));
  }
  const messages = [...known.values()].sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
  return { ...state, messages, earlyLikes: state.earlyLikes.filter((id) => !messages.some((m) => m.id === id)) };
}

function key(mine: boolean, nonce: string): string {
  return `${mine} ${nonce}`;
}

function kept(stored: Stored, mine: boolean, known: Message | undefined, likes: readonly string[]): Message {
  return {
    nonce: stored.nonce,
    id: stored._id,
    seq: stored.seq,
    mine,
    content: stored.content,
    at: stored.timestamp * 1000,
    state: "kept",
    liked: stored.liked || known?.liked === true || likes.includes(stored._id),
  };
}
