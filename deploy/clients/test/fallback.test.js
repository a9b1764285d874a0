// Whoever waits for too long in vent or listen is moved to talk, and told so when the client can hear it.
// FALLBACK_AFTER (seconds, as the matcher reads it) is given here too when the system runs with another limit.

import assert from 'node:assert/strict';

import { scenario } from '../src/scenario.js';
import { met, talk } from '../src/together.js';

const LIMIT = 1_000 * Number.parseFloat(process.env.FALLBACK_AFTER ?? '10s');
const TICK = 3_000;
const LATEST = LIMIT + TICK + 1_000;

scenario('two who vent and find no listener end up talking', async ({ modern, angular }) => {
  const [first, second] = [modern({ on: 0 }), angular({ on: 1 })];
  await first.start();
  const entered = first.inbox.now();
  await first.enters('vent');
  await second.enters('vent');
  const { at, args } = await first.inbox.next('queue_changed', { ms: LATEST });
  assert.deepEqual(args, [{ from: 'vent', to: 'talk' }]);
  assert.ok(at - entered.at > LIMIT - 100, `moved after ${Math.round(at - entered.at)} ms`);
  await met(first, second);
  await talk(first, second);
});

scenario('a lone listener is moved to talk, keeps its waiting time, and talks', async ({ modern, react }) => {
  const [listener, talker] = [modern({ on: 0 }), react({ on: 1 })];
  await listener.enters('listen');
  const moved = await listener.inbox.next('queue_changed', { ms: LATEST });
  assert.deepEqual(moved.args, [{ from: 'listen', to: 'talk' }]);
  const status = await listener.inbox.next('queue_status', { after: moved, ms: 8_000 });
  assert.equal(status.args[0].queue, 'talk');
  assert.ok(status.args[0].waited_ms >= LIMIT, `${status.args[0].waited_ms}`);
  assert.equal(status.args[0].waiting.talk, 1);
  await talker.enters('talk');
  await met(listener, talker);
  await talk(listener, talker);
});
