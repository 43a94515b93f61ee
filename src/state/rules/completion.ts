/**
 * Whether a change has come everywhere, and by when it has at the latest. PURE.
 *
 * An instance that is cut off from the store cannot be told of a change. What can be known of it is when it stops by
 * itself: a cutover that says `onStale: legacy` starts no new journey on new once the instance has been out of contact
 * for `staleAfter`. That moment is known to the store, because the instance counts from a contact older than its record:
 *
 *   1. The instance sends a read at t1 and gets its answer.
 *   2. Then it sends its record, which the store writes at t2, by the store's clock. t1 < t2.
 *   3. Only when the record's answer has arrived does the instance count its contact from t1. A record whose answer is
 *      lost leaves it with an older contact, and a read without a record after it does not count at all.
 *
 * So whatever record the store holds last, the instance became stale no later than t2 + staleAfter, however the network
 * delayed or lost what came after. Only a duration of the instance's monotonic clock is used and only moments of the
 * store's: skew between them does not matter. What they may drift apart within `staleAfter` is added (each is slewed by
 * at most 500 ppm), and the millisecond to which the store's clock is rounded down. An instance started without the store
 * has no contact and is stale from the start. Not covered is a machine that was suspended, if its monotonic clock stood
 * still meanwhile.
 *
 * How far a change must have come to be complete:
 *
 *   live          raise, resume, hold: an instance that does not hear of it sends no more to new than it did before
 *   new_journeys  lower, rollback: a silent instance must have gone stale to legacy
 *   everything    rollback_hard, close: pins and owners keep while stale, so only hearing of it will do
 */

import type { Change } from "./model.ts";

/** What an instance says of itself, renewed each second; gone from the store 3 s after it falls silent. */
export interface InstanceRecord {
  readonly id: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** RFC 3339, the time of this record. */
  readonly seenAt: string;
  /** The version of each cutover the instance decides by. */
  readonly versions: Readonly<Record<string, number>>;
  /** The instance's traffic figures of each cutover (telemetry/traffic/traffic.ts), merged by the reader. */
  readonly traffic: Readonly<Record<string, unknown>>;
  readonly stale?: WhenStale | undefined;
  /** How a person finds it: `instance.name` of its configuration. Older programs say nothing of this and the rest. */
  readonly name?: string | undefined;
  /** Its admin listener, `host:port`. */
  readonly address?: string | undefined;
  readonly pid?: number | undefined;
  readonly config?: ConfigInForce | undefined;
  /** How long each cutover's change that it decides by took to reach it, in ms; of what it found at its start, nothing. */
  readonly tookMs?: Readonly<Record<string, number>> | undefined;
  /** Where it is in its life; absent: it serves. */
  readonly phase?: "starting" | "draining" | undefined;
  /** The leases that it holds (state/leading); absent: none. */
  readonly leads?: readonly string[] | undefined;
  /** What it tells of each guarded cutover (guard/watch/tellings.ts), read by whoever leads. */
  readonly guard?: Readonly<Record<string, unknown>> | undefined;
}

/** By which configuration an instance goes. Moments are RFC 3339, by the instance's clock. */
export interface ConfigInForce {
  /** 12 hex digits; the same on all instances whose configurations decide alike (config/hash.ts). */
  readonly hash: string;
  readonly loadedAt: string;
  /** When it was last told to read it again and did not take what it read; absent: it took it. */
  readonly refusedAt?: string | undefined;
}

/** What an instance says of itself that is the same in every record. */
export type InstanceProfile = Pick<
  InstanceRecord,
  "name" | "address" | "pid" | "config" | "tookMs" | "phase" | "leads" | "guard"
>;

/** What an instance does when it is cut off from the store. Without it: 30 s, and the last state stays in force. */
export interface WhenStale {
  /** How long it goes without the store before it is stale. */
  readonly afterMs: number;
  /** The cutovers of which it then starts new journeys on legacy; of the others the last state stays in force. */
  readonly legacy: readonly string[];
}

/** What the store remembers of an instance: live as long as its lease, then silent. */
export interface RosterMember extends Omit<InstanceRecord, "traffic" | "guard" | "seenAt"> {
  /** When its last record was written, ms since the epoch by the store's clock. */
  readonly seenAtMs: number;
}

export interface Roster {
  /** The store's clock at the reading, ms since the epoch. */
  readonly nowMs: number;
  /** By id. */
  readonly members: readonly RosterMember[];
}

export const leaseMs = 3000;

const defaultStaleAfterMs = 30_000;

/** How long after its last record an instance that did not leave is still known: until it is stale, and its lease. */
export function rememberMs({ stale }: Pick<InstanceRecord, "stale">): number {
  return (stale?.afterMs ?? defaultStaleAfterMs) + leaseMs;
}

/** By UTF-16 code unit, as Redis sorts plain ids: the same order wherever it is read. */
export function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}

const mostDrift = 0.001;

export type Reach = "live" | "new_journeys" | "everything";

/** @param before percent in thousandths where the change was asked for; `undefined`: not known */
export function reachOf(change: Change, before: number | undefined): Reach {
  switch (change.action) {
    case "set":
      return before !== undefined && change.percentThousandths >= before ? "live" : "new_journeys";
    case "rollback":
      return "new_journeys";
    case "hold":
    case "resume":
      return "live";
    case "maintain":
      return change.until === null ? "live" : "everything";
    case "rollback_hard":
    case "close":
    case "reconciled":
      return "everything";
  }
}

/** An instance that decides by an older version, as far as the store knows. */
export interface Lagging extends Pick<InstanceRecord, "name" | "address" | "pid"> {
  readonly id: string;
  readonly version: number;
  readonly isLive: boolean;
  /** Times are ms since the epoch, by the store's clock. */
  readonly seenAtMs: number;
  /** From when on it certainly starts no new journey on new; `undefined`: it goes on by its last state. */
  readonly leaseEndsAtMs: number | undefined;
}

export interface Completion {
  /** Live instances that decide by the version or a later one. */
  readonly instances: number;
  /** Live instances of the cutover. */
  readonly of: number;
  readonly lagging: readonly Lagging[];
  /** When the change is complete everywhere at the latest; `undefined`: when the lagging ones are heard of again. */
  readonly completeByMs: number | undefined;
  readonly isComplete: boolean;
  /** The store's clock. */
  readonly nowMs: number;
}

/** Instances that do not have the cutover in their configuration do not count. */
export function completionOf(roster: Roster, name: string, version: number, reach: Reach): Completion {
  const { nowMs } = roster;
  const all = roster.members.flatMap((member) => standingOf(member, name, nowMs) ?? []);
  const live = all.filter(({ isLive }) => isLive);
  const lagging = all.filter((each) => each.version < version);
  const awaited = reach === "live" ? lagging.filter(({ isLive }) => isLive) : lagging;
  const completeByMs = awaited.reduce<number | undefined>(
    (latest, { leaseEndsAtMs }) =>
      latest === undefined || leaseEndsAtMs === undefined || reach !== "new_journeys"
        ? undefined
        : Math.max(latest, leaseEndsAtMs),
    nowMs,
  );
  return {
    instances: live.filter((each) => each.version >= version).length,
    of: live.length,
    lagging,
    completeByMs,
    isComplete: all.length > 0 && completeByMs !== undefined && completeByMs <= nowMs,
    nowMs,
  };
}

function standingOf(member: RosterMember, name: string, nowMs: number): Lagging | undefined {
  const { id, name: called, address, pid, versions, seenAtMs } = member;
  const version = versions[name];
  if (version === undefined) return undefined;
  return {
    id,
    ...(called === undefined ? {} : { name: called }),
    ...(address === undefined ? {} : { address }),
    ...(pid === undefined ? {} : { pid }),
    version,
    isLive: nowMs < seenAtMs + leaseMs,
    seenAtMs,
    leaseEndsAtMs: leaseEndsAtMs(member, name),
  };
}

/** From when on, by the store's clock, a silent instance certainly starts no new journey on new; `undefined`: never. */
export function leaseEndsAtMs({ seenAtMs, stale }: RosterMember, name: string): number | undefined {
  const isBounded = stale?.legacy.includes(name) === true;
  return isBounded ? seenAtMs + Math.ceil(stale.afterMs * (1 + mostDrift)) + 1 : undefined;
}
