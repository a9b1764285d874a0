// The first view: what this is and is not, and the choice.
import type { Problem } from "../conversation/state.ts";
import { QUEUES } from "../conversation/wire.ts";
import type { Session } from "../session/session.ts";
import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { Help } from "./help.tsx";
import { useFocusOnEnter } from "./hooks.ts";
import { Lifebuoy, Mark } from "./icons.tsx";

interface Props {
  session: Session;
  settings: Settings;
  problem: Problem | null;
  takeFocus: boolean;
}

export function Start({ session, settings, problem, takeFocus }: Props) {
  const heading = useFocusOnEnter<HTMLHeadingElement>(takeFocus);
  return (
    <main class="sheet start">
      <header class="brand">
        <Mark /> {texts.name}
        <a class="to-help" href="#help">
          <Lifebuoy /> {texts.help.title}
        </a>
      </header>
      <h1 ref={heading} tabIndex={-1}>
        {texts.tagline}
      </h1>
      {problem && (
        <p class="notice" role="alert">
          {texts.problems[problem]}
        </p>
      )}
      <p class="lead">{texts.intro}</p>
      <h2 id="choose">{texts.choose}</h2>
      <ul class="choices" aria-labelledby="choose">
        {QUEUES.map((queue) => (
          <li key={queue}>
            <button class={`choice choice-${queue}`} data-queue={queue} onClick={() => session.choose(queue)}>
              <strong>{texts.queues[queue].name}</strong>
              <span>{texts.queues[queue].what}</span>
            </button>
          </li>
        ))}
      </ul>
      <p class="quiet">
        {texts.whatNot} {texts.care}
      </p>
      <Help settings={settings} />
    </main>
  );
}
