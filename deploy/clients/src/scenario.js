// A test with people in it: gives it clients on the running system, and afterwards checks what always holds
// and says goodbye for everybody, so that nobody is left waiting in the queues, which all tests share.

import { after, test } from 'node:test';

import { AngularClient } from './angular.js';
import { within } from './deadline.js';
import { assertInvariants } from './invariants.js';
import { io4, WEBSOCKET } from './libraries.js';
import { ModernClient } from './modern.js';
import { ReactClient } from './react.js';
import { stack } from './stack.js';

export const KINDS = { Angular: AngularClient, React: ReactClient, Modern: ModernClient };

let running;
after(async () => {
  const system = await running?.catch(() => undefined); // a failed start was told by each test
  await system?.stop();
});

/**
 * `body` gets `{ angular, react, modern, client, gateways, system }`; the functions make people of the three kinds.
 * All scenarios of a file have the system that the first one starts.
 */
export function scenario(name, body, { timeout = 60_000, start = stack } = {}) {
  test(name, { timeout }, async (t) => {
    running ??= start();
    const system = await running;
    const { gateways } = system;
    const people = new People(gateways);
    t.after(() => people.goHome(t));
    await body({
      gateways,
      system,
      client: (kind, options) => people.add(KINDS[kind], options),
      angular: (options) => people.add(AngularClient, options),
      react: (options) => people.add(ReactClient, options),
      modern: (options) => people.add(ModernClient, options),
    });
    people.clients.forEach(assertInvariants);
  });
}

class People {
  clients = [];

  constructor(gateways) {
    this.gateways = gateways;
  }

  /** `on` and `rest` are where the socket and the REST calls go to: the numbers of gateways, or URLs. */
  add(Kind, { on = 0, rest = on, ...options } = {}) {
    const name = `${Kind.kind} ${this.clients.length + 1}`;
    const client = new Kind({ name, socket: this.#gateway(on), rest: this.#gateway(rest), ...options });
    this.clients.push(client);
    return client;
  }

  #gateway(number) {
    if (typeof number === 'string') return number;
    return this.gateways[number % this.gateways.length];
  }

  async goHome(t) {
    for (const { socket } of this.clients) socket?.io.reconnection(false);
    const secrets = this.clients.flatMap((client) => client.secrets);
    const farewells = await Promise.allSettled(secrets.map((secret) => goodbye(this.gateways.at(-1), secret)));
    for (const { reason } of farewells) if (reason) t.diagnostic(`goodbye: ${reason.message}`);
    for (const client of this.clients) client.close();
  }
}

/** Leaves queue or room for whoever has the secret; that they are gone already is fine. */
async function goodbye(url, secret) {
  const socket = io4(url, { auth: { secret }, transports: WEBSOCKET, forceNew: true, reconnection: false });
  const connected = new Promise((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('connect_error', () => resolve(false));
  });
  try {
    if (await within(5_000, connected, () => 'a last connect')) await socket.timeout(5_000).emitWithAck('leave_room');
  } finally {
    socket.disconnect();
  }
}
