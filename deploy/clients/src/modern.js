// A current client: socket.io-client 4.x, everything over the socket, each ack the REST envelope.
// The handshake's auth carries the secret and the last sequence seen, so coming back needs nothing else.

import assert from 'node:assert/strict';

import { newNonce } from './angular.js';
import { Client } from './client.js';
import { io4, WEBSOCKET } from './libraries.js';
import { ackEnvelope } from './shapes.js';

const ACK_WITHIN = 7_000; // the server gives up after 5 s and says so

export class ModernClient extends Client {
  static kind = 'Modern';
  static queues = ['vent', 'listen', 'talk'];
  /** The last sequence seen in the room; nothing while it knows of no room. */
  lastSeq = undefined;

  constructor(options) {
    super({ transports: WEBSOCKET, ...options });
  }

  /** Gets a secret and connects with it; resolves with the first `resumed`. */
  async start() {
    const { status, body } = await this.rest.get('/auth');
    assert.equal(status, 200, `GET /auth: ${body.error}`);
    this.becomes(body.data.user_id, body.data.secret);
    return this.connects();
  }

  /** Connects with the secret it has, at `url` if that is another gateway than before. */
  async connects(url = this.socketUrl) {
    const before = this.inbox.now();
    this.opens(url);
    return this.resumes({ after: before });
  }

  opens(url = this.socketUrl) {
    this.socketUrl = url;
    this.connectWith(io4, { auth: (give) => give({ secret: this.secret, last_seq: this.lastSeq }) });
    this.socket.on('queue_complete', () => this.#saw(0));
    this.socket.on('send_message_to_client', ({ seq }) => this.#saw(seq));
    this.socket.on('resumed', ({ messages = [] }) => messages.forEach(({ seq }) => this.#saw(seq)));
    this.socket.on('room_ended', () => (this.lastSeq = undefined));
  }

  /** Waits for the snapshot that follows every connect. */
  async resumes(options) {
    const { args } = await this.inbox.next('resumed', options);
    return args[0];
  }

  /** Comes back after a lost connection and resolves with the snapshot. */
  async resumesConnection() {
    const before = this.inbox.now();
    await this.comesBack();
    return this.resumes({ after: before });
  }

  /** Emits with an ack and resolves with its envelope, good or bad. */
  async asks(event, ...args) {
    const answer = await this.socket.timeout(ACK_WITHIN).emitWithAck(event, ...args);
    this.inbox.put(`ack of ${event}`, answer);
    return ackEnvelope(answer, event);
  }

  async enters(queue) {
    if (!this.socket) await this.start();
    const answer = await this.asks('request_queue', { queue });
    assert.deepEqual(answer, { success: true, data: { queue } });
  }

  async says(content, nonce = newNonce()) {
    const message = this.#good(await this.asks('send_message', { content, nonce }), 'send_message');
    this.#saw(message.seq);
    return message;
  }

  async likes(messageId) {
    this.#good(await this.asks('like_message', { message_id: messageId }), 'like_message');
  }

  async types(typing) {
    this.#good(await this.asks('typing', { typing }), 'typing');
  }

  async leaves() {
    this.#good(await this.asks('leave_room'), 'leave_room');
    this.lastSeq = undefined;
  }

  #good(answer, event) {
    assert.ok(answer.success, `${event}: ${answer.error}`);
    return answer.data;
  }

  #saw(seq) {
    this.lastSeq = Math.max(this.lastSeq ?? 0, seq);
  }
}
