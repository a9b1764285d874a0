// The two REST calls of the page. Everything else goes over the socket.
import type { Ack } from "../conversation/wire.ts";

const UNREACHABLE: Ack<never> = { success: false, code: "unavailable" };

/** A new identity: nobody has an account. */
export function newIdentity(): Promise<Ack<{ secret: string }>> {
  return call("/auth", { headers: { accept: "application/json" }, cache: "no-store" });
}

export function report(secret: string, reason: string): Promise<Ack> {
  const headers = { "content-type": "application/json" };
  return call("/reports", { method: "POST", headers, body: JSON.stringify({ secret, reason }) });
}

async function call<T>(path: string, init: RequestInit): Promise<Ack<T>> {
  try {
    const response = await fetch(path, { ...init, signal: AbortSignal.timeout(8_000) });
    const answer = (await response.json()) as Ack<T>;
    if (answer.success || response.status < 500) return answer;
  } catch {
    // No network, no server, or something between us that does not speak JSON.
  }
  return UNREACHABLE;
}
