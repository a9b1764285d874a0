// The React client of 2023: socket.io-client 2.5.0, WebSocket only, always in the talk queue.
// POST /queue makes the user and queues it in one step; the socket comes after, and leaves by a namespace disconnect.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { Client } from './client.js';
import { io250, WEBSOCKET } from './libraries.js';

export class ReactClient extends Client {
  static kind = 'React';
  static queues = ['talk'];

  constructor(options) {
    super({ transports: WEBSOCKET, ...options });
  }

  async requestsQueue() {
    const answer = await this.rest.postNothing('/queue');
    this.inbox.put('POST /queue', answer);
    const { status, body } = answer;
    assert.equal(status, 200, `POST /queue: ${body.error}`);
    this.becomes(body.data.id, body.data.secret);
    return answer;
  }

  /** Opens the socket; it registers at every connect, so after a lost connection too. */
  connects() {
    this.connectWith(io250);
    this.socket.on('connect', () => this.registers());
    this.socket.on('queue_complete', () => this.joinsRoom());
  }

  async enters(queueType) {
    assert.equal(queueType, 'talk', 'the React client knows the talk queue only');
    await this.requestsQueue();
    this.connects();
  }

  registers() {
    this.socket.emit('register_sid', this.secret);
  }

  joinsRoom() {
    this.socket.emit('join_room', this.secret);
  }

  posts(content, messageId = randomUUID()) {
    const { userId, secret } = this;
    return this.rest.postJson('/messages', { message_id: messageId, user_id: userId, secret, content });
  }

  async says(content, messageId) {
    const { status, body } = await this.posts(content, messageId).answer;
    assert.equal(status, 201, `POST /messages: ${body.error}`);
    return body.data;
  }

  async types(typing) {
    const answer = await this.rest.post('/typing', { user_id: this.userId, secret: this.secret, typing });
    assert.equal(answer.status, 201, `POST /typing: ${answer.body.error}`);
    return answer;
  }

  async likes(messageId) {
    const { status, body } = await this.rest.post('/likes', { secret: this.secret, message_id: messageId });
    assert.equal(status, 200, `POST /likes: ${body.error}`);
  }

  /** The back arrow. */
  leaves() {
    this.disconnectsNamespace();
  }
}
