// Each library on each transport that it has, with a partner on the other gateway.

import assert from 'node:assert/strict';

import { POLLING, UPGRADE, WEBSOCKET } from '../src/libraries.js';
import { scenario } from '../src/scenario.js';
import { meet, talk, tells } from '../src/together.js';

const TRANSPORTS = { 'polling only': POLLING, 'WebSocket only': WEBSOCKET, 'polling with an upgrade': UPGRADE };
// Polling payloads of 2.x are cut by length in UTF-16 units: beyond the basic plane, composed, a line separator.
const UNICODE = 'Ünïcödé 🙂👩‍👩‍👧 e\u0301 \u2028 \u0000 "quotes" \\ 漢字 ' + '🙃'.repeat(200);

for (const kind of ['Angular', 'React', 'Modern']) {
  for (const [title, transports] of Object.entries(TRANSPORTS)) {
    scenario(`the ${kind} client's library talks by ${title}`, async ({ client, modern }) => {
      const first = client(kind, { on: 0, transports });
      const second = modern({ on: 1 });
      await meet(first, 'talk', second, 'talk');
      if (transports === UPGRADE) await first.upgraded();
      assert.equal(first.transport, transports.at(-1));
      await talk(first, second);
      await tells(first, second, UNICODE);
      await tells(second, first, UNICODE);
      await second.likes((await tells(first, second, 'one to like'))._id);
      await first.inbox.next('message_liked');
    });
  }
}

scenario('several events in one polling answer arrive whole and in order', async ({ angular, modern }) => {
  const poller = angular({ transports: POLLING });
  const writer = modern({ on: 1 });
  await meet(poller, 'vent', writer, 'listen');
  const contents = Array.from({ length: 30 }, (_, number) => `${number} ${UNICODE}`);
  await Promise.all(contents.map((content) => writer.says(content)));
  for (const content of contents) assert.equal((await poller.hears()).content, content);
});
