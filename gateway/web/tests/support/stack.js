// The whole system under the page: the one of TALK_URLS, or one that the local runner brings up.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./until.js";

const RUNNER = fileURLToPath(new URL("../../../../target/debug/local", import.meta.url));
const PAGE = fileURLToPath(new URL("../../dist", import.meta.url));

export async function startStack() {
  const urls = process.env.TALK_URLS?.split(",").filter(Boolean);
  if (urls?.length) return new Stack(urls, null, async () => {});
  const folder = await mkdtemp(join(tmpdir(), "talk-web-"));
  const readyFile = join(folder, "ready.json");
  const runner = run(["--gateways", "2", "--port", "0", "--ready-file", readyFile]);
  const read = async () => JSON.parse(await readFile(readyFile, "utf8").catch(() => "null"));
  await until(async () => runner.failed() || (await read()), "the stack to be ready", 120_000);
  if (runner.failed()) throw new Error(`the stack did not start:\n${runner.log()}`);
  const { gateways, pids } = await read();
  return new Stack(gateways, pids, async () => {
    await runner.stop();
    await rm(folder, { recursive: true, force: true });
  });
}

function run(args) {
  const env = { WEB_DIR: PAGE, ...process.env };
  const child = spawn(process.env.TALK_LOCAL ?? RUNNER, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  let failed = false;
  const gone = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
  child.once("error", (error) => (log += error.message));
  void gone.then(() => (failed = true));
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (log = (log + data).slice(-20_000)));
  const stop = async () => {
    child.kill("SIGTERM");
    await gone;
  };
  return { failed: () => failed, log: () => log, stop };
}

class Stack {
  constructor(urls, pids, stop) {
    this.urls = urls;
    this.stop = stop;
    this.pids = pids;
  }

  /** The address of one gateway; with a single one it is always that. */
  url(number) {
    return this.urls[number % this.urls.length];
  }

  /** Why a test that stops processes cannot run, or false. */
  get untouchable() {
    return this.pids === null && "these services were not started by the tests";
  }

  /** Sends a signal to every process whose name begins like this. */
  signal(name, signal) {
    const named = Object.entries(this.pids).filter(([process]) => process.startsWith(name));
    if (named.length === 0) throw new Error(`there is no process ${name} among ${Object.keys(this.pids)}`);
    for (const [, pid] of named) process.kill(pid, signal);
  }

  /** Stands still for as long as `meanwhile` takes. */
  async frozen(name, meanwhile) {
    this.signal(name, "SIGSTOP");
    try {
      await meanwhile();
    } finally {
      this.signal(name, "SIGCONT");
    }
  }
}
