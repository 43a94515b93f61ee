/**
 * What a sample shop can be told to suffer. A request first hangs, then is slowed down, then fails by chance:
 * before the shop acts on it, so a failed request has changed nothing. Requests that are waiting feel a change
 * of the faults at once.
 */
import { z } from "zod";

export const faultsSchema = z.strictObject({
  /** Milliseconds before each answer. */
  slowMs: z.int().min(0).max(600_000).default(0),
  /** The share of requests answered with 500: 0–1. */
  failRate: z.number().min(0).max(1).default(0),
  /** No request is answered. */
  hang: z.boolean().default(false),
});
export type Faults = z.output<typeof faultsSchema>;

export interface FaultSwitch {
  current(): Faults;
  set(faults: Faults): void;
  clear(): void;
  /** Holds a request up as the faults say. `gone`: its client left meanwhile. */
  pass(client: AbortSignal): Promise<"serve" | "fail" | "gone">;
}

const none: Faults = { slowMs: 0, failRate: 0, hang: false };

/** @param random 0 ≤ x < 1 */
export function createFaultSwitch(random: () => number): FaultSwitch {
  const waiting = new Set<() => void>();
  let faults = none;

  function change(next: Faults): void {
    faults = next;
    for (const wake of [...waiting]) wake();
  }

  /** @returns whether the whole time has passed, rather than the faults changed or the client left */
  function wait(milliseconds: number | undefined, client: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (elapsed: boolean) => {
        clearTimeout(timer);
        waiting.delete(wake);
        client.removeEventListener("abort", wake);
        resolve(elapsed);
      };
      const wake = () => finish(false);
      const timer = milliseconds === undefined ? undefined : setTimeout(finish, milliseconds, true);
      waiting.add(wake);
      client.addEventListener("abort", wake);
    });
  }

  return {
    current: () => faults,
    set: change,
    clear: () => change(none),
    async pass(client) {
      while (!client.aborted) {
        const { hang, slowMs, failRate } = faults;
        if (hang) await wait(undefined, client);
        else if (slowMs === 0 || (await wait(slowMs, client))) return random() < failRate ? "fail" : "serve";
      }
      return "gone";
    },
  };
}
