// The end of a conversation, below what was said.
import type { State } from "../conversation/state.ts";
import type { Session } from "../session/session.ts";
import { texts } from "../texts.ts";
import { useFocusOnEnter } from "./hooks.ts";

export function Over({ state, session }: { state: State; session: Session }) {
  const heading = useFocusOnEnter<HTMLHeadingElement>();
  const draft = state.draft.trim();
  return (
    <footer class="over">
      <h2 ref={heading} tabIndex={-1}>
        {texts.over.titles[state.ending ?? "lost"]}
      </h2>
      <p>{texts.over.kind}</p>
      <p class="quiet">{state.messages.length > 0 ? texts.over.erased : texts.over.nothing}</p>
      {draft !== "" && (
        <p class="unsent">
          <span class="quiet">{texts.over.unsent}</span> {draft}
        </p>
      )}
      <button class="strong" onClick={() => session.startOver()}>
        {texts.over.again}
      </button>
    </footer>
  );
}
