/**
 * How many wrong credentials one address may send. Each has a bucket of 10, one more every 3 s; beyond that a wrong one
 * is not looked into. What is right passes at any time: an attacker behind the same address must not keep a responder
 * from rolling back, and no secret of 256 bits is found by trying.
 *
 * Bounded: 4096 addresses, the one that failed longest ago is forgotten first (an IPv6 network of 64 bits is one
 * address), and 50 lines of log, one more every second; what goes unlogged is counted in the next line, and what was not
 * looked into in the next line of its address.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { networkOf } from "../../config/values/network.ts";
import type { AccessCounts } from "./metrics.ts";

const allowed = { burst: 10, everyMs: 3000 } as const;
const logged = { burst: 50, everyMs: 1000 } as const;
const maxAddresses = 4096;

export interface SignInAttempts {
  /** @returns whole seconds until a wrong credential of the address is looked into again; 0: now */
  blockedForSeconds(address: string): number;
  /** Counts one that was not looked into. */
  refused(address: string): void;
  /** Counts and logs one. `why` never repeats what was sent. */
  failed(address: string, why: string): void;
  /** How many addresses are remembered. */
  size(): number;
}

interface Bucket {
  level: number;
  filledAtMs: number;
}

interface Address extends Bucket {
  /** Not looked into, and not logged yet. */
  refused: number;
}

interface AttemptsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly counts: Pick<AccessCounts, "wrongToken">;
}

export function createAttempts({ clock, log, counts }: AttemptsOptions): SignInAttempts {
  const buckets = new Map<string, Address>();
  const lines: Bucket = { level: logged.burst, filledAtMs: clock.monotonic() };
  let unlogged = 0;

  function fill(bucket: Bucket, { burst, everyMs }: { burst: number; everyMs: number }): void {
    const nowMs = clock.monotonic();
    bucket.level = Math.min(burst, bucket.level + (nowMs - bucket.filledAtMs) / everyMs);
    bucket.filledAtMs = nowMs;
  }

  /** @returns whether it was logged */
  function warn(fields: Readonly<Record<string, unknown>>, message: string): boolean {
    fill(lines, logged);
    if (lines.level < 1) {
      unlogged += 1;
      return false;
    }
    lines.level -= 1;
    log.warn(unlogged === 0 ? fields : { ...fields, unlogged }, message);
    unlogged = 0;
    return true;
  }

  return {
    size: () => buckets.size,

    blockedForSeconds(address) {
      const bucket = buckets.get(networkOf(address));
      if (bucket === undefined) return 0;
      fill(bucket, allowed);
      return bucket.level >= 1 ? 0 : Math.ceil(((1 - bucket.level) * allowed.everyMs) / 1000);
    },

    refused(address) {
      counts.wrongToken(false);
      const bucket = buckets.get(networkOf(address));
      if (bucket !== undefined) bucket.refused += 1;
    },

    failed(address, why) {
      counts.wrongToken(true);
      const network = networkOf(address);
      const unknown = { level: allowed.burst, filledAtMs: clock.monotonic(), refused: 0 };
      const bucket = buckets.get(network) ?? unknown;
      fill(bucket, allowed);
      buckets.delete(network);
      buckets.set(network, bucket);
      for (const oldest of buckets.keys()) {
        if (buckets.size <= maxAddresses) break;
        buckets.delete(oldest);
      }
      bucket.level = Math.max(0, bucket.level - 1);
      const { refused } = bucket;
      const isTold = warn({ remote: network, why, ...(refused > 0 ? { refused } : {}) }, "a sign-in failed");
      if (isTold) bucket.refused = 0;
      if (bucket.level < 1) warn({ remote: network }, "sign-ins of this address fail too often: limited");
    },
  };
}
