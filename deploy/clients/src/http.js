// HTTP as a browser page at some origin uses it: kept-alive connections, six to a host, an Origin header.
// `exchange` is one request and its raw answer; `Rest` adds the envelope that every REST answer has.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';

import { within } from './deadline.js';
import { envelope } from './shapes.js';

const ANSWER_WITHIN = 10_000;

/** Starts a request. `sent` resolves when its last byte is with the operating system, `answer` when all is back. */
export function exchange(agent, method, url, { headers = {}, body = '' } = {}) {
  const length = method === 'GET' || method === 'OPTIONS' ? {} : { 'content-length': Buffer.byteLength(body) };
  const request = http.request(url, { method, agent, headers: { ...length, ...headers } });
  const answer = new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
  });
  const sent = Promise.race([once(request, 'finish'), answer]);
  sent.catch(() => {}); // told by `answer`
  request.end(body);
  return { sent, answer: within(ANSWER_WITHIN, answer, () => `the answer to ${method} ${url}`) };
}

export class Rest {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 6 });

  constructor(base, origin) {
    this.base = base;
    this.origin = origin;
  }

  get(path) {
    return this.send('GET', path).answer;
  }

  post(path, json) {
    return this.postJson(path, json).answer;
  }

  /** As `post`, for who has to know when the request was sent off. */
  postJson(path, json) {
    return this.send('POST', path, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) });
  }

  /** As axios posts nothing: Content-Length 0 and no Content-Type. */
  postNothing(path) {
    return this.send('POST', path).answer;
  }

  send(method, path, { headers = {}, body } = {}) {
    const url = new URL(path, this.base);
    const { sent, answer } = exchange(this.#agent, method, url, { headers: { origin: this.origin, ...headers }, body });
    return { sent, answer: answer.then((raw) => this.#read(`${method} ${path}`, raw)) };
  }

  close() {
    this.#agent.destroy();
  }

  // A browser does not let the page see an answer that does not name its origin.
  #read(call, { status, headers, text }) {
    assert.equal(headers['access-control-allow-origin'], this.origin, `${call} (${status}) allows the origin`);
    assert.equal(headers['access-control-allow-credentials'], 'true', `${call} (${status}) allows credentials`);
    assert.match(headers['content-type'] ?? '', /^application\/json\b/, `${call} (${status}) is JSON: ${text}`);
    return { status, headers, body: envelope(JSON.parse(text), call) };
  }
}
