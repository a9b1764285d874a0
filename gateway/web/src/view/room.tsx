// The conversation, while it goes on and after it: header, messages, and below them the
// composer or the end.
import { useState } from "preact/hooks";
import type { State } from "../conversation/state.ts";
import type { Session } from "../session/session.ts";
import type { Settings } from "../settings.ts";
import { texts } from "../texts.ts";
import { Composer } from "./composer.tsx";
import { HelpDialog, LeaveDialog, ReportDialog } from "./dialogs.tsx";
import { hasKeyboard, useFocusOnEnter } from "./hooks.ts";
import { Flag, Door, Lifebuoy, Mark } from "./icons.tsx";
import { LinkBanner } from "./link-banner.tsx";
import { Messages } from "./messages.tsx";
import { Over } from "./over.tsx";

interface Props {
  state: State;
  session: Session;
  settings: Settings;
}

export function Room({ state, session, settings }: Props) {
  const [asked, setAsked] = useState<"leave" | "report" | "help" | null>(null);
  const close = () => setAsked(null);
  const over = state.phase === "over";
  const presence = over ? "over" : state.link === "up" ? state.partner : "joining";
  const heading = useFocusOnEnter<HTMLHeadingElement>(!hasKeyboard());
  return (
    <main class="room">
      <header>
        <Mark />
        <div class="who">
          <h1 ref={heading} tabIndex={-1}>
            {texts.room.title}
          </h1>
          <p role="status" class={`presence presence-${presence}`} data-testid="presence">
            {presence === "over" ? texts.notices.ended : texts.room[presence]}
          </p>
        </div>
        <HeaderButtons over={over} reports={settings.reports} ask={setAsked} />
      </header>
      <div class="banners">
        <LinkBanner link={state.link} session={session} />
        {!over && state.partner === "away" && <p class="banner soft">{texts.room.awayHint}</p>}
      </div>
      <Messages state={state} session={session} />
      {over ? <Over state={state} session={session} /> : <Composer state={state} session={session} />}
      <LeaveDialog open={asked === "leave" && !over} onClose={close} session={session} />
      <ReportDialog open={asked === "report" && !over} onClose={close} session={session} />
      <HelpDialog open={asked === "help"} onClose={close} settings={settings} />
    </main>
  );
}

interface ButtonsProps {
  over: boolean;
  reports: boolean;
  ask: (what: "leave" | "report" | "help") => void;
}

function HeaderButtons({ over, reports, ask }: ButtonsProps) {
  return (
    <div class="tools">
      <button class="tool" title={texts.help.title} aria-label={texts.help.title} onClick={() => ask("help")}>
        <Lifebuoy />
      </button>
      {reports && !over && (
        <button class="tool" title={texts.room.report} onClick={() => ask("report")}>
          <Flag /> <span>{texts.room.report}</span>
        </button>
      )}
      {!over && (
        <button class="tool leave" onClick={() => ask("leave")}>
          <Door /> <span>{texts.room.leave}</span>
        </button>
      )}
    </div>
  );
}
