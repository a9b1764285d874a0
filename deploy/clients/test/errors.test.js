// What is wrong with a request is said in the envelope, changes nothing, and reaches no stranger.
// That every answer carries CORS headers is checked with each one, where it is read (http.js).

import assert from 'node:assert/strict';

import { newNonce } from '../src/angular.js';
import { scenario } from '../src/scenario.js';
import { meet, met, talk, tells } from '../src/together.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const POST_ROUTES = ['/queue', '/messages', '/likes', '/typing'];

async function fails(rest, method, path, options, ...statuses) {
  const { status, body } = await rest.send(method, path, options).answer;
  const what = `${method} ${path} ${options.body ?? ''}: ${status} ${JSON.stringify(body)}`;
  assert.ok(statuses.includes(status), `${what}, not ${statuses}`);
  assert.equal(body.success, false, what);
  assert.equal(body.data, undefined, what);
}

scenario('400 for a body that is not JSON, on every route', async ({ angular }) => {
  const { rest } = angular();
  for (const path of POST_ROUTES) {
    for (const body of ['{', 'secret=x', '{"secret": "x",}', '[1, 2', '\ufffd\u0000']) {
      await fails(rest, 'POST', path, { headers: JSON_TYPE, body }, 400);
    }
  }
});

scenario('400 for JSON that is no object, on every route', async ({ angular }) => {
  const person = angular();
  await person.start();
  const { rest } = person;
  for (const path of POST_ROUTES) {
    for (const body of ['[]', '7', '"text"', 'null', 'true']) await fails(rest, 'POST', path, { headers: JSON_TYPE, body }, 400);
  }
  for (const [path, good] of goodBodies(person)) {
    const body = JSON.stringify(Object.values(good)); // the values alone, in the order of the fields
    await fails(rest, 'POST', path, { headers: JSON_TYPE, body }, 400);
  }
});

/** Good bodies for somebody who is in a room; each test takes one of the fields away or puts something else there. */
const goodBodies = ({ secret, userId }) => [
  ['/queue', { secret, queueType: 'talk' }],
  ['/messages', { secret, message: 'text', nonce: newNonce() }],
  ['/messages', { message_id: crypto.randomUUID(), user_id: userId, secret, content: 'text' }],
  ['/likes', { secret, message_id: '000000000000000000000000' }],
  ['/typing', { user_id: userId, secret, typing: true }],
];

scenario('400 for a missing field, for each field of every route', async ({ angular }) => {
  const person = angular();
  await person.start();
  for (const [path, good] of goodBodies(person)) {
    for (const field of Object.keys(good)) {
      const { [field]: _, ...rest } = good;
      await fails(person.rest, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(rest) }, 400);
    }
    await fails(person.rest, 'POST', path, { headers: JSON_TYPE, body: '{}' }, 400);
  }
});

scenario('400 for a wrong type and for an object where a string belongs', async ({ angular }) => {
  const person = angular();
  await person.start();
  for (const [path, good] of goodBodies(person)) {
    for (const field of Object.keys(good)) {
      for (const wrong of [7, null, ['x'], { $ne: null }, { $gt: '' }, typeof good[field] === 'boolean' ? 'true' : true]) {
        await fails(person.rest, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify({ ...good, [field]: wrong }) }, 400);
      }
    }
  }
});

scenario('400 for a queue that does not exist', async ({ angular }) => {
  const person = angular();
  await person.start();
  for (const queueType of ['', 'idle', 'Vent', 'shout', '__proto__']) {
    const body = JSON.stringify({ secret: person.secret, queueType });
    await fails(person.rest, 'POST', '/queue', { headers: JSON_TYPE, body }, 400);
  }
});

scenario('403 for an unknown secret, on every route', async ({ angular }) => {
  const person = angular();
  await person.start();
  const [header, claims, signature] = person.secret.split('.');
  const forged = signature ? [header, claims, signature.split('').reverse().join('')].join('.') : `${person.secret}x`;
  for (const secret of ['', 'unknown', forged, 'x'.repeat(500)]) {
    for (const [path, body] of goodBodies({ secret, userId: person.userId })) {
      await fails(person.rest, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }, 403);
    }
  }
});

scenario('a secret does not speak for another user_id', async ({ react, modern }) => {
  const [first, second] = [react({ on: 0 }), modern({ on: 1 })];
  await meet(first, 'talk', second, 'talk');
  const { secret } = first;
  for (const [path, body] of [
    ['/messages', { message_id: crypto.randomUUID(), user_id: second.userId, secret, content: 'not mine' }],
    ['/typing', { user_id: second.userId, secret, typing: true }],
  ]) {
    await fails(first.rest, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }, 403);
  }
  await talk(first, second);
  for (const { inbox } of [first, second]) assert.equal(inbox.count('partner_starts_typing'), 0);
});

scenario('403 for queueing while queued, which keeps the place', async ({ angular, modern }) => {
  const [first, second] = [angular({ on: 0 }), modern({ on: 1 })];
  await first.enters('vent');
  for (const queueType of ['vent', 'listen', 'talk']) {
    const body = JSON.stringify({ secret: first.secret, queueType });
    await fails(first.rest, 'POST', '/queue', { headers: JSON_TYPE, body }, 403);
  }
  await second.enters('listen');
  await met(first, second);
});

scenario('403 for queueing while in a room, which goes on', async ({ angular, react }) => {
  const [first, second] = [angular({ on: 0 }), react({ on: 1 })];
  await meet(first, 'talk', second, 'talk');
  for (const { secret } of [first, second]) {
    const body = JSON.stringify({ secret, queueType: 'talk' });
    await fails(first.rest, 'POST', '/queue', { headers: JSON_TYPE, body }, 403);
  }
  await talk(first, second);
});

scenario('405 for a wrong method and 404 for a wrong path', async ({ angular }) => {
  const { rest } = angular();
  for (const path of POST_ROUTES) {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) await fails(rest, method, path, {}, 405);
  }
  for (const method of ['POST', 'PUT', 'DELETE']) await fails(rest, method, '/auth', {}, 405);
  for (const path of ['/nowhere', '/queue/vent', '/auth/', '/messages/x', '/../queue%00']) await fails(rest, 'GET', path, {}, 404);
});

scenario('a huge body is refused in the envelope', async ({ angular }) => {
  const person = angular();
  await person.start();
  const body = JSON.stringify({ secret: person.secret, message: 'x'.repeat(3_000_000), nonce: newNonce() });
  await fails(person.rest, 'POST', '/messages', { headers: JSON_TYPE, body }, 400, 413);
});

scenario('who is in no room can neither write, like nor type', async ({ angular }) => {
  const person = angular();
  await person.start();
  for (const [path, body] of goodBodies(person)) {
    if (path === '/queue') continue;
    await fails(person.rest, 'POST', path, { headers: JSON_TYPE, body: JSON.stringify(body) }, 400, 403, 404, 409);
  }
});

scenario('no stranger likes a message of another room', async ({ angular, modern }) => {
  const pair = [angular({ on: 0 }), modern({ on: 1 })];
  const strangers = [angular({ on: 1 }), modern({ on: 0 })];
  await meet(pair[0], 'vent', pair[1], 'listen');
  await meet(strangers[0], 'vent', strangers[1], 'listen');
  const message = await tells(pair[0], pair[1], 'between us');
  const body = JSON.stringify({ secret: strangers[0].secret, message_id: message._id });
  await fails(strangers[0].rest, 'POST', '/likes', { headers: JSON_TYPE, body }, 400, 403, 404);
  assert.equal((await strangers[1].asks('like_message', { message_id: message._id })).success, false);
  await talk(...pair);
  for (const { name, inbox } of [...pair, ...strangers]) assert.equal(inbox.count('message_liked'), 0, name);
});

const NOT_A_QUEUE = [{ queue: 'shout' }, { queue: 7 }, { queue: { $ne: null } }, {}, 'vent', null, ['vent']];
const NOT_A_MESSAGE = [{ content: { $gt: '' }, nonce: newNonce() }, { content: 'x' }, { nonce: newNonce() }, 'x', null, 7];
const NOT_A_LIKE = [{ message_id: 7 }, { message_id: { $ne: null } }, { message_id: 'unknown' }, {}, null];
const NOT_TYPING = [{ typing: 'yes' }, { typing: 1 }, {}, null];

scenario('a bad request over the socket is answered in the ack and changes nothing', async ({ modern }) => {
  const [first, second] = [modern({ on: 0 }), modern({ on: 1 })];
  await first.start();
  for (const bad of NOT_A_QUEUE) await refused(first, 'request_queue', bad);
  await refused(first, 'send_message', { content: 'to nobody', nonce: newNonce() });
  await meet(first, 'vent', second, 'listen');
  for (const bad of NOT_A_MESSAGE) await refused(first, 'send_message', bad);
  for (const bad of NOT_A_LIKE) await refused(first, 'like_message', bad);
  for (const bad of NOT_TYPING) await refused(first, 'typing', bad);
  for (const queue of ['vent', 'talk']) await refused(first, 'request_queue', { queue });
  await talk(first, second);
});

scenario('a current client that waits may not queue again', async ({ modern }) => {
  const [first, second] = [modern({ on: 0 }), modern({ on: 1 })];
  await first.enters('vent');
  for (const queue of ['vent', 'listen', 'talk']) await refused(first, 'request_queue', { queue });
  await second.enters('listen');
  await met(first, second);
});

async function refused(client, event, argument) {
  const answer = await client.asks(event, argument);
  assert.equal(answer.success, false, `${event} ${JSON.stringify(argument)}: ${JSON.stringify(answer)}`);
}
