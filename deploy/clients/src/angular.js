// The Angular client of 2020: socket.io-client 2.3.1, polling first, REST with its secret in every body.
// It takes `queue_complete` for its own only after POST /queue was answered, and a listener more for every chat.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

import { Client } from './client.js';
import { io231, UPGRADE } from './libraries.js';

export class AngularClient extends Client {
  static kind = 'Angular';
  static queues = ['vent', 'listen', 'talk'];

  constructor(options) {
    super({ transports: UPGRADE, ...options });
  }

  /** Home: a new user for this page; the socket, which stays, says hello for it. */
  async start() {
    if (!this.socket) this.connectWith(io231);
    const { status, body } = await this.rest.get('/auth');
    assert.equal(status, 200, `GET /auth: ${body.error}`);
    this.becomes(body.data.user_id, body.data.secret);
    this.saysHello();
    return body.data;
  }

  saysHello() {
    this.socket.emit('hello', this.secret);
  }

  async requestsQueue(queueType) {
    const answer = await this.rest.post('/queue', { secret: this.secret, queueType });
    this.inbox.put('POST /queue', answer);
    if (answer.body.success) this.socket.on('queue_complete', () => this.joinsRoom());
    return answer;
  }

  /** From the start page into a queue. */
  async enters(queueType) {
    if (!this.secret) await this.start();
    const { status, body } = await this.requestsQueue(queueType);
    assert.equal(status, 200, `POST /queue ${queueType}: ${body.error}`);
  }

  joinsRoom() {
    this.socket.emit('join_room', this.secret);
  }

  posts(message, nonce = newNonce()) {
    return this.rest.postJson('/messages', { secret: this.secret, message, nonce });
  }

  async says(message, nonce) {
    const { status, body } = await this.posts(message, nonce).answer;
    assert.equal(status, 201, `POST /messages: ${body.error}`);
    return body.data;
  }

  async likes(messageId) {
    const { status, body } = await this.rest.post('/likes', { secret: this.secret, message_id: messageId });
    assert.equal(status, 200, `POST /likes: ${body.error}`);
  }

  leaves() {
    this.socket.emit('leave_room', this.secret);
  }
}

/** 16 alphanumerics. */
export function newNonce() {
  return randomBytes(8).toString('hex');
}
