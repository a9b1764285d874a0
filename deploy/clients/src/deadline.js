// Every wait of this project ends: with what was waited for, or with an error that says what was missing.

import { setTimeout as pause } from 'node:timers/promises';

/** The value of `promise`, or an error after `ms` milliseconds that names `what` was waited for. */
export function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what()}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks again and again until `ask` gives something truthy; only for state that nobody announces. */
export async function until(ms, ask, what) {
  const end = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(50);
  }
}
