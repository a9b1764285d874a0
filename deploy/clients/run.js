// `npm test`: one system for all test files, which run one after the other, since its queues are one for all.
// Arguments go to `node --test`, for instance the name of a single file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { stack } from './src/stack.js';

const { gateways, stop } = await stack();
const tests = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...process.argv.slice(2)], {
  cwd: import.meta.dirname,
  env: { ...process.env, TALK_URLS: gateways.join(',') },
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
const [code] = await once(tests, 'exit');
await stop();
process.exitCode = code ?? 1;
