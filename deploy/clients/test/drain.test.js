// A gateway goes, planned or killed, behind a load balancer: every library comes back by itself, at the other one.

import assert from 'node:assert/strict';

import { balanced, isReady } from '../src/balancer.js';
import { until } from '../src/deadline.js';
import { POLLING, UPGRADE, WEBSOCKET } from '../src/libraries.js';
import { scenario } from '../src/scenario.js';
import { ownStack } from '../src/stack.js';
import { caughtUp, meet, resumed, talk } from '../src/together.js';

const GRACE = 5_000;
const WAYS = { polling: POLLING, upgrade: UPGRADE, websocket: WEBSOCKET };
// One of them goes in each scenario.
const options = { timeout: 120_000, start: () => ownStack(3) };

const health = ({ system }, number) => system.health[`gateway-${number}`];
const gateways = (people, ...numbers) =>
  numbers.map((number) => ({ url: people.gateways[number - 1], health: health(people, number) }));

/** `people` of this kind in conversations with partners at a gateway that stays, one for each way to travel. */
async function converse({ client, modern }, kind, url, partnersAt, ways = Object.keys(WAYS)) {
  const pairs = [];
  for (const way of ways) {
    const leaver = client(kind, { on: url, transports: WAYS[way] });
    const partner = modern({ on: partnersAt });
    await meet(leaver, 'talk', partner, 'talk');
    if (way === 'upgrade') await leaver.upgraded();
    pairs.push({ leaver, partner, way, before: leaver.inbox.now(), seen: partner.inbox.now() });
  }
  return pairs;
}

const told = (partner, seen) =>
  partner.inbox.entries.filter(({ name, index }) => /^user_/.test(name) && index > seen.index).map(({ name }) => name);

scenario('everybody on a drained gateway is let go one after the other and nobody’s partner notices', async (people) => {
  await balanced(gateways(people, 1, 2), async (url) => {
    const pairs = [];
    for (const kind of ['Angular', 'React', 'Modern']) pairs.push(...(await converse(people, kind, url, 1)));
    const ready = until(2_000, async () => !(await isReady(health(people, 1))), '/readyz is red');
    process.kill(people.system.pids['gateway-1'], 'SIGTERM');
    await ready;

    const losses = [];
    for (const { leaver, before } of pairs) {
      const lost = await leaver.inbox.next('disconnect', { after: before, ms: 10_000 });
      assert.match(lost.args[0], /^transport /, `${leaver.name}: ${lost.args[0]}`);
      losses.push(lost.at);
      await leaver.inbox.next('connect', { after: lost, ms: GRACE });
      // The real one says nothing here, and is not known then; see the next test.
      if (leaver.saysHello) leaver.saysHello();
    }
    losses.sort((one, other) => one - other);
    const gaps = losses.slice(1).map((at, index) => at - losses[index]);
    assert.ok(losses.at(-1) - losses[0] > 1_000, `let go within ${losses.at(-1) - losses[0]} ms`);
    assert.ok(gaps.filter((gap) => gap > 100).length >= gaps.length - 2, `one after the other: ${gaps.map(Math.round)}`);

    for (const { leaver, partner, seen } of pairs) {
      await talk(leaver, partner);
      assert.deepEqual(told(partner, seen), [], `${partner.name} hears nothing of ${leaver.name}`);
    }
  });
}, options);

scenario('a drained client that says nothing afterwards is missed after 5 s, and not before', async (people) => {
  await balanced(gateways(people, 2, 3), async (url) => {
    const [{ leaver, partner, before, seen }] = await converse(people, 'Angular', url, 2, ['upgrade']);
    process.kill(people.system.pids['gateway-2'], 'SIGTERM');
    const lost = await leaver.inbox.next('disconnect', { after: before, ms: 10_000 });
    const { at } = await partner.inbox.next('user_disconnected', { after: seen, ms: 15_000 });
    assert.ok(at - lost.at > GRACE - 500, `told after ${Math.round(at - lost.at)} ms`);
  });
}, options);

scenario('a killed gateway costs nobody the conversation, nor what was said meanwhile', async (people) => {
  for (const number of [1, 2]) await until(30_000, () => isReady(health(people, number)), `gateway-${number} is back`);
  await balanced(gateways(people, 3, 1), async (url) => {
    const pairs = [];
    for (const kind of ['Angular', 'React', 'Modern']) pairs.push(...(await converse(people, kind, url, 1)));
    for (const { leaver, partner } of pairs) await talk(leaver, partner);
    for (const pair of pairs) pair.before = pair.leaver.inbox.now();
    process.kill(people.system.pids['gateway-3'], 'SIGKILL');

    await Promise.all(pairs.map(async ({ leaver, partner, before }) => {
      await leaver.inbox.next('disconnect', { after: before });
      const missed = [await partner.says('one'), await partner.says('two')];
      const back = await leaver.inbox.next('connect', { after: before, ms: 10_000 });
      if (leaver.saysHello) leaver.saysHello();
      if (leaver.resumes) await resumed(leaver, back, missed);
      else await caughtUp(leaver, back, missed);
      await talk(leaver, partner);
    }));
  });
}, options);
