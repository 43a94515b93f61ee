/** Waiting at a start for what an earlier process still holds: a port, the embedded store's file. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const retryMs = 50;
const held: ReadonlySet<unknown> = new Set(["EADDRINUSE", "ELOCKED"]);

/** Tries again while it fails because another process holds it. @throws what the last try threw */
export async function patiently<T>(waitMs: number, attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const isHeld = error instanceof Error && "code" in error && held.has(error.code);
      if (!isHeld || performance.now() >= deadline) throw error;
      await sleep(retryMs);
    }
  }
}

/** @returns the port, or one that is free now for 0 @throws Error when something listens there */
export function findPort({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(address === null || typeof address === "string" ? port : address.port));
    });
  });
}
