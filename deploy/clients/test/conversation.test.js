// Inside a room: order, exactly once, and events that come more often than they need to.

import assert from 'node:assert/strict';

import { newNonce } from '../src/angular.js';
import { scenario } from '../src/scenario.js';
import { fiveInOrder, meet, postsInParallel, talk, tells } from '../src/together.js';

const ROUNDS = 20;

for (const [kind, rest] of [['Angular', 0], ['Angular', 1], ['React', 0]]) {
  const where = rest ? ', through the other gateway' : '';
  scenario(`five parallel POSTs of ${kind} arrive in the order in which they were sent off${where}`, async (people) => {
    const [speaker, listener] = [people.client(kind, { on: 0, rest }), people.modern({ on: 1 })];
    await meet(speaker, 'talk', listener, 'talk');
    for (let round = 0; round < ROUNDS; round += 1) await fiveInOrder(speaker, listener, round);
  });
}

scenario('messages that a current client sends without waiting keep their order', async ({ modern, angular }) => {
  const [speaker, listener] = [modern({ on: 0 }), angular({ on: 1 })];
  await meet(speaker, 'vent', listener, 'listen');
  const contents = Array.from({ length: 30 }, (_, number) => `number ${number}`);
  const stored = await Promise.all(contents.map((content) => speaker.says(content)));
  assert.deepEqual(stored.map(({ seq }) => seq), contents.map((_, index) => index + 1));
  for (const content of contents) assert.equal((await listener.hears()).content, content);
});

scenario('both sides see one order when both write at once', async ({ modern, angular }) => {
  const [first, second] = [modern({ on: 0 }), angular({ on: 1 })];
  await meet(first, 'vent', second, 'listen');
  const contents = Array.from({ length: 20 }, (_, number) => `${number}`);
  const [ones, twos] = await Promise.all([
    Promise.all(contents.map((content) => first.says(content))),
    (async () => (await postsInParallel(second, contents)).map(({ body }) => body.data))(),
  ]);
  const seqs = [...ones, ...twos].map(({ seq }) => seq).sort((a, b) => a - b);
  assert.deepEqual(seqs, seqs.map((_, index) => index + 1), 'dense');
  for (const [listener, sent] of [[first, twos], [second, ones]]) {
    const heard = [];
    while (heard.length < sent.length) heard.push((await listener.hears()).seq);
    assert.deepEqual(heard, sent.map(({ seq }) => seq).sort((a, b) => a - b), listener.name);
  }
});

for (const kind of ['Angular', 'React', 'Modern']) {
  scenario(`a message of ${kind} sent again with its nonce is the same message`, async ({ client, modern }) => {
    const [speaker, listener] = [client(kind, { on: 0 }), modern({ on: 1 })];
    await meet(speaker, 'talk', listener, 'talk');
    const nonce = kind === 'React' ? crypto.randomUUID() : newNonce();
    const first = await speaker.says('said once', nonce);
    const again = await speaker.says('said once', nonce);
    assert.deepEqual(again, first);
    const next = await tells(speaker, listener, 'the next one');
    assert.equal(next.seq, first.seq + 1);
    assert.equal(listener.inbox.count('send_message_to_client'), 2);
  });
}

scenario('a message may be liked twice and is liked once', async ({ angular, modern }) => {
  const [fan, author] = [angular({ on: 0 }), modern({ on: 1 })];
  await meet(fan, 'vent', author, 'listen');
  const [one, two] = [await tells(author, fan, 'one'), await tells(author, fan, 'two')];
  await fan.likes(one._id);
  await fan.likes(one._id);
  await fan.likes(two._id);
  await author.inbox.next('message_liked', { where: ({ message_id: id }) => id === two._id });
  assert.equal(author.inbox.count('message_liked'), 2);
  const reader = modern({ on: 0 }); // the history knows
  reader.becomes(author.userId, author.secret);
  const { messages } = await reader.connects();
  assert.deepEqual(messages.map(({ liked }) => liked), [true, true]);
});

scenario('join_room and register_sid may come again and again', async ({ angular, react }) => {
  for (const [Repeating, Other, repeat] of [
    [react, angular, (client) => client.registers()],
    [react, angular, (client) => client.joinsRoom()],
    [angular, react, (client) => client.joinsRoom()],
    [angular, react, (client) => client.saysHello()],
  ]) {
    const [repeating, other] = [Repeating({ on: 0 }), Other({ on: 1 })];
    await meet(repeating, 'talk', other, 'talk');
    for (let time = 0; time < 5; time += 1) repeat(repeating);
    await talk(repeating, other);
    await talk(other, repeating);
    assert.ok(other.inbox.count('user_connected') <= 2, `${other.name} hears of its own entrance and the partner's`);
    assert.ok(repeating.inbox.count('user_connected') <= 7, `each join_room is answered once at most`);
    for (const { name, inbox } of [repeating, other]) {
      assert.equal(inbox.count('user_disconnected'), 0, name);
      assert.equal(inbox.count('queue_complete'), 1, name);
    }
  }
});

scenario('listeners pile up in a client that has one chat after the other', async ({ angular, modern }) => {
  const page = angular({ on: 0 });
  for (let chat = 1; chat <= 3; chat += 1) {
    const partner = modern({ on: 1 });
    await meet(page, 'vent', partner, 'listen');
    await talk(page, partner);
    page.leaves();
    await partner.inbox.next('room_ended');
    await page.start();
  }
  assert.equal(page.inbox.count('queue_complete'), 3);
});
