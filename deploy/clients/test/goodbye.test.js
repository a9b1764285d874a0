// Leaving, closing the tab and vanishing: the partner is told at once, and what was said goodbye to is gone.

import assert from 'node:assert/strict';

import { until } from '../src/deadline.js';
import { POLLING, UPGRADE, WEBSOCKET } from '../src/libraries.js';
import { scenario } from '../src/scenario.js';
import { meet, talk, tells } from '../src/together.js';

const AT_ONCE = 1_000;
const ERASED_WITHIN = 5_000;

const GOODBYES = [
  ['Angular', 'leave_room', (leaver) => leaver.leaves()],
  ['Angular', 'a namespace disconnect', (leaver) => leaver.disconnectsNamespace()],
  ['React', 'the back arrow', (leaver) => leaver.leaves()],
  ['Modern', 'leave_room', (leaver) => leaver.leaves()],
];

for (const [kind, title, goodbye] of GOODBYES) {
  scenario(`${kind} leaves by ${title}: the partner knows in a second, and in five all is gone`, async (people) => {
    const [leaver, partner] = [people.client(kind, { on: 0 }), people.modern({ on: 1 })];
    await meet(leaver, 'talk', partner, 'talk');
    await talk(leaver, partner);
    const before = partner.inbox.now();
    await goodbye(leaver);
    await isTold(partner, before);
    await partner.inbox.next('room_ended', { after: before });
    await isErased(people, before, leaver, partner);
  });

  scenario(`${kind} leaves by ${title}: an Angular partner gets user_disconnected`, async ({ client, angular }) => {
    const [leaver, partner] = [client(kind, { on: 1 }), angular({ on: 0 })];
    await meet(partner, 'talk', leaver, 'talk');
    const before = partner.inbox.now();
    await goodbye(leaver);
    await isTold(partner, before);
  });
}

const CLOSINGS = [
  ['Angular', 'closes its tab after the upgrade', UPGRADE, (leaver) => leaver.closesTab()],
  ['Angular', 'closes its tab on WebSocket', WEBSOCKET, (leaver) => leaver.closesTab()],
  ['Angular', 'closes its tab on polling', POLLING, (leaver) => leaver.closesTab()],
  ['Angular', 'vanishes from its WebSocket', WEBSOCKET, (leaver) => leaver.vanishes()],
  ['React', 'closes its tab', WEBSOCKET, (leaver) => leaver.closesTab()],
  ['React', 'vanishes', WEBSOCKET, (leaver) => leaver.vanishes()],
  ['Modern', 'closes its tab', UPGRADE, (leaver) => leaver.closesTab()],
  ['Modern', 'vanishes', WEBSOCKET, (leaver) => leaver.vanishes()],
];

for (const [kind, title, transports, closing] of CLOSINGS) {
  scenario(`${kind} ${title}: the partner knows in a second, and the room waits`, async ({ client, modern }) => {
    const [leaver, partner] = [client(kind, { on: 0, transports }), modern({ on: 1 })];
    await meet(leaver, 'talk', partner, 'talk');
    if (transports === UPGRADE) await leaver.upgraded();
    await tells(leaver, partner, 'before');
    const before = partner.inbox.now();
    await closing(leaver);
    await isTold(partner, before);
    await partner.says('are you there?'); // the room is still open
    assert.equal(partner.inbox.count('room_ended'), 0);
  });
}

async function isTold(partner, before) {
  const { at } = await partner.inbox.next('user_disconnected', { after: before });
  assert.ok(at - before.at < AT_ONCE, `${partner.name} was told after ${Math.round(at - before.at)} ms`);
}

/** Nobody is in a room any more, nothing can be written into it, and nothing that was said can be read. */
async function isErased({ modern, angular }, before, ...gone) {
  const left = () => ERASED_WITHIN - (performance.now() - before.at);
  for (const { name, userId, secret } of gone) {
    const writer = angular();
    writer.becomes(userId, secret);
    await until(left(), async () => (await writer.posts('x').answer).status === 403, `${name} is out`);
    const reader = modern();
    reader.becomes(userId, secret);
    const { state, messages } = await reader.connects();
    assert.ok(state === 'idle' || state === 'over', `${name}: ${state}`);
    assert.equal(messages, undefined, name);
  }
}

scenario('who left may not write any more, and nor may the partner', async ({ angular, modern }) => {
  const [leaver, partner] = [angular({ on: 0 }), modern({ on: 1 })];
  await meet(leaver, 'vent', partner, 'listen');
  await tells(leaver, partner, 'the last word');
  leaver.leaves();
  await partner.inbox.next('room_ended');
  const { status } = await leaver.posts('one more').answer;
  assert.ok(status >= 400 && status < 500, `${status}`);
  const answer = await partner.asks('send_message', { content: 'hello?', nonce: 'abcdefgh12345678' });
  assert.equal(answer.success, false);
  assert.equal(partner.inbox.count('send_message_to_client'), 1);
});

scenario('leaving twice and leaving nothing is no harm', async ({ angular, modern }) => {
  const [first, second] = [angular({ on: 0 }), modern({ on: 1 })];
  await second.start();
  await second.asks('leave_room');
  await meet(first, 'vent', second, 'listen');
  await talk(first, second);
  first.leaves();
  first.leaves();
  await second.inbox.next('room_ended');
  assert.equal(second.inbox.count('room_ended'), 1);
  assert.equal(second.inbox.count('user_disconnected'), 1);
});
