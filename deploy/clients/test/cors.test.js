// What a browser asks of another origin before it lets a page see anything: REST, preflights and polling.

import assert from 'node:assert/strict';
import http from 'node:http';

import { exchange } from '../src/http.js';
import { scenario } from '../src/scenario.js';

const ORIGINS = ['http://localhost:4200', 'http://localhost:3000', 'https://talk.example'];
const ROUTES = [
  ['GET', '/auth'],
  ['POST', '/queue'],
  ['POST', '/messages'],
  ['POST', '/likes'],
  ['POST', '/typing'],
];
const ADMIN_ROUTES = [
  ['POST', '/admin/auth'],
  ['GET', '/admin/reports'],
  ['POST', '/admin/banuser'],
];
const ASKED = ['content-type', 'authorization', 'authorization,content-type'];

scenario('preflights for content-type, authorization and both are granted', async ({ gateways }) => {
  for (const [method, path] of [...ROUTES, ...ADMIN_ROUTES, ['POST', '/socket.io/?EIO=3&transport=polling']]) {
    for (const asked of ASKED) for (const origin of ORIGINS) await preflight(gateways[0], method, path, asked, origin);
  }
});

async function preflight(gateway, method, path, asked, origin) {
  const { status, headers } = await ask('OPTIONS', new URL(path, gateway), {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': asked,
  });
  const what = `preflight of ${method} ${path} for ${asked}: ${status} ${JSON.stringify(headers)}`;
  assert.ok(status === 200 || status === 204, what);
  allows(headers, origin, what);
  const methods = list(headers['access-control-allow-methods']);
  assert.ok(methods.includes(method.toLowerCase()), what); // '*' counts for nothing with credentials
  for (const header of asked.split(',')) assert.ok(list(headers['access-control-allow-headers']).includes(header), what);
}

scenario('every REST answer names the origin that asked, good or bad', async ({ gateways }) => {
  for (const gateway of gateways) {
    for (const origin of ORIGINS) {
      for (const [method, path] of [...ROUTES, ['GET', '/queue'], ['GET', '/nowhere'], ['DELETE', '/auth']]) {
        const { status, headers } = await ask(method, new URL(path, gateway), { origin, 'content-type': 'application/json' }, '{');
        allows(headers, origin, `${method} ${path}: ${status}`);
      }
    }
  }
});

/** A POST that is right after the open packet: an Engine.IO 3 payload with a ping, the connect packet in 4. */
const HELLO = { 3: '1:2', 4: '40' };

for (const version of [3, 4]) {
  scenario(`polling answers of Engine.IO ${version} name the origin, with credentials`, async ({ gateways }) => {
    for (const origin of ORIGINS) {
      const url = new URL(`/socket.io/?EIO=${version}&transport=polling`, gateways[0]);
      const open = await ask('GET', url, { origin });
      assert.equal(open.status, 200);
      allows(open.headers, origin, 'the open packet');
      const { sid, upgrades } = JSON.parse(open.text.match(/\{.*\}/)[0]);
      assert.deepEqual(upgrades, ['websocket']);
      url.searchParams.set('sid', sid);
      const posted = await ask('POST', url, { origin, 'content-type': 'text/plain;charset=UTF-8' }, HELLO[version]);
      assert.equal(posted.status, 200);
      allows(posted.headers, origin, 'a POST of packets');
      allows((await ask('GET', url, { origin })).headers, origin, 'the connect packet');
    }
  });
}

scenario('polling errors name the origin too', async ({ gateways }) => {
  for (const query of ['EIO=3&transport=polling&sid=unknown', 'EIO=4&transport=polling&sid=unknown', 'EIO=4&transport=pigeon']) {
    const { status, headers } = await ask('GET', new URL(`/socket.io/?${query}`, gateways[0]), { origin: ORIGINS[0] });
    assert.ok(status >= 400 && status < 500, `${query}: ${status}`);
    allows(headers, ORIGINS[0], query);
  }
});

async function ask(method, url, headers, body) {
  return exchange(http.globalAgent, method, url, { headers, body: method === 'POST' ? body : '' }).answer;
}

function allows(headers, origin, what) {
  assert.equal(headers['access-control-allow-origin'], origin, what);
  assert.equal(headers['access-control-allow-credentials'], 'true', what);
}

function list(value = '') {
  return value.toLowerCase().split(',').map((entry) => entry.trim());
}
