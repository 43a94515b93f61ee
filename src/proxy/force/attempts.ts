/**
 * Bounds the guessing of testers' secrets: after 10 wrong ones within a minute an address (of IPv6 a network of 64 bits)
 * is ignored for a minute, whatever it says, right or wrong: it is a shopper like any other then. A cookie that a link
 * has given still counts, since nobody guesses a signature. A process counts for itself. Bounded: 4,096 addresses, and
 * one line of log a second.
 */
import { createBoundedMap } from "../../base/bounded-map.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { networkOf } from "../../config/values/network.ts";

export const forceForms = ["header", "link"] as const;
/** By what the secret was said. */
export type ForceForm = (typeof forceForms)[number];

export interface ForceAttempts {
  /** Whether what the address says is looked into; counted where it is not. */
  allows(address: string, form: ForceForm): boolean;
  /** Counts a wrong one. */
  wrong(address: string, form: ForceForm): void;
}

export interface ForceCounts {
  wrong(form: ForceForm): void;
  ignored(form: ForceForm): void;
}

interface Address {
  sinceMs: number;
  wrong: number;
  ignoredUntilMs: number;
}

const most = 10;
const minuteMs = 60_000;
const mostAddresses = 4096;
const logEveryMs = 1000;

interface ForceAttemptsOptions {
  readonly clock: Pick<Clock, "monotonic">;
  readonly counts: ForceCounts;
  readonly log: Pick<Log, "warn">;
}

export function createForceAttempts({ clock, counts, log }: ForceAttemptsOptions): ForceAttempts {
  const addresses = createBoundedMap<Address>(mostAddresses);
  let loggedMs = Number.NEGATIVE_INFINITY;

  return {
    allows(address, form) {
      const known = addresses.get(networkOf(address));
      if (known === undefined || clock.monotonic() >= known.ignoredUntilMs) return true;
      counts.ignored(form);
      return false;
    },

    wrong(address, form) {
      counts.wrong(form);
      const nowMs = clock.monotonic();
      const network = networkOf(address);
      const known = addresses.get(network) ?? { sinceMs: nowMs, wrong: 0, ignoredUntilMs: nowMs };
      if (nowMs - known.sinceMs >= minuteMs) Object.assign(known, { sinceMs: nowMs, wrong: 0 });
      known.wrong += 1;
      addresses.set(network, known);
      if (known.wrong < most) return;
      Object.assign(known, { sinceMs: nowMs, wrong: 0, ignoredUntilMs: nowMs + minuteMs });
      if (nowMs - loggedMs < logEveryMs) return;
      loggedMs = nowMs;
      log.warn(
        { remote: network },
        "wrong secrets of testers came from an address: it is ignored for a minute",
      );
    },
  };
}
