// What all three kinds of client have in common: one person with a page, a REST connection and a socket.
// The kinds are in angular.js, react.js and modern.js; each does on the wire exactly what the real one does.

import { within } from './deadline.js';
import { Rest } from './http.js';
import { Inbox } from './inbox.js';

export class Client {
  /**
   * `rest` and `socket` are base URLs of gateways, which may be two different ones. All that the library asks for
   * goes through `agent`, if there is one.
   */
  constructor({ name, rest, socket, transports, agent, origin = 'http://localhost:4200' }) {
    this.name = name;
    this.origin = origin;
    this.socketUrl = socket;
    this.transports = transports;
    this.agent = agent;
    this.inbox = new Inbox(name);
    this.rest = new Rest(rest, origin);
    /** Every secret this client ever had, newest last: whoever tidies up needs them. */
    this.secrets = [];
    this.userIds = [];
    /** Which of the messages it heard had come on an earlier connection. */
    this.toldAgain = [];
  }

  get secret() {
    return this.secrets.at(-1);
  }

  get userId() {
    return this.userIds.at(-1);
  }

  becomes(userId, secret) {
    this.userIds.push(userId);
    this.secrets.push(secret);
  }

  connectWith(io, options = {}) {
    this.socket = io(this.socketUrl, {
      forceNew: true,
      transports: this.transports,
      ...(this.agent && { agent: this.agent }),
      extraHeaders: { Origin: this.origin },
      ...options,
    });
    recordEvents(this.socket, this.inbox);
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** Resolves when the library has left polling for WebSocket. */
  upgraded() {
    const engine = this.socket.io.engine;
    if (this.transport === 'websocket') return Promise.resolve();
    const upgrade = new Promise((resolve) => engine.once('upgrade', resolve));
    return within(5_000, upgrade, () => `${this.name} upgrades`);
  }

  /** Waits for the partner's next message. */
  async hears(options) {
    const { args } = await this.inbox.next('send_message_to_client', options);
    return args[0];
  }

  /** The connection breaks, politely, and the library is kept from coming back by itself. */
  async losesConnection() {
    const before = this.inbox.now();
    this.socket.io.reconnection(false);
    this.socket.io.engine.close();
    await this.inbox.next('disconnect', { after: before });
  }

  /** The connection breaks and the library does about it what it does by default. */
  connectionBreaks() {
    this.socket.io.engine.close();
  }

  /** A browser that closes the tab: the page is gone and nobody comes back. */
  closesTab() {
    return this.losesConnection();
  }

  /** A crash, a pulled cable behind a proxy: TCP ends without a WebSocket close frame. */
  async vanishes() {
    const before = this.inbox.now();
    this.socket.io.reconnection(false);
    this.socket.io.engine.transport.ws.terminate();
    await this.inbox.next('disconnect', { after: before });
  }

  /** The library connects again, as after a lost connection. */
  async comesBack() {
    const before = this.inbox.now();
    this.socket.io.reconnection(true);
    this.socket.connect();
    await this.inbox.next('connect', { after: before });
  }

  /** `41`, the namespace disconnect: in the first two front-ends, leaving. */
  disconnectsNamespace() {
    this.socket.disconnect();
  }

  /** Ends everything on this side; what the server thinks of it does not matter any more. */
  close() {
    this.rest.close();
    if (!this.socket) return;
    this.socket.io.reconnection(false);
    this.socket.disconnect();
  }
}

// `onevent` sees every event, known or not, in all three versions; `onAny` came with 3.x.
function recordEvents(socket, inbox) {
  const deliver = socket.onevent;
  socket.onevent = (packet) => {
    const [name, ...args] = packet.data;
    inbox.put(name, ...args);
    deliver.call(socket, packet);
  };
  for (const name of ['connect', 'disconnect', 'connect_error']) {
    socket.on(name, (...args) => inbox.put(name, ...args));
  }
}
