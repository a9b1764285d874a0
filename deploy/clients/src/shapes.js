// The shapes of CLIENTS-facing data, field by field: names, types, and nothing beside them.
// `seq` is the one documented addition to what the first two front-ends know.

import assert from 'node:assert/strict';

const MESSAGE = ['_id', 'author', 'content', 'liked', 'nonce', 'room_id', 'seq', 'timestamp'];
const ARRIVED = [...MESSAGE, 'incoming', 'message_id'].sort();
const QUEUES = ['listen', 'talk', 'vent'];

/** `{success, data?, error?}`: an error with a text when it failed, none when it did not. */
export function envelope(value, call, further = []) {
  const known = ['success', 'data', 'error', ...further];
  assert.deepEqual(Object.keys(value).filter((field) => !known.includes(field)), [], `${call}: envelope`);
  assert.equal(typeof value.success, 'boolean', `${call}: success`);
  if (value.success) assert.equal(value.error, undefined, `${call}: no error with success`);
  else assert.ok(isText(value.error), `${call}: an error has a text`);
  return value;
}

/** The envelope of an acknowledgement. It has no status and no headers, so an error brings a code, and when to retry. */
export function ackEnvelope(value, event) {
  envelope(value, event, value.success ? [] : ['code', 'retry_after_ms']);
  assert.ok(value.success || isText(value.code), `${event}: an error has a code`);
  return value;
}

export function newUser(value) {
  fieldsOf(value, ['queueType', 'room', 'secret', 'sid', 'time', 'user_id']);
  assert.ok(isText(value.user_id), 'user_id');
  assert.ok(isText(value.secret), 'secret');
  assert.equal(value.queueType, 'idle');
  assert.equal(value.room, 'lonely');
  assert.equal(value.sid, null);
  seconds(value.time, 'time');
}

export function queuedUser(value) {
  fieldsOf(value, ['id', 'secret']);
  assert.ok(isText(value.id), 'id');
  assert.ok(isText(value.secret), 'secret');
}

/** A message as its sender gets it back. `expected` are the fields whose values the caller knows. */
export function storedMessage(value, expected = {}) {
  fieldsOf(value, MESSAGE);
  messageFields(value, expected);
}

/** A message as the partner's socket gets it. */
export function arrivedMessage(value, expected = {}) {
  fieldsOf(value, ARRIVED);
  messageFields(value, expected);
  assert.equal(value.incoming, true);
  assert.equal(value.message_id, value.nonce, 'message_id is the nonce');
}

function messageFields(value, expected) {
  for (const field of ['_id', 'room_id', 'author', 'nonce']) assert.ok(isText(value[field]), field);
  assert.equal(typeof value.content, 'string');
  assert.equal(typeof value.liked, 'boolean');
  assert.ok(Number.isInteger(value.seq) && value.seq >= 1, `seq is 1, 2, 3…: ${value.seq}`);
  seconds(value.timestamp, 'timestamp');
  for (const [field, wanted] of Object.entries(expected)) assert.deepEqual(value[field], wanted, field);
}

export function liked(value, expected = {}) {
  fieldsOf(value, ['message_id', 'user_id']);
  for (const field of ['message_id', 'user_id']) assert.ok(isText(value[field]), field);
  for (const [field, wanted] of Object.entries(expected)) assert.equal(value[field], wanted, field);
}

export function queueStatus(value) {
  fieldsOf(value, ['queue', 'waited_ms', 'waiting']);
  assert.ok(QUEUES.includes(value.queue), `queue: ${value.queue}`);
  assert.ok(Number.isInteger(value.waited_ms) && value.waited_ms >= 0, `waited_ms: ${value.waited_ms}`);
  fieldsOf(value.waiting, QUEUES);
  for (const count of Object.values(value.waiting)) assert.ok(Number.isInteger(count) && count >= 0);
}

export function queueChanged(value) {
  fieldsOf(value, ['from', 'to']);
  assert.ok(QUEUES.includes(value.from), `from: ${value.from}`);
  assert.equal(value.to, 'talk');
}

export function queueReturned(value) {
  fieldsOf(value, ['queue', 'waited_ms']);
  assert.ok(QUEUES.includes(value.queue), `queue: ${value.queue}`);
  assert.ok(Number.isInteger(value.waited_ms) && value.waited_ms >= 0, `waited_ms: ${value.waited_ms}`);
}

export function resumed(value, expected = {}) {
  const known = ['last_seq', 'messages', 'partner_connected', 'queue', 'room_id', 'state', 'user_id', 'waited_ms'];
  assert.deepEqual(Object.keys(value).filter((field) => !known.includes(field)), [], 'fields of resumed');
  assert.ok(['idle', 'waiting', 'room', 'over'].includes(value.state), `state: ${value.state}`);
  assert.ok(isText(value.user_id), 'user_id');
  if (value.state === 'waiting') {
    assert.ok(QUEUES.includes(value.queue), `queue: ${value.queue}`);
    assert.ok(Number.isInteger(value.waited_ms) && value.waited_ms >= 0, `waited_ms: ${value.waited_ms}`);
  }
  if (value.state === 'room') resumedRoom(value);
  for (const [field, wanted] of Object.entries(expected)) assert.deepEqual(value[field], wanted, field);
}

// "Each as in send_message_to_client": one's own messages are among them, so `incoming` tells them apart.
function resumedRoom(value) {
  assert.ok(isText(value.room_id), 'room_id');
  assert.equal(typeof value.partner_connected, 'boolean', 'partner_connected');
  assert.ok(Number.isInteger(value.last_seq) && value.last_seq >= 0, `last_seq: ${value.last_seq}`);
  assert.ok(Array.isArray(value.messages), 'messages');
  for (const message of value.messages) {
    fieldsOf(message, ARRIVED);
    messageFields(message, { room_id: value.room_id, message_id: message.nonce });
    assert.equal(message.incoming, message.author !== value.user_id, 'incoming is what the partner wrote');
  }
}

export function roomEnded(value) {
  fieldsOf(value, ['reason']);
  assert.ok(isText(value.reason), 'reason');
}

/** Seconds since 1970 as a float: not milliseconds, not a string, not minutes away. */
function seconds(value, field) {
  assert.equal(typeof value, 'number', `${field} is a number`);
  assert.ok(Math.abs(value - Date.now() / 1000) < 300, `${field} is in seconds: ${value}`);
}

function fieldsOf(value, fields) {
  assert.ok(value !== null && typeof value === 'object', `an object, not ${value}`);
  assert.deepEqual(Object.keys(value).sort(), fields);
}

function isText(value) {
  return typeof value === 'string' && value.length > 0;
}
