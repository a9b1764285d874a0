// What a load balancer does that keeps people together: new connections go to one gateway while its /readyz is
// green, and then to the next one, also when the first is back. A polling client is at one gateway by that.

import { once } from 'node:events';
import net from 'node:net';

export class Balancer {
  #gateways;
  #server = net.createServer((client) => this.#pass(client));
  #open = new Set();

  /** `gateways` are `{ url, health }`, the first one first; without `health` one counts as ready. */
  constructor(gateways) {
    this.#gateways = [...gateways];
  }

  /** Resolves with the URL at which it listens. */
  async listens() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Everybody's network breaks, without a word of any protocol; whoever comes back is at the next gateway. */
  moves() {
    this.#gateways.shift();
    this.#cut();
  }

  close() {
    this.#server.close();
    this.#cut();
  }

  #cut() {
    for (const socket of this.#open) socket.destroy();
  }

  async #pass(client) {
    this.#keep(client);
    const url = await this.#ready();
    if (!url || client.destroyed) return client.destroy();
    const gateway = net.connect(new URL(url).port, '127.0.0.1');
    this.#keep(gateway);
    client.on('close', () => gateway.destroy()).pipe(gateway);
    gateway.on('close', () => client.destroy()).pipe(client);
  }

  #keep(socket) {
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket)).on('error', () => {}); // the other side is told by `close`
  }

  async #ready() {
    while (this.#gateways.length > 0) {
      const [first] = this.#gateways;
      if (!first.health || (await isReady(first.health))) return first.url;
      if (this.#gateways[0] === first) this.#gateways.shift();
    }
    return undefined;
  }
}

/** Whether a service takes new work. */
export async function isReady(health) {
  try {
    const answer = await fetch(`${health}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return answer.status === 200;
  } catch {
    return false; // it is not there
  }
}

/** Runs `body` with the URL of a balancer, and the balancer. */
export async function balanced(gateways, body) {
  const balancer = new Balancer(gateways);
  try {
    await body(await balancer.listens(), balancer);
  } finally {
    balancer.close();
  }
}
