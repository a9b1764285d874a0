// Waiting, honestly: how long, how many wait, and what happens next.
import { useState } from "preact/hooks";
import type { State, Wait } from "../conversation/state.ts";
import { QUEUES } from "../conversation/wire.ts";
import { setSound, wantsSound } from "../notices.ts";
import type { Session } from "../session/session.ts";
import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { Help } from "./help.tsx";
import { useFocusOnEnter, useNow } from "./hooks.ts";
import { LinkBanner } from "./link-banner.tsx";

/** After this long without anybody, say that it is quiet. */
const QUIET_MS = 45_000;

interface Props {
  state: State;
  wait: Wait;
  session: Session;
  settings: Settings;
}

export function Waiting({ state, wait, session, settings }: Props) {
  const heading = useFocusOnEnter<HTMLHeadingElement>();
  const waited = Math.max(0, useNow() - wait.since);
  return (
    <main class="sheet waiting">
      <LinkBanner link={state.link} session={session} />
      <Approach />
      <h1 ref={heading} tabIndex={-1}>
        {texts.waiting.title[wait.queue]}
      </h1>
      <p class="elapsed">
        {wait.asked ? texts.waiting.since : texts.waiting.asking}{" "}
        {wait.asked && (
          <span role="timer" data-testid="elapsed">
            {clock(waited)}
          </span>
        )}
      </p>
      <WhatNext wait={wait} waited={waited} settings={settings} />
      {wait.counts && <Counts counts={wait.counts} />}
      {state.draft !== "" && <p class="quiet">{texts.waiting.draftKept}</p>}
      <p>
        <button class="plain" onClick={() => session.leave()}>
          {texts.waiting.cancel}
        </button>
      </p>
      <SoundSwitch />
      <Help settings={settings} />
    </main>
  );
}

function WhatNext({ wait, waited, settings }: { wait: Wait; waited: number; settings: Settings }) {
  const { plan, moved, returned, quiet } = texts.waiting;
  return (
    <div class="next" role="status">
      {wait.returned && <p class="notice">{returned}</p>}
      {wait.movedFrom && <p class="notice">{moved}</p>}
      <p>{waited > QUIET_MS ? quiet : plan[wait.queue](settings.moveAfterSeconds)}</p>
    </div>
  );
}

function Counts({ counts }: { counts: NonNullable<Wait["counts"]> }) {
  return (
    <dl class="counts" aria-label={texts.waiting.counts}>
      {QUEUES.map((queue) => (
        <div key={queue}>
          <dt>{texts.queues[queue].name}</dt>
          <dd>{counts[queue]}</dd>
        </div>
      ))}
    </dl>
  );
}

export function SoundSwitch() {
  const [on, setOn] = useState(wantsSound());
  const toggle = () => {
    setSound(!on);
    setOn(!on);
  };
  return (
    <label class="switch">
      <input type="checkbox" role="switch" checked={on} onChange={toggle} />
      <span>{texts.sound}</span>
    </label>
  );
}

/** Two circles that come near each other. */
function Approach() {
  return (
    <div class="approach" aria-hidden="true">
      <span />
      <span />
    </div>
  );
}

export function Returning({ session }: { session: Session }) {
  const heading = useFocusOnEnter<HTMLHeadingElement>();
  return (
    <main class="sheet waiting">
      <Approach />
      <h1 ref={heading} tabIndex={-1}>
        {texts.returning.title}
      </h1>
      <p>{texts.returning.hint}</p>
      <p>
        <button class="plain" onClick={() => session.leave()}>
          {texts.returning.giveUp}
        </button>
      </p>
    </main>
  );
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
