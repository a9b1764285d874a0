// Everything that reached one client, REST answers and socket events alike, in order of arrival.
// Tests wait on it with deadlines and look back in it; an entry that was waited for is not handed out again.

import { within } from './deadline.js';

export class Inbox {
  #owner;
  #entries = [];
  #waiting = [];

  constructor(owner) {
    this.#owner = owner;
  }

  put(name, ...args) {
    const entry = { name, args, index: this.#entries.length, at: performance.now(), taken: false };
    this.#entries.push(entry);
    const first = this.#waiting.findIndex(({ fits }) => fits(entry));
    if (first < 0) return;
    entry.taken = true;
    const [{ resolve }] = this.#waiting.splice(first, 1);
    resolve(entry);
  }

  /**
   * The first entry called `name` that nobody waited for yet, now or `ms` later.
   * With `after`, only what came after that entry; with `where`, only what its first argument satisfies.
   */
  next(name, { ms = 5_000, after = { index: -1 }, where = () => true } = {}) {
    const fits = (entry) =>
      entry.name === name && !entry.taken && entry.index > after.index && where(entry.args[0]);
    const here = this.#entries.find(fits);
    if (here) {
      here.taken = true;
      return Promise.resolve(here);
    }
    const waiter = { fits };
    const arrival = new Promise((resolve) => {
      waiter.resolve = resolve;
      this.#waiting.push(waiter);
    });
    return within(ms, arrival, () => `${name} at ${this.#owner}, which got ${this}`).catch((error) => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      throw error;
    });
  }

  all(name) {
    return this.#entries.filter((entry) => entry.name === name);
  }

  count(name) {
    return this.all(name).length;
  }

  /** The last entry so far: a place in time for `next(…, { after })`. */
  now() {
    return { index: this.#entries.length - 1, at: performance.now() };
  }

  get entries() {
    return [...this.#entries];
  }

  toString() {
    return `[${this.#entries.map(({ name }) => name).join(', ')}]`;
  }
}
