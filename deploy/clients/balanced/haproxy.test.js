// `npm run balanced`: every library on every transport through the haproxy of deploy/haproxy, with three gateways
// behind it, one of which is drained, and one killed.

import assert from 'node:assert/strict';
import http from 'node:http';

import { isReady } from '../src/balancer.js';
import { CookieAgent } from '../src/cookies.js';
import { until } from '../src/deadline.js';
import { behindHaproxy } from '../src/haproxy.js';
import { exchange } from '../src/http.js';
import { POLLING, UPGRADE, WEBSOCKET } from '../src/libraries.js';
import { scenario } from '../src/scenario.js';
import { caughtUp, fiveInOrder, meet, resumed, talk, tells } from '../src/together.js';

const KINDS = ['Angular', 'React', 'Modern'];
const WAYS = { 'polling only': POLLING, 'polling with an upgrade': UPGRADE, 'WebSocket only': WEBSOCKET };
const GRACE = 5_000;
const COOKIE = 'GWID';

// What one address may ask for is far above what all these people together do, except for the flood.
process.env.REQUESTS_PER_SECOND_PER_ADDRESS = '40';
process.env.TRUSTED_PROXIES = '127.0.0.1/32';
const options = { timeout: 120_000, start: behindHaproxy };

for (const kind of KINDS) {
  for (const [title, transports] of Object.entries(WAYS)) {
    scenario(`the ${kind} client's library talks by ${title} through haproxy`, async ({ client, system }) => {
      const through = (name, ways) => client(name, { on: system.url, transports: ways, agent: new CookieAgent() });
      const [first, second] = [through(kind, transports), through('Modern', WEBSOCKET)];
      await meet(first, 'talk', second, 'talk');
      if (transports === UPGRADE) await first.upgraded();
      assert.equal(first.transport, transports.at(-1));
      await talk(first, second);
      await second.likes((await tells(first, second, 'one to like'))._id);
      await first.inbox.next('message_liked');
      assert.match(first.agent.get(COOKIE), /^gateway-[123]$/);
      await first.leaves();
      await second.inbox.next('user_disconnected');
    }, options);
  }
}

scenario('five parallel POSTs arrive in order through haproxy', async ({ client, system }) => {
  const [speaker, listener] = ['Angular', 'Modern'].map((kind) => client(kind, { on: system.url, transports: WEBSOCKET }));
  await meet(speaker, 'talk', listener, 'talk');
  for (let round = 0; round < 10; round += 1) await fiveInOrder(speaker, listener, round);
}, options);

scenario('polling reaches its gateway by the cookie, and without it another one', async ({ system }) => {
  const statuses = async (agent, keep) => {
    const open = await poll(agent, system.url, '');
    const { sid } = JSON.parse(open.text.slice(1));
    const all = [];
    for (const said of ['40', ...Array(5).fill('42["no such event"]')]) {
      all.push((await poll(keep ? agent : new http.Agent(), system.url, sid, said)).status);
    }
    return all;
  };
  assert.deepEqual(await statuses(new CookieAgent(), true), [200, 200, 200, 200, 200, 200]);
  assert.ok((await statuses(new http.Agent(), false)).includes(400));
}, options);

/** A handshake, or what is said on the session that it made. */
function poll(agent, url, sid, body) {
  const to = `${url}/socket.io/?EIO=4&transport=polling`;
  return (sid ? exchange(agent, 'POST', `${to}&sid=${sid}`, { body }) : exchange(agent, 'GET', to)).answer;
}

scenario('a flood is refused by its own address, whatever it claims, and nobody else is', async ({ system }) => {
  const from = async (address, claimed) => {
    const agent = new http.Agent({ localAddress: address });
    const headers = { 'x-forwarded-for': claimed };
    return (await exchange(agent, 'GET', `${system.url}/auth`, { headers }).answer).status;
  };
  const flood = async (round) =>
    (await Promise.all(Array.from({ length: 50 }, (_, n) => from('127.0.0.2', `198.51.100.${(round * 50 + n) % 256}`)))).includes(429);
  let refused = false;
  for (let round = 0; round < 100 && !refused; round += 1) refused = await flood(round);
  assert.ok(refused, 'a flood is refused');
  const others = await Promise.all(Array.from({ length: 6 }, () => from('127.0.0.3', '127.0.0.2')));
  assert.deepEqual(others, others.map(() => 200));
}, options);

/** One of each kind for each way to travel, all on this gateway, with partners on another that stays. */
async function converse({ client, modern, system }, gateway, partnersAt) {
  const pairs = [];
  for (const kind of KINDS) {
    for (const transports of Object.values(WAYS)) {
      const leaver = client(kind, { on: system.url, transports, agent: new CookieAgent({ [COOKIE]: gateway }) });
      const partner = modern({ on: partnersAt });
      await meet(leaver, 'talk', partner, 'talk');
      if (transports === UPGRADE) await leaver.upgraded();
      await talk(leaver, partner);
      assert.equal(leaver.agent.get(COOKIE), gateway, 'haproxy honours the cookie');
      pairs.push({ leaver, partner });
    }
  }
  for (const pair of pairs) Object.assign(pair, { before: pair.leaver.inbox.now(), seen: pair.partner.inbox.now() });
  return pairs;
}

scenario('a gateway that drains behind haproxy is noticed by nobody’s partner', async (people) => {
  const pairs = await converse(people, 'gateway-1', 1);
  process.kill(people.system.pids['gateway-1'], 'SIGTERM');
  await Promise.all(pairs.map(async ({ leaver, before }) => {
    const lost = await leaver.inbox.next('disconnect', { after: before, ms: 15_000 });
    await leaver.inbox.next('connect', { after: lost, ms: GRACE });
    leaver.saysHello?.(); // what the front-end does once it knows that it was away
  }));
  for (const { leaver, partner, seen } of pairs) {
    await talk(leaver, partner);
    const told = partner.inbox.entries.filter(({ name, index }) => /^user_/.test(name) && index > seen.index);
    assert.deepEqual(told.map(({ name }) => name), [], `${partner.name} hears nothing of ${leaver.name}`);
  }
  // Those who come last find it started again.
  assert.ok(pairs.some(({ leaver }) => leaver.agent.get(COOKIE) !== 'gateway-1'), 'others take them in');
}, options);

scenario('who is on a gateway that is killed behind haproxy goes on at another', async (people) => {
  await until(60_000, () => isReady(people.system.health['gateway-1']), 'gateway-1 is back');
  const pairs = await converse(people, 'gateway-2', 2);
  process.kill(people.system.pids['gateway-2'], 'SIGKILL');
  await Promise.all(pairs.map(async ({ leaver, partner, before }) => {
    await leaver.inbox.next('disconnect', { after: before, ms: 15_000 });
    const missed = [await partner.says('one'), await partner.says('two')];
    const back = await leaver.inbox.next('connect', { after: before, ms: 15_000 });
    leaver.saysHello?.();
    if (leaver.resumes) await resumed(leaver, back, missed);
    else await caughtUp(leaver, back, missed);
    await talk(leaver, partner);
  }));
}, options);
