// Waiting and being matched: who is told, when, and who is not.

import assert from 'node:assert/strict';

import { scenario } from '../src/scenario.js';
import { meet, met, talk, tells } from '../src/together.js';

const ROUNDS = 20;

for (const [title, places] of [
  ['', [{ on: 0, rest: 0 }, { on: 1, rest: 1 }]],
  [', with REST and socket on different gateways', [{ on: 0, rest: 1 }, { on: 1, rest: 0 }]],
]) {
  scenario(
    `queue_complete comes after the answer of its POST /queue, ${ROUNDS} times${title}`,
    async ({ angular }) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const [first, second] = places.map((place) => angular(place));
        await Promise.all([isSettled(first), isSettled(second)]);
        await Promise.all([first.enters('vent'), second.enters('listen')]);
        await met(first, second);
        for (const person of [first, second]) assertAnsweredFirst(person, round);
        first.leaves();
        await second.inbox.next('user_disconnected');
      }
    },
    { timeout: 120_000 },
  );
}

/** The page has been open for a while: an upgrade going on would hold back `hello`, and hide a hasty server. */
async function isSettled(person) {
  await person.start();
  await person.inbox.next('connect');
  await person.upgraded();
}

function assertAnsweredFirst({ name, inbox }, round) {
  const [answer, complete] = [inbox.all('POST /queue')[0], inbox.all('queue_complete')[0]];
  const early = (answer.at - complete.at).toFixed(1);
  assert.ok(answer.index < complete.index, `round ${round}: ${name} got queue_complete ${early} ms too early`);
}

scenario('queue_complete comes after the ack of its request_queue', async ({ modern }) => {
  const [first, second] = [modern({ on: 0 }), modern({ on: 1 })];
  await Promise.all([first.start(), second.start()]);
  await Promise.all([first.enters('vent'), second.enters('listen')]);
  await met(first, second);
  for (const { name, inbox } of [first, second]) {
    assert.ok(inbox.all('ack of request_queue')[0].index < inbox.all('queue_complete')[0].index, name);
  }
});

scenario('queue_complete goes to the two who are matched and to nobody else', async ({ angular, react, modern }) => {
  const bystanders = [angular({ on: 0 }), angular({ on: 1 }), modern({ on: 0 }), modern({ on: 1 })];
  for (const bystander of bystanders) await bystander.start();
  const [first, second] = [react({ on: 0 }), react({ on: 1 })];
  await meet(first, 'talk', second, 'talk');
  await talk(first, second);
  for (const { name, inbox } of bystanders) {
    assert.deepEqual(inbox.entries.map((entry) => entry.name).filter((event) => event === 'queue_complete'), [], name);
  }
  for (const { name, inbox } of [first, second]) assert.equal(inbox.count('queue_complete'), 1, name);
});

scenario('two who fit meet in well under a second', async ({ angular, modern }) => {
  const [first, second] = [angular({ on: 0 }), modern({ on: 1 })];
  await first.start();
  await second.start();
  await first.enters('vent');
  const before = second.inbox.now();
  await second.enters('listen');
  for (const { name, inbox } of [first, second]) {
    const { at } = await inbox.next('queue_complete');
    assert.ok(at - before.at < 1_000, `${name} waited ${at - before.at} ms`);
  }
});

scenario('many who enter at once are all matched, each with one other', async ({ angular, react, modern }) => {
  const venting = [angular({ on: 0 }), modern({ on: 1 }), angular({ on: 1 }), modern({ on: 0 })];
  const listening = [modern({ on: 0 }), angular({ on: 1 }), modern({ on: 1 }), angular({ on: 0 })];
  const talking = [react({ on: 0 }), react({ on: 1 }), angular({ on: 0 }), modern({ on: 1 })];
  await Promise.all([
    ...venting.map((person) => person.enters('vent')),
    ...listening.map((person) => person.enters('listen')),
    ...talking.map((person) => person.enters('talk')),
  ]);
  const all = [...venting, ...listening, ...talking];
  await met(...all);
  const rooms = new Map();
  for (const person of all) {
    const { room_id: room } = await person.says(`${person.name} is here`);
    rooms.set(room, [...(rooms.get(room) ?? []), person]);
  }
  assert.equal(rooms.size, all.length / 2);
  for (const pair of rooms.values()) assertFits(pair, { venting, listening, talking });
});

function assertFits(pair, { venting, listening, talking }) {
  assert.equal(pair.length, 2);
  const isIn = (people) => pair.filter((person) => people.includes(person)).length;
  const fits = isIn(talking) === 2 || (isIn(venting) === 1 && isIn(listening) === 1);
  assert.ok(fits, pair.map(({ name }) => name).join(' with '));
}

scenario('who waits longest is matched first', async ({ angular, modern }) => {
  const [early, late, listener] = [angular({ on: 0 }), modern({ on: 1 }), modern({ on: 0 })];
  await early.enters('vent');
  await late.enters('vent');
  await meetWaiting(listener, 'listen', early);
  await tells(early, listener, 'you are mine');
  assert.equal(late.inbox.count('queue_complete'), 0);
});

async function meetWaiting(newcomer, queue, waiting) {
  await newcomer.enters(queue);
  await met(newcomer, waiting);
}

scenario('a React user is queued before its socket and matched on registering', async ({ react, modern }) => {
  const [first, second] = [react({ on: 0, rest: 1 }), modern({ on: 1 })];
  await first.requestsQueue();
  await second.enters('talk');
  first.connects();
  await met(first, second);
  await talk(first, second);
});

scenario('two React users meet, the second one queued and registered long after', async ({ react }) => {
  const [first, second] = [react({ on: 0 }), react({ on: 1 })];
  await first.enters('talk');
  await first.inbox.next('connect');
  await meetWaiting(second, 'talk', first);
  await talk(first, second);
});

scenario('who leaves while still queued is not matched', async ({ angular, modern }) => {
  const [leaver, watcher, listener] = [angular({ on: 0 }), modern({ on: 1 }), modern({ on: 0 })];
  await leaver.enters('vent');
  await watcher.enters('vent');
  const both = await seesWaiting(watcher, { vent: 2 });
  leaver.leaves();
  await seesWaiting(watcher, { vent: 1 }, both);
  await meetWaiting(listener, 'listen', watcher);
  await talk(listener, watcher);
  assert.equal(leaver.inbox.count('queue_complete'), 0);
});

scenario('a current client that leaves the queue may enter another one', async ({ modern }) => {
  const [first, second] = [modern({ on: 0 }), modern({ on: 1 })];
  await first.enters('vent');
  await first.leaves();
  await meet(first, 'talk', second, 'talk');
});

scenario('who loses the connection while waiting is not offered as a match', async ({ modern }) => {
  const [lost, watcher, listener] = [modern({ on: 0 }), modern({ on: 1 }), modern({ on: 0 })];
  await lost.enters('vent');
  await watcher.enters('vent');
  const both = await seesWaiting(watcher, { vent: 2 });
  await lost.vanishes();
  await seesWaiting(watcher, { vent: 1 }, both);
  await meetWaiting(listener, 'listen', watcher);
  assert.equal(lost.inbox.count('queue_complete'), 0);
});

scenario('a React user that goes back while waiting is not offered as a match', async ({ react, modern }) => {
  const [goer, watcher, newcomer] = [react({ on: 0 }), modern({ on: 1 }), react({ on: 1 })];
  await goer.enters('talk');
  await goer.inbox.next('connect');
  await watcher.enters('vent');
  const there = await seesWaiting(watcher, { talk: 1 });
  goer.leaves();
  await seesWaiting(watcher, { talk: 0 }, there);
  await newcomer.enters('talk');
  await watcher.leaves();
  await meetWaiting(watcher, 'talk', newcomer);
  assert.equal(goer.inbox.count('queue_complete'), 0);
});

/** Waits for a `queue_status` with these counts, later than `after`. */
function seesWaiting(watcher, counts, after) {
  const fits = ({ waiting }) => Object.entries(counts).every(([queue, count]) => waiting[queue] === count);
  return watcher.inbox.next('queue_status', { ms: 8_000, after, where: fits });
}

scenario('the latest hello of a socket wins and the earlier user is gone', async ({ angular, modern }) => {
  const [page, first, second] = [angular({ on: 0 }), modern({ on: 1 }), modern({ on: 1 })];
  await meet(page, 'vent', first, 'listen');
  await tells(page, first, 'before');
  await page.start(); // Home, and a new chat, on the same socket
  await first.inbox.next('user_disconnected', { ms: 1_000 });
  await first.inbox.next('room_ended');
  const before = page.inbox.now();
  await page.enters('vent');
  await second.enters('listen');
  const { args } = await page.inbox.next('queue_complete', { after: before });
  assert.deepEqual(args, [{ user_id: page.userId }]);
  await met(second);
  await talk(page, second);
  assert.equal(first.inbox.count('send_message_to_client'), 1);
});

scenario('a user whose socket says hello for another one is out of the queue', async ({ angular, modern }) => {
  const [page, watcher, listener] = [angular({ on: 0 }), modern({ on: 1 }), modern({ on: 0 })];
  await page.enters('vent');
  await watcher.enters('vent');
  const both = await seesWaiting(watcher, { vent: 2 });
  await page.start();
  await seesWaiting(watcher, { vent: 1 }, both);
  await meetWaiting(listener, 'listen', watcher);
  await talk(listener, watcher);
  assert.equal(page.inbox.count('queue_complete'), 0);
});

scenario('hello before, during and after the queue is harmless', async ({ angular, modern }) => {
  const [first, second] = [angular({ on: 0 }), modern({ on: 1 })];
  await first.start();
  for (let time = 0; time < 5; time += 1) first.saysHello();
  await first.enters('vent');
  for (let time = 0; time < 5; time += 1) first.saysHello();
  await second.enters('listen');
  await met(first, second);
  first.saysHello();
  await talk(first, second);
  assert.equal(first.inbox.count('queue_complete'), 1);
  assert.equal(second.inbox.count('user_disconnected'), 0);
});

scenario('nonsense where a secret belongs changes nothing', async ({ angular, modern }) => {
  const [first, second] = [angular({ on: 0 }), modern({ on: 1 })];
  await first.start();
  for (const nonsense of [undefined, null, 7, '', 'no secret', { secret: first.secret }, [first.secret], Buffer.from('x')]) {
    for (const event of ['hello', 'register_sid', 'join_room', 'leave_room']) first.socket.emit(event, nonsense);
  }
  first.socket.emit('no_such_event', 'x');
  await meet(first, 'vent', second, 'listen');
  await talk(first, second);
});
