/** Waits until the fleet decides by a version: what a write answers with. */
import { systemTimers, type Timers, within } from "./clock.ts";
import type { Clock, InstanceRecord, Store } from "./store.ts";

const lookEveryMs = 20;
/** The first look gets this long even when there is no time to wait. */
const shortestLookMs = 250;

export interface AppliedCount {
  /** Live instances that decide by the version or a later one. */
  readonly instances: number;
  /** Live instances. */
  readonly of: number;
}

export interface WaitAppliedOptions {
  readonly store: Pick<Store, "instances">;
  /** The cutover's name. */
  readonly name: string;
  readonly version: number;
  /** 0 = look once. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly timers?: Timers;
  /** Called first: the own follower's `refresh`. */
  readonly nudge?: () => Promise<void>;
}

/**
 * Looks at the live instances at once and then every 20 ms, until every one of them decides by the version or
 * `waitMs` have passed. A store out of reach is looked at again until then.
 *
 * @returns the counts of the last look that was answered; 0 of 0 when none was. Never rejects.
 */
export async function waitApplied(options: WaitAppliedOptions): Promise<AppliedCount> {
  const { store, name, version, waitMs, clock, timers = systemTimers, nudge } = options;
  const until = clock.monotonic() + waitMs;
  const leftMs = () => Math.max(0, until - clock.monotonic());

  if (nudge !== undefined) await within(leftMs(), timers, nudge()).catch(() => undefined);
  let count: AppliedCount = { instances: 0, of: 0 };
  for (;;) {
    const look = within(Math.max(leftMs(), shortestLookMs), timers, store.instances());
    const records = await look.catch(() => undefined);
    if (records !== undefined) count = countApplied(records, name, version);
    if ((count.of > 0 && count.instances === count.of) || leftMs() === 0) return count;
    await new Promise<void>((resume) => timers.after(Math.min(lookEveryMs, leftMs()), resume));
  }
}

/** How many of the records' instances decide by the version of the cutover, or a later one. */
export function countApplied(
  records: readonly InstanceRecord[],
  name: string,
  version: number,
): AppliedCount {
  const instances = records.filter((record) => (record.versions[name] ?? -1) >= version).length;
  return { instances, of: records.length };
}
