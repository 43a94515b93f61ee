/** Waits until the fleet decides by a version, as a write does before it is answered. */

import { type Clock, systemTimers, type Timers, within } from "../../base/clock.ts";
import {
  type Completion,
  completionOf,
  type InstanceRecord,
  type Lagging,
  leaseEndsAtMs,
  type Reach,
  type Roster,
  type RosterMember,
} from "../rules/completion.ts";
import type { Store } from "../store/port.ts";
import type { Roll } from "./roll.ts";

/** Most instances have it within milliseconds: the first looks are close together, each pause twice the one before. */
const firstPauseMs = 5;
const lookEveryMs = 20;
/** After this an instance that lags is looked for less often. */
const eagerMs = 2000;
const lookLaterEveryMs = 100;
/** The first look gets this long even when there is no time to wait. */
const shortestLookMs = 250;

interface WaitAppliedOptions {
  readonly store: Pick<Store, "roster">;
  /** The cutover's name. */
  readonly name: string;
  readonly version: number;
  /** How far the change must have come (completion.ts). */
  readonly reach: Reach;
  /** 0 = look once. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly timers?: Timers;
  /** Called first: the own follower's `refresh`. */
  readonly nudge?: () => Promise<void>;
  /** Who is known beyond what the store remembers. */
  readonly roll?: Pick<Roll, "saw" | "members">;
}

const unknown: Completion = {
  instances: 0,
  of: 0,
  lagging: [],
  completeByMs: undefined,
  isComplete: false,
  nowMs: 0,
};

/**
 * Looks at the roster at once, soon again, and then every 20 ms, until the change is complete or `waitMs` have passed: one
 * that is silent may be heard of again. One that the store has forgotten, now or long before, and that goes on by its last
 * state, stands in the answer as what cannot be known; once there is nothing else left to know, there is nothing to wait for. A
 * store out of reach is looked at again until then.
 *
 * @returns the last look that was answered; 0 of 0 when none was. Never rejects.
 */
export async function waitApplied(options: WaitAppliedOptions): Promise<Completion> {
  const { store, name, version, reach, waitMs, clock, timers = systemTimers, nudge } = options;
  const begun = clock.monotonic();
  const leftMs = () => Math.max(0, begun + waitMs - clock.monotonic());

  if (nudge !== undefined) await within(leftMs(), timers, nudge()).catch(() => undefined);
  let last = unknown;
  const forgotten = new Map<string, Lagging>();
  let beyond: readonly RosterMember[] = [];
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, lookEveryMs)) {
    const look = within(Math.max(leftMs(), shortestLookMs), timers, store.roster());
    const roster = await look.catch(() => undefined);
    if (roster !== undefined) {
      for (const missed of missing(last, roster)) forgotten.set(missed.id, missed);
      for (const { id } of roster.members) forgotten.delete(id);
      const { nowMs, members } = roster;
      beyond = beyondStore(roster, options);
      const lost = [...forgotten.values()].filter(({ id }) => !beyond.some((member) => member.id === id));
      const all = { nowMs, members: [...members, ...beyond] };
      last = withForgotten(completionOf(all, name, version, reach), lost);
    }
    const settled = new Set([...forgotten.keys(), ...beyond.map(({ id }) => id)]);
    if (last.isComplete || leftMs() === 0 || isAllKnown(last, settled)) return last;
    const every = clock.monotonic() - begun < eagerMs ? pauseMs : lookLaterEveryMs;
    await new Promise<void>((resume) => timers.after(Math.min(every, leftMs(), untilComplete(last)), resume));
  }
}

/** Silent ones that were known a look ago, and that nothing bounds: who leaves is not silent before. */
function missing({ lagging }: Completion, { members }: Roster): readonly Lagging[] {
  const known = new Set(members.map(({ id }) => id));
  return lagging.filter((one) => !one.isLive && one.leaseEndsAtMs === undefined && !known.has(one.id));
}

function withForgotten(completion: Completion, forgotten: readonly Lagging[]): Completion {
  if (forgotten.length === 0) return completion;
  const lagging = [...completion.lagging, ...forgotten];
  return { ...completion, lagging, completeByMs: undefined, isComplete: false };
}

/**
 * Who has fallen silent so long ago that the store has forgotten it, and has not stopped by itself as far as the change
 * goes: a rollback is not done while one goes on.
 */
function beyondStore(roster: Roster, { roll, name, reach }: WaitAppliedOptions): readonly RosterMember[] {
  if (roll === undefined) return [];
  roll.saw(roster);
  const known = new Set(roster.members.map(({ id }) => id));
  return roll
    .members()
    .filter(({ id }) => !known.has(id))
    .filter((member) => reach === "everything" || leaseEndsAtMs(member, name) === undefined);
}

/** @param settled who the store has forgotten: nothing more is to be heard of them by waiting */
function isAllKnown({ instances, of, lagging }: Completion, settled: ReadonlySet<string>): boolean {
  return settled.size > 0 && instances === of && lagging.every(({ id }) => settled.has(id));
}

/** The moment itself is looked at, not the next multiple of 100 ms. */
function untilComplete({ completeByMs, nowMs }: Completion): number {
  return completeByMs === undefined || completeByMs <= nowMs
    ? Number.POSITIVE_INFINITY
    : completeByMs - nowMs + 1;
}

interface AppliedCount {
  /** Live instances that decide by the version or a later one. */
  readonly instances: number;
  /** Live instances of the cutover. */
  readonly of: number;
}

/** How many of the records' instances decide by the version of the cutover, or a later one. */
export function countApplied(
  records: readonly InstanceRecord[],
  name: string,
  version: number,
): AppliedCount {
  const versions = records.flatMap((record) => record.versions[name] ?? []);
  return { instances: versions.filter((each) => each >= version).length, of: versions.length };
}
