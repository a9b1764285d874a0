// Where one writes. Enter sends where there is a keyboard; a phone has the button.
import { useLayoutEffect } from "preact/hooks";
import type { State } from "../conversation/state.ts";
import { tidy } from "../conversation/tidy.ts";
import { MESSAGE_BYTES } from "../conversation/wire.ts";
import type { Session } from "../session/session.ts";
import { texts } from "../texts.ts";
import { hasKeyboard, useFocusOnEnter } from "./hooks.ts";
import { Arrow } from "./icons.tsx";

const MOST_PX = 160;
const utf8 = new TextEncoder();

export function Composer({ state, session }: { state: State; session: Session }) {
  const field = useFocusOnEnter<HTMLTextAreaElement>(hasKeyboard());
  const content = tidy(state.draft);
  const excess = utf8.encode(content).length - MESSAGE_BYTES;
  const sendable = excess <= 0 && content !== "";
  useLayoutEffect(() => grow(field.current!), [state.draft]);
  const send = () => {
    if (sendable) session.send();
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !hasKeyboard()) return;
    event.preventDefault();
    send();
  };
  return (
    <footer class="composer">
      {excess > 0 && (
        <p class="notice" role="alert" id="too-long">
          {texts.room.tooLong(excess)}
        </p>
      )}
      <div class="row">
        <textarea
          id="draft"
          ref={field}
          rows={1}
          dir="auto"
          aria-label={texts.room.write}
          aria-describedby={excess > 0 ? "too-long" : undefined}
          placeholder={texts.room.placeholder}
          value={state.draft}
          onInput={(event) => session.write(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button class="send" aria-label={texts.room.send} title={texts.room.send} aria-disabled={!sendable} onClick={send}>
          <Arrow />
        </button>
      </div>
    </footer>
  );
}

function grow(field: HTMLTextAreaElement): void {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight + 2, MOST_PX)}px`;
}
