// Chooses the view for the phase, and holds what all of them share: brand, live region.
import { useEffect, useState } from "preact/hooks";
import type { Store } from "../conversation/store.ts";
import type { Session } from "../session/session.ts";
import { DEFAULTS, type Settings } from "../settings.ts";
import { Announcer } from "./announcer.tsx";
import { useStore } from "./hooks.ts";
import { Room } from "./room.tsx";
import { Start } from "./start.tsx";
import { Returning, Waiting } from "./waiting.tsx";

interface Props {
  store: Store;
  session: Session;
  settings: Promise<Settings>;
}

export function Page({ store, session, settings: loading }: Props) {
  const state = useStore(store);
  const [settings, setSettings] = useState(DEFAULTS);
  const [arrived, setArrived] = useState(false);
  useEffect(() => void loading.then(setSettings), [loading]);
  useEffect(() => setArrived(true), []);
  return (
    <>
      <Announcer store={store} />
      {state.phase === "start" && <Start session={session} settings={settings} problem={state.problem} takeFocus={arrived} />}
      {state.phase === "returning" && <Returning session={session} />}
      {state.phase === "waiting" && state.wait && <Waiting state={state} wait={state.wait} session={session} settings={settings} />}
      {(state.phase === "room" || state.phase === "over") && <Room state={state} session={session} settings={settings} />}
    </>
  );
}
