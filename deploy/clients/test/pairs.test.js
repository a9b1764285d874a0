// Every kind of client with every other: vent with listen and talk with talk, the whole of a conversation.

import assert from 'node:assert/strict';

import { KINDS, scenario } from '../src/scenario.js';
import * as shapes from '../src/shapes.js';
import { meet, talk } from '../src/together.js';

const kinds = Object.keys(KINDS);
const withQueues = kinds.filter((kind) => KINDS[kind].queues.includes('vent'));

for (const venting of withQueues) {
  for (const listening of withQueues) {
    scenario(`${venting} vents and ${listening} listens`, ({ client }) =>
      conversation(client(venting, { on: 0 }), 'vent', client(listening, { on: 1 }), 'listen'),
    );
    scenario(`${listening} listens before ${venting} vents`, ({ client }) =>
      conversation(client(listening, { on: 0 }), 'listen', client(venting, { on: 1 }), 'vent'),
    );
  }
}

for (const one of kinds) {
  for (const other of kinds) {
    scenario(`${one} talks with ${other}`, ({ client }) =>
      conversation(client(one, { on: 0 }), 'talk', client(other, { on: 1 }), 'talk'),
    );
  }
}

scenario('REST on one gateway and the socket on the other makes no difference', async ({ angular, react }) => {
  await conversation(angular({ on: 0, rest: 1 }), 'talk', react({ on: 1, rest: 0 }), 'talk');
});

async function conversation(first, firstQueue, second, secondQueue) {
  await meet(first, firstQueue, second, secondQueue);
  const [, answer] = await talk(first, second);
  await like(first, second, answer);
  for (const [writer, reader] of [[first, second], [second, first]]) if (writer.types) await typing(writer, reader);
  await leave(second, first);
}

/** Who likes, and who wrote what is liked, both learn of it. */
async function like(fan, author, message) {
  await fan.likes(message._id);
  for (const person of [fan, author]) {
    const { args } = await person.inbox.next('message_liked');
    shapes.liked(args[0], { message_id: message._id, user_id: fan.userId });
  }
}

async function typing(writer, reader) {
  const before = ['partner_starts_typing', 'partner_stops_typing'].map((name) => writer.inbox.count(name));
  await writer.types(true);
  const start = await reader.inbox.next('partner_starts_typing');
  await writer.types(false);
  await reader.inbox.next('partner_stops_typing', { after: start });
  const after = ['partner_starts_typing', 'partner_stops_typing'].map((name) => writer.inbox.count(name));
  assert.deepEqual(after, before, 'nobody is told that they type themselves');
}

async function leave(leaver, partner) {
  const before = partner.inbox.now();
  await leaver.leaves();
  await partner.inbox.next('user_disconnected', { after: before });
}
