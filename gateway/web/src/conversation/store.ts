// Holds the one State, tells whoever listens what it was and what it is.
import { reduce } from "./reduce.ts";
import { INITIAL, type Event, type State } from "./state.ts";

export type Listener = (now: State, before: State) => void;

export class Store {
  state: State = INITIAL;
  #listeners = new Set<Listener>();

  dispatch = (event: Event): void => {
    const before = this.state;
    this.state = reduce(before, event);
    if (this.state !== before) this.#listeners.forEach((listener) => listener(this.state, before));
  };

  subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
