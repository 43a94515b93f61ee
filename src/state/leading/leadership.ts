/**
 * Who of a fleet does what has to be done once: the holder of a lease (rules/leases/lease.ts), taken and renewed here. What it is
 * for, the lease's name says (`checkout/watch`: what watches over the cutover).
 *
 *   candidate   asks each second, and not while another instance is heard to lead: that costs the store nothing
 *   leader      renews each second. Its time counts from before it asked, by its own monotonic clock, so that it has given
 *               up before the store gives the lease to another one; one that was frozen finds so on the first question
 *   lost        the time is over, the lease is refused, or a change was `fenced`: from then on a candidate again
 *
 * A leader that dies is followed within the lease's 3 s and the time until the next candidate asks: 5 s at most. One that
 * stops gives the lease back.
 */
import { type Clock, systemTimers, type Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Fence } from "../rules/leases/lease.ts";
import type { Store } from "../store/port.ts";

export interface Leadership {
  /** The lease's name. */
  readonly lease: string;
  /** What each change made as the leader carries; `undefined`: this instance does not lead (any more). */
  fence(): Fence | undefined;
  /** A change under this fence was refused as `fenced`: the lease is given up, and asked for again. */
  refused(fence: Fence): void;
  /** Gives the lease back. Never rejects. */
  stop(): Promise<void>;
}

interface LeadershipOptions {
  readonly store: Pick<Store, "lease" | "release">;
  readonly lease: string;
  /** This instance's id. */
  readonly holder: string;
  /** Whether another live instance is heard to lead; without it, each second asks the store. */
  readonly isLedElsewhere?: () => boolean;
  /** Each grant once; a renewal is none. */
  readonly onTaken?: (fence: Fence) => void;
  readonly onLost?: (fence: Fence) => void;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers?: Timers;
  readonly log: Log;
}

const leadsForMs = 3000;
const askEachMs = 1000;
/** Between two looks whether another instance leads. */
const listenEachMs = 250;

interface Grant {
  readonly fence: Fence;
  /** By the monotonic clock. */
  readonly endsAtMs: number;
}

export function createLeadership(options: LeadershipOptions): Leadership {
  const { store, lease, holder, clock, timers = systemTimers, log } = options;
  const { isLedElsewhere = () => false, onTaken = () => {}, onLost = () => {} } = options;
  let grant: Grant | undefined;
  let asking: Promise<void> | undefined;
  let isStopped = false;
  let cancel = () => {};
  let cancelEnd = () => {};

  function lose(why: string): void {
    if (grant === undefined) return;
    const { fence } = grant;
    grant = undefined;
    cancelEnd();
    log.info({ lease, token: fence.token, why }, "this instance leads no more");
    onLost(fence);
  }

  function fence(): Fence | undefined {
    if (grant !== undefined && clock.monotonic() >= grant.endsAtMs) lose("its time is over");
    return grant?.fence;
  }

  async function ask(): Promise<void> {
    const sentMs = clock.monotonic();
    try {
      const leased = await store.lease(lease, holder, leadsForMs);
      if (!leased.granted) return lose(`${leased.holder} has taken over`);
      const before = fence();
      const isRenewed = before?.token === leased.token;
      if (before !== undefined && !isRenewed) lose("the store has granted it anew");
      const granted = isRenewed ? before : { lease, token: leased.token };
      grant = { fence: granted, endsAtMs: sentMs + leadsForMs };
      cancelEnd();
      cancelEnd = timers.after(sentMs + leadsForMs - clock.monotonic(), fence);
      // The answer may have come too late.
      if (isRenewed || isStopped || fence() === undefined) return;
      log.info({ lease, token: granted.token }, "this instance leads");
      onTaken(granted);
    } catch {
      // The follower says that the store does not answer. What was granted before is led to its end.
    }
  }

  function next(ms: number): void {
    if (isStopped) return;
    cancel = timers.after(ms, () => {
      if (fence() === undefined && isLedElsewhere()) return next(listenEachMs);
      asking = ask().finally(() => {
        asking = undefined;
        next(askEachMs);
      });
    });
  }

  next(0);
  return {
    lease,
    fence,
    refused({ token }) {
      if (grant?.fence.token === token) lose("a change was refused as fenced");
    },
    async stop() {
      isStopped = true;
      cancel();
      await asking;
      const last = fence();
      lose("it stops");
      if (last === undefined) return;
      // Else it ends by itself.
      await store.release(lease, last.token).catch(() => undefined);
    },
  };
}
