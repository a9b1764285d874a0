// What holds for every client in every test, whatever the test is about: checked when its body has passed.
// Nothing unknown arrives, everything has its shape, nobody gets a message twice or one of their own.

import assert from 'node:assert/strict';

import { ModernClient } from './modern.js';
import * as shapes from './shapes.js';

const none = (...args) => assert.deepEqual(args, [], 'no payload');
const one = (check) => (...args) => {
  assert.equal(args.length, 1, 'one payload');
  check(args[0]);
};

const FOR_ALL = {
  queue_complete: one((value) => assert.deepEqual(Object.keys(value), ['user_id'])),
  user_connected: none,
  user_disconnected: none,
  send_message_to_client: one((value) => shapes.arrivedMessage(value)),
  message_liked: one((value) => shapes.liked(value)),
  partner_starts_typing: none,
  partner_stops_typing: none,
};

const FOR_MODERN = {
  ...FOR_ALL,
  queue_returned: one(shapes.queueReturned),
  queue_changed: one(shapes.queueChanged),
  queue_status: one(shapes.queueStatus),
  replaced: none,
  resumed: one((value) => shapes.resumed(value)),
  room_ended: one(shapes.roomEnded),
};

/** Not sent by the server: REST answers, acks and the library's own events. */
const LOCAL = /^(GET|POST) |^ack of |^(connect|disconnect|connect_error)$/;

export function assertInvariants(client) {
  const known = client instanceof ModernClient ? FOR_MODERN : FOR_ALL;
  for (const { name, args } of client.inbox.entries) {
    if (LOCAL.test(name)) continue;
    assert.ok(Object.hasOwn(known, name), `${client.name} does not know ${name} ${JSON.stringify(args)}`);
    known[name](...args);
  }
  const messages = client.inbox.all('send_message_to_client').map(({ args }) => args[0]);
  assert.deepEqual(messages.filter(({ author }) => client.userIds.includes(author)), [], `no echo at ${client.name}`);
  // What broke off in silence is told an old client again, on its next connection: see `caughtUp`.
  const nonces = messages.filter((_, index) => !client.toldAgain.includes(index)).map(({ nonce }) => nonce);
  assert.equal(new Set(nonces).size, nonces.length, `no message twice at ${client.name}`);
  const announced = client.inbox.all('queue_complete').map(({ args }) => args[0].user_id);
  assert.deepEqual(announced.filter((id) => !client.userIds.includes(id)), [], `queue_complete is ${client.name}'s own`);
}
