// What two people do in most tests: they meet, and they talk.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { until } from './deadline.js';
import * as shapes from './shapes.js';

/** Both enter their queues, in this order, and are in one room. */
export async function meet(first, firstQueue, second, secondQueue) {
  await first.enters(firstQueue);
  await second.enters(secondQueue);
  await met(first, second);
}

/** Both were told that they are matched, and that somebody is in the room. */
export async function met(...people) {
  for (const person of people) {
    const { args } = await person.inbox.next('queue_complete');
    assert.deepEqual(args, [{ user_id: person.userId }], `${person.name} is told its own id`);
  }
  for (const person of people) await person.inbox.next('user_connected');
}

/** `speaker` says `content`, gets it back as stored, and `listener` hears the same message. */
export async function tells(speaker, listener, content) {
  const stored = await speaker.says(content);
  shapes.storedMessage(stored, { content, author: speaker.userId, liked: false });
  const heard = await listener.hears({ where: ({ nonce }) => nonce === stored.nonce });
  shapes.arrivedMessage(heard, stored);
  return stored;
}

/**
 * What an old client got on a connection that began at `back`: `missed` in the end, nothing twice. It does not say what
 * it has seen, so that some may come before that it had.
 */
export async function caughtUp(client, back, missed) {
  await client.inbox.next('send_message_to_client', { after: back, where: ({ nonce }) => nonce === missed.at(-1).nonce });
  const all = client.inbox.all('send_message_to_client');
  const got = all.filter(({ index }) => index > back.index);
  const nonces = got.map(({ args }) => args[0].nonce);
  assert.deepEqual(nonces.slice(-missed.length), missed.map(({ nonce }) => nonce), `${client.name} got what it missed`);
  assert.equal(new Set(nonces).size, nonces.length, `${client.name} got nothing twice`);
  client.toldAgain.push(...got.slice(0, -missed.length).map((entry) => all.indexOf(entry)));
}

/** A few words both ways; nobody hears themselves, nobody hears anything twice. */
export async function talk(first, second) {
  const before = [first, second].map(({ inbox }) => inbox.count('send_message_to_client'));
  const messages = [
    await tells(first, second, `${first.name} speaks`),
    await tells(second, first, `${second.name} answers`),
    await tells(first, second, `${first.name} goes on`),
    await tells(second, first, `${second.name} ends`),
  ];
  const after = [first, second].map(({ inbox }) => inbox.count('send_message_to_client'));
  assert.deepEqual(after, [before[0] + 2, before[1] + 2], 'each hears exactly what the other said');
  assert.equal(new Set(messages.map(({ room_id }) => room_id)).size, 1, 'one room');
  return messages;
}

/** A current client got exactly what it missed, in the snapshot or, if it was back so soon, one by one. */
export async function resumed(client, back, missed) {
  shapes.resumed(await client.resumes({ after: back }), { state: 'room', user_id: client.userId });
  const heard = () =>
    client.inbox.entries.filter(({ index }) => index > back.index).flatMap(({ name, args }) =>
      name === 'resumed' ? args[0].messages : name === 'send_message_to_client' ? args : []).map(({ nonce }) => nonce);
  await until(5_000, () => heard().includes(missed.at(-1).nonce), `${client.name} catches up`);
  assert.deepEqual(heard(), missed.map(({ nonce }) => nonce), `${client.name} got exactly what it missed`);
}

const FIVE = ['one', 'two', 'three', 'four', 'five'];

/** Posts five messages, and sees them heard and numbered in the order in which they were sent off. */
export async function fiveInOrder(speaker, listener, round) {
  const contents = FIVE.map((word) => `${round} ${word}`);
  const answers = await postsInParallel(speaker, contents);
  assert.deepEqual(answers.map(({ status }) => status), contents.map(() => 201));
  const heard = [];
  while (heard.length < contents.length) heard.push((await listener.hears()).content);
  assert.deepEqual(heard, contents, `round ${round}`);
  const numbers = answers.map(({ body }) => body.data.seq);
  assert.deepEqual(numbers, numbers.map((_, index) => round * FIVE.length + index + 1));
}

/** Each is sent off a millisecond after the one before, sooner than anybody types, and none waits for an answer. */
export async function postsInParallel(speaker, contents) {
  const answers = [];
  for (const content of contents) {
    const { sent, answer } = speaker.posts(content);
    answers.push(answer);
    await sent;
    await pause(1);
  }
  return Promise.all(answers);
}
