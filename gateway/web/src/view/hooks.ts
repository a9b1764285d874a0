// The few hooks that several views share.
import { useEffect, useRef, useState } from "preact/hooks";
import type { State } from "../conversation/state.ts";
import type { Store } from "../conversation/store.ts";

export function useStore(store: Store): State {
  const [state, setState] = useState(store.state);
  useEffect(() => {
    setState(store.state);
    return store.subscribe(setState);
  }, [store]);
  return state;
}

/** The present, renewed every second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Focus goes to where something new is, so that it is never lost with what went away. */
export function useFocusOnEnter<T extends HTMLElement>(wanted = true) {
  const element = useRef<T>(null);
  useEffect(() => {
    if (wanted) element.current?.focus({ preventScroll: true });
  }, [wanted]);
  return element;
}

/** A keyboard on the screen takes half of it: only whoever has a real one gets the cursor. */
export function hasKeyboard(): boolean {
  return matchMedia("(hover: hover) and (pointer: fine)").matches;
}
