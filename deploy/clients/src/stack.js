// The running system: taken from TALK_URLS, or started with the project's own runner and stopped again.
// TALK_LOCAL names the runner's binary when it is not where cargo puts it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { until, within } from './deadline.js';

const RUNNER = process.env.TALK_LOCAL ?? fileURLToPath(new URL('../../../target/debug/local', import.meta.url));
const READY_WITHIN = 180_000; // the first start on a machine fetches its servers
const STOPPED_WITHIN = 30_000;

/** `{ gateways, stop }`: base URLs, and what ends the system if this started it. */
export async function stack() {
  const urls = process.env.TALK_URLS?.split(',').map((url) => url.trim()).filter(Boolean);
  if (urls?.length) return { gateways: urls, stop: async () => {} };
  return ownStack();
}

/**
 * One that no other test uses, whose processes may be killed: with `health` URLs and `pids` by name. What was killed is
 * started again, with a pid that is not told.
 */
export async function ownStack(gateways = 2) {
  const folder = await mkdtemp(join(tmpdir(), 'talk-clients-'));
  const ready = join(folder, 'ready.json');
  const log = await open(join(folder, 'log'), 'w');
  const args = ['--no-page', '--gateways', String(gateways), '--chat-stores', '3', '--port', '0', '--ready-file', ready];
  const runner = spawn(RUNNER, args, { stdio: ['ignore', log.fd, log.fd] });
  const stop = async () => {
    if (runner.exitCode === null && runner.signalCode === null) {
      runner.kill('SIGTERM');
      await within(STOPPED_WITHIN, once(runner, 'exit'), () => 'the runner stops');
    }
    await log.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await systemOf(runner, ready)), stop };
  } catch (error) {
    const lines = await readFile(join(folder, 'log'), 'utf8');
    await stop();
    throw new Error(`${error.message}\n${lines.split('\n').slice(-30).join('\n')}`);
  }
}

async function systemOf(runner, ready) {
  const failed = new Promise((_, reject) => {
    runner.once('error', (error) => reject(new Error(`${RUNNER} does not start: ${error.message}`)));
    runner.once('exit', (code) => reject(new Error(`${RUNNER} ended with ${code} before it was ready`)));
  });
  failed.catch(() => {}); // an end later on is not an error of the start
  const read = until(READY_WITHIN, () => readJson(ready), `${RUNNER} is ready`);
  return Promise.race([read, failed]);
}

async function readJson(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined; // not there yet, or half written
  }
}
