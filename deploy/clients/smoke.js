// `npm run smoke`: a transcript of two strangers, one with socket.io-client 2.3.1 and one with 4.x, plain and without
// the drivers of src/. They vent and listen, chat, like, one loses the connection and comes back, and they leave.
// TALK_URLS names the gateways; without it the project's runner is started.

import { randomBytes } from 'node:crypto';

import { within } from './src/deadline.js';
import { io231, io4 } from './src/libraries.js';
import { stack } from './src/stack.js';

const began = performance.now();
const { gateways, stop } = await stack();
const [here, there] = [gateways[0], gateways.at(-1)];

try {
  await twoStrangers();
} catch (error) {
  tell('smoke', `failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stop();
}

async function twoStrangers() {
  const venting = await getJson(`${here}/auth`);
  const listening = await getJson(`${there}/auth`);
  const ann = io231(here, { forceNew: true });
  const bob = io4(there, { forceNew: true, auth: (give) => give({ secret: listening.secret, last_seq: bob.lastSeq }) });
  try {
    narrate('Ann (2.3.1)', ann);
    narrate('Bob (4.x)', bob);
    await connected(bob);
    await match(ann, venting, bob);
    await chat(venting, bob, ann);
    await loseAndComeBack(venting, bob, ann);
    await leave(venting, ann, bob);
  } finally {
    for (const socket of [ann, bob]) socket.io.reconnection(false);
    for (const socket of [ann, bob]) socket.disconnect();
  }
}

async function match(ann, venting, bob) {
  const matched = Promise.all([heard(ann, 'queue_complete'), heard(bob, 'queue_complete')]);
  matched.catch(() => {});
  ann.emit('hello', venting.secret);
  ann.on('queue_complete', () => ann.emit('join_room', venting.secret));
  tell('Ann (2.3.1)', `POST /queue: ${await postJson(`${here}/queue`, { secret: venting.secret, queueType: 'vent' })}`);
  const joined = Promise.all([heard(ann, 'user_connected'), heard(bob, 'user_connected')]);
  joined.catch(() => {});
  const asked = performance.now();
  tell('Bob (4.x)', `request_queue: ${JSON.stringify(await bob.emitWithAck('request_queue', { queue: 'listen' }))}`);
  await matched;
  tell('smoke', `matched ${Math.round(performance.now() - asked)} ms after the second one asked`);
  await joined;
}

async function chat(venting, bob, ann) {
  const first = heard(bob, 'send_message_to_client');
  await say(venting, 'It was a long day.');
  const { _id: id, seq } = await first;
  bob.lastSeq = seq;
  const answer = heard(ann, 'send_message_to_client');
  const stored = await bob.emitWithAck('send_message', { content: 'Tell me.', nonce: nonce() });
  bob.lastSeq = stored.data.seq;
  await answer;
  const liked = heard(ann, 'message_liked');
  await bob.emitWithAck('like_message', { message_id: id });
  await liked;
}

async function loseAndComeBack(venting, bob, ann) {
  tell('smoke', 'Bob loses the connection; the library comes back by itself');
  const [gone, back, resumed] = [heard(ann, 'user_disconnected'), heard(ann, 'user_connected'), heard(bob, 'resumed')];
  bob.io.engine.close();
  await gone;
  await say(venting, 'Are you still there?');
  const { messages } = await resumed;
  await back;
  const missed = messages.map(({ content }) => content);
  if (missed.join() !== 'Are you still there?') throw new Error(`missed: ${JSON.stringify(missed)}`);
}

async function leave(venting, ann, bob) {
  const ended = heard(bob, 'room_ended');
  ann.emit('leave_room', venting.secret);
  await ended;
  tell('smoke', 'over');
}

async function say({ secret }, message) {
  tell('Ann (2.3.1)', `POST /messages: ${await postJson(`${here}/messages`, { secret, message, nonce: nonce() })}`);
}

function heard(socket, event) {
  return within(10_000, new Promise((resolve) => socket.once(event, resolve)), () => event);
}

function connected(socket) {
  return socket.connected ? undefined : heard(socket, 'connect');
}

function narrate(name, socket) {
  const deliver = socket.onevent;
  socket.onevent = (packet) => {
    const [event, ...args] = packet.data;
    tell(name, `<- ${event} ${args.map((arg) => JSON.stringify(arg)).join(' ')}`);
    deliver.call(socket, packet);
  };
  socket.on('connect', () => tell(name, 'connected'));
  socket.on('disconnect', (reason) => tell(name, `disconnected: ${reason}`));
  socket.on('connect_error', (error) => tell(name, `cannot connect: ${error.message}`));
}

function tell(name, line) {
  const seconds = ((performance.now() - began) / 1000).toFixed(3).padStart(7);
  console.log(`${seconds}  ${name.padEnd(11)}  ${line}`);
}

function nonce() {
  return randomBytes(8).toString('hex');
}

async function getJson(url) {
  return (await (await fetch(url)).json()).data;
}

async function postJson(url, body) {
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(url, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return text;
}
