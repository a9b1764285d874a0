// One message: its text as text, when, its state if it is ours, its like.
import type { Message } from "../conversation/state.ts";
import type { Session } from "../session/session.ts";
import { language, texts } from "../texts.ts";
import { Check, Clock, Heart, Warning } from "./icons.tsx";

const time = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });

interface Props {
  message: Message;
  /** The last of several that stand together. */
  last: boolean;
  /** The conversation goes on: likes and retries are possible. */
  open: boolean;
  session: Session;
}

export function Bubble({ message, last, open, session }: Props) {
  const { mine, content, at, state, nonce } = message;
  return (
    <li class={`message ${mine ? "mine" : "theirs"} ${state} ${last ? "last" : ""}`} data-nonce={nonce} data-state={state}>
      <div class="bubble">
        <span class="unseen">{mine ? texts.room.you : texts.room.partner}: </span>
        <p class="text" dir="auto">
          {content}
        </p>
        {!mine && <LikeButton message={message} open={open} session={session} />}
        {mine && message.liked && (
          <span class="liked" role="img" aria-label={texts.room.likedByPartner}>
            <Heart filled />
          </span>
        )}
      </div>
      {(last || state !== "kept") && (
        <p class="meta">
          {state !== "failed" && <time dateTime={new Date(at).toISOString()}>{time.format(at)}</time>}
          {mine && <Fate state={state} />}
        </p>
      )}
      {state === "failed" && open && <Failed nonce={nonce} session={session} />}
    </li>
  );
}

function Fate({ state }: { state: Message["state"] }) {
  const icon = { sending: <Clock />, kept: <Check />, failed: <Warning /> }[state];
  return (
    <span class="fate">
      {icon} {state === "kept" ? <span class="unseen">{texts.room.kept}</span> : texts.room[state]}
    </span>
  );
}

function Failed({ nonce, session }: { nonce: string; session: Session }) {
  // The button goes away with the failure; the focus goes on to where one writes.
  const then = (act: () => void) => () => {
    act();
    document.querySelector<HTMLElement>("#draft")?.focus();
  };
  return (
    <p class="failure">
      <button onClick={then(() => session.retry())}>{texts.room.retry}</button>
      <button onClick={then(() => session.discard(nonce))}>{texts.room.discard}</button>
    </p>
  );
}

function LikeButton({ message, open, session }: Pick<Props, "message" | "open" | "session">) {
  const { liked, id } = message;
  const label = liked ? texts.room.likedByYou : texts.room.like;
  if (!open) return liked ? <span class="liked" role="img" aria-label={label}><Heart filled /></span> : null;
  return (
    <button class="like" aria-pressed={liked} aria-label={texts.room.like} title={label} onClick={() => liked || !id || void session.like(id)}>
      <Heart filled={liked} />
    </button>
  );
}
