// The two REST calls of the page. Everything else goes over the socket.
import { TOO_MANY, type Ack } from "../conversation/wire.ts";

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
    if (response.status >= 500) return UNREACHABLE;
    if (response.status === 429) return { success: false, code: TOO_MANY, retry_after_ms: retryAfter(response) };
    return (await response.json()) as Ack<T>;
  } catch {
    // No network, no server, or something between us that does not speak JSON.
    return UNREACHABLE;
  }
}

function retryAfter(response: Response): number {
  return (Number(response.headers.get("retry-after")) || 1) * 1_000;
}
