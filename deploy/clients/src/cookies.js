// Cookies as a browser keeps them for a page, for libraries that have none in Node: an agent that all requests of one
// client go through, polling and WebSocket alike.

import http from 'node:http';

export class CookieAgent extends http.Agent {
  #jar;

  /** With the cookies of an earlier visit, `{ name: value }`. */
  constructor(cookies = {}) {
    // A connection for each request: what stands in for XMLHttpRequest in Node sends a request again that broke off on
    // an older connection, and forgets to end it.
    super({ keepAlive: false });
    this.#jar = new Map(Object.entries(cookies));
  }

  get(name) {
    return this.#jar.get(name);
  }

  /** Called by Node for every request, before its headers are sent. */
  addRequest(request, ...rest) {
    if (this.#jar.size > 0) request.setHeader('Cookie', [...this.#jar].map((pair) => pair.join('=')).join('; '));
    request.prependListener('response', (response) => this.#keep(response));
    request.prependListener('upgrade', (response) => this.#keep(response));
    super.addRequest(request, ...rest);
  }

  #keep({ headers }) {
    for (const line of headers['set-cookie'] ?? []) {
      const [name, value] = line.split(';', 1)[0].split('=');
      this.#jar.set(name.trim(), value);
    }
  }
}
