// The list of messages. It follows the end, unless somebody reads further up.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Message, State } from "../conversation/state.ts";
import type { Session } from "../session/session.ts";
import { texts } from "../texts.ts";
import { Bubble } from "./bubble.tsx";
import { Down } from "./icons.tsx";

/** Messages of one author within this time stand together. */
const TOGETHER_MS = 120_000;
const NEAR_END_PX = 80;

export function Messages({ state, session }: { state: State; session: Session }) {
  const { messages, partnerTyping, phase } = state;
  const { box, behind, toEnd, onScroll } = useFollowEnd(messages, partnerTyping);
  const bubbles = useMemo(
    () =>
      messages.map((message, i) => (
        <Bubble key={`${message.mine} ${message.nonce}`} message={message} last={!together(message, messages[i + 1])} open={phase === "room"} session={session} />
      )),
    [messages, phase, session],
  );
  return (
    <div class="scroller">
      <div class="messages" ref={box} onScroll={onScroll} tabIndex={0} role="region" aria-label={texts.room.title}>
        {messages.length === 0 && phase === "room" && <p class="empty">{texts.room.empty}</p>}
        <ol>{bubbles}</ol>
        {partnerTyping && <TypingDots />}
      </div>
      {behind && (
        <button class="newer" onClick={toEnd}>
          <Down /> {texts.room.newer}
        </button>
      )}
    </div>
  );
}

function useFollowEnd(messages: readonly Message[], partnerTyping: boolean) {
  const box = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [behind, setBehind] = useState(false);
  const mineCount = messages.filter((m) => m.mine).length;
  const scroll = () => box.current?.scrollTo({ top: box.current.scrollHeight });
  const onScroll = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    following.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    if (following.current) setBehind(false);
  };
  // Whoever writes wants to see it; otherwise only whoever was at the end is taken along.
  useLayoutEffect(() => {
    following.current = true;
    scroll();
  }, [mineCount]);
  useLayoutEffect(() => {
    if (following.current) scroll();
    else if (messages.length > 0) setBehind(true);
  }, [messages.length]);
  useLayoutEffect(() => {
    if (following.current) scroll();
  }, [partnerTyping]);
  // A keyboard that opens, or a composer that grows, makes the box smaller.
  useEffect(() => {
    const observer = new ResizeObserver(() => following.current && scroll());
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const toEnd = () => {
    scroll();
    box.current?.focus({ preventScroll: true });
  };
  return { box, behind, toEnd, onScroll };
}

function together(message: Message, next: Message | undefined): boolean {
  return next !== undefined && next.mine === message.mine && next.at - message.at < TOGETHER_MS;
}

function TypingDots() {
  return (
    <p class="typing" data-testid="typing">
      <span class="unseen">{texts.room.partner} </span>
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {texts.room.typing}
    </p>
  );
}
