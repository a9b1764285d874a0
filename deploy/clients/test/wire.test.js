// The shapes on the wire that the three front-ends read, field by field.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { newNonce } from '../src/angular.js';
import { scenario } from '../src/scenario.js';
import * as shapes from '../src/shapes.js';
import { meet, tells } from '../src/together.js';

scenario('GET /auth makes a new user each time', async ({ angular }) => {
  const person = angular();
  const [one, two] = [await person.start(), await person.start()];
  shapes.newUser(one);
  shapes.newUser(two);
  assert.notEqual(one.user_id, two.user_id);
  assert.notEqual(one.secret, two.secret);
});

scenario('POST /queue of the Angular client answers with a sentence', async ({ angular }) => {
  const person = angular();
  await person.start();
  const { status, body } = await person.requestsQueue('vent');
  assert.equal(status, 200);
  assert.equal(body.success, true);
  assert.match(body.data, /\w+ \w+/);
});

scenario('POST /queue of the React client, with nothing in it, answers with an id and a secret', async ({ react }) => {
  const { status, body } = await react().requestsQueue();
  assert.equal(status, 200);
  assert.equal(body.success, true);
  shapes.queuedUser(body.data);
});

scenario('POST /messages answers both forms with 201 and the stored message', async ({ angular, react }) => {
  const [first, second] = [angular(), react({ on: 1 })];
  await meet(first, 'talk', second, 'talk');
  const [nonce, messageId] = [newNonce(), randomUUID()];
  const [one, two] = [await first.posts('one', nonce).answer, await second.posts('two', messageId).answer];
  assert.deepEqual([one.status, two.status], [201, 201]);
  shapes.storedMessage(one.body.data, { author: first.userId, content: 'one', nonce, liked: false, seq: 1 });
  shapes.storedMessage(two.body.data, { author: second.userId, content: 'two', nonce: messageId, liked: false, seq: 2 });
  assert.equal(one.body.data.room_id, two.body.data.room_id);
  assert.notEqual(one.body.data._id, two.body.data._id);
});

scenario('a message arrives as it was answered, with incoming and message_id', async ({ angular, react }) => {
  const [first, second] = [angular(), react({ on: 1 })];
  await meet(first, 'talk', second, 'talk');
  for (const [speaker, listener] of [[first, second], [second, first]]) {
    const stored = await speaker.says('the same for both');
    const heard = await listener.hears();
    assert.deepEqual(heard, { ...stored, incoming: true, message_id: stored.nonce });
  }
});

scenario('timestamps are seconds with a fraction and do not run backwards', async ({ angular, modern }) => {
  const [first, second] = [angular(), modern({ on: 1 })];
  await meet(first, 'vent', second, 'listen');
  const times = [];
  for (const content of ['one', 'two', 'three', 'four']) times.push((await tells(first, second, content)).timestamp);
  assert.ok(times.some((time) => !Number.isInteger(time)), `fractions: ${times}`);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
});

scenario("a room's messages are numbered 1, 2, 3 without a gap, for both", async ({ angular, modern }) => {
  const [first, second] = [angular(), modern({ on: 1 })];
  await meet(first, 'vent', second, 'listen');
  const numbers = [];
  for (const [speaker, listener] of [[first, second], [second, first], [second, first], [first, second]]) {
    numbers.push((await tells(speaker, listener, 'counted')).seq);
  }
  assert.deepEqual(numbers, [1, 2, 3, 4]);
});

scenario('POST /likes answers 200 and message_liked carries the string _id', async ({ angular, modern }) => {
  const [first, second] = [angular(), modern({ on: 1 })];
  await meet(first, 'vent', second, 'listen');
  const message = await tells(second, first, 'likeable');
  const { status, body } = await first.rest.post('/likes', { secret: first.secret, message_id: message._id });
  assert.equal(status, 200);
  assert.equal(body.success, true);
  for (const person of [first, second]) {
    const { args } = await person.inbox.next('message_liked');
    assert.deepEqual(args, [{ message_id: message._id, user_id: first.userId }]);
  }
});

scenario('POST /typing answers 201, and the partner gets events without a payload', async ({ react, modern }) => {
  const [first, second] = [react(), modern({ on: 1 })];
  await meet(first, 'talk', second, 'talk');
  const { status, body } = await first.types(true);
  assert.deepEqual([status, body.success], [201, true]);
  const { args } = await second.inbox.next('partner_starts_typing');
  assert.deepEqual(args, []);
});

scenario('a current client that connects is told that it is idle', async ({ modern }) => {
  const person = modern();
  shapes.resumed(await person.start(), { state: 'idle', user_id: person.userId });
  assert.equal(person.inbox.count('resumed'), 1);
});

scenario('a waiting current client is told how long it waits and how many wait', async ({ modern }) => {
  const person = modern();
  await person.enters('listen');
  const { args } = await person.inbox.next('queue_status', { ms: 8_000 });
  shapes.queueStatus(args[0]);
  assert.equal(args[0].queue, 'listen');
  assert.equal(args[0].waiting.listen, 1);
});
