// The haproxy of deploy/haproxy in front of three gateways, on a free port.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

import { until } from './deadline.js';
import { ownStack } from './stack.js';

const CONFIGURATION = fileURLToPath(new URL('../../haproxy/haproxy.cfg', import.meta.url));

/** A stack of its own with haproxy in front of it: `url` is where people go. */
export async function behindHaproxy() {
  const system = await ownStack(3);
  try {
    const { url, stop } = await haproxy(system);
    return { ...system, url, stop: () => stop().then(system.stop) };
  } catch (error) {
    await system.stop();
    throw error;
  }
}

async function haproxy({ gateways, health }) {
  const port = await freePort();
  const env = { ...process.env, LISTEN: `127.0.0.1:${port}` };
  gateways.forEach((gateway, index) => {
    env[`GATEWAY_${index + 1}`] = new URL(gateway).host;
    env[`HEALTH_${index + 1}`] = new URL(health[`gateway-${index + 1}`]).port;
  });
  const proxy = spawn('haproxy', ['-db', '-q', '-f', CONFIGURATION], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const stop = async () => {
    if (proxy.exitCode !== null || proxy.signalCode !== null) return;
    proxy.kill('SIGKILL');
    await once(proxy, 'exit');
  };
  const failed = new Promise((_, reject) => {
    proxy.once('error', (error) => reject(new Error(`haproxy does not start: ${error.message}`)));
    proxy.once('exit', (code) => reject(new Error(`haproxy ended with ${code}`)));
  });
  failed.catch(() => {});
  // By name: some clients keep no cookies for numbers.
  const url = `http://localhost:${port}`;
  await Promise.race([until(20_000, () => answers(`${url}/auth`), 'haproxy answers'), failed]);
  return { url, stop };
}

async function answers(url) {
  return fetch(url).then(({ ok }) => ok, () => false);
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
