/**
 * Leases and fences: one holder at a time, and no change by one who held a lease once. PURE.
 *
 * A holder takes a lease for a time and renews it before that is over. Each new grant has a larger token than every one
 * before it; a renewal keeps the token. A change that carries the token as its fence is made only while that very grant
 * is in force, whatever its maker believes: a process that was frozen or cut off, and comes back after its lease has
 * ended, is refused as `fenced`, whether or not somebody else has taken the lease since. So at any time the changes of at
 * most one holder are accepted.
 *
 * Time is the store's own. The holder counts its time from before it asked, by its monotonic clock, and so gives up first.
 *
 *   tokens   at least the store's time in ms since the epoch. They go on growing when a store has lost what it knew (an
 *            emptied Redis, a failover), unless its clock was set back as well; and a grant that the store has lost
 *            fences its holder at once, until the lease is taken anew
 *   a clock  that is set forward ends a lease early: the holder is fenced and takes it again. One that is set back
 *            prolongs it; as soon as another one asks, the lease ends no later than its whole time from then
 *
 * lease.lua and apply.lua say the same in Redis; test/contract/leases.test.ts holds the stores to each other.
 */
import type { CutoverState } from "../model.ts";

/** A grant, or what is known of the last one. */
export interface Lease {
  readonly token: number;
  /** Empty once it was given back. */
  readonly holder: string;
  readonly ttlMs: number;
  /** By the clock of `Moment.atMs`. */
  readonly endsAtMs: number;
}

interface Moment {
  /** The clock by which leases end, in ms. */
  readonly atMs: number;
  /** The store's time in ms since the epoch. */
  readonly epochMs: number;
}

export type Leased =
  | { readonly granted: true; readonly token: number }
  /** Somebody else holds it. */
  | { readonly granted: false; readonly holder: string };

/** A change that was refused because its grant is not in force (any more); the state as it stands. */
export interface Fenced {
  readonly accepted: false;
  readonly code: "fenced";
  readonly state: CutoverState;
}

/** The grant without which a change is not made. */
export interface Fence {
  /** The lease's name: the cutover's own, or one below it (`checkout/guard`). */
  readonly lease: string;
  readonly token: number;
}

/**
 * Takes or renews the lease.
 *
 * @returns the answer, and the lease from then on
 */
export function leased(
  lease: Lease | undefined,
  { holder, ttlMs }: Pick<Lease, "holder" | "ttlMs">,
  { atMs, epochMs }: Moment,
): { readonly answer: Leased; readonly lease: Lease } {
  const endsAtMs = atMs + ttlMs;
  if (lease === undefined || !isInForce(lease, atMs)) {
    const token = Math.max((lease?.token ?? 0) + 1, Math.floor(epochMs));
    return { answer: { granted: true, token }, lease: { token, holder, ttlMs, endsAtMs } };
  }
  if (lease.holder === holder) {
    return { answer: { granted: true, token: lease.token }, lease: { ...lease, ttlMs, endsAtMs } };
  }
  const latestMs = Math.min(lease.endsAtMs, atMs + lease.ttlMs);
  return { answer: { granted: false, holder: lease.holder }, lease: { ...lease, endsAtMs: latestMs } };
}

/** @returns the lease given back; `undefined` when the token does not hold it (any more) */
export function released(lease: Lease | undefined, token: number, atMs: number): Lease | undefined {
  if (lease === undefined || isFenced(lease, token, atMs)) return undefined;
  return { ...lease, holder: "", endsAtMs: atMs };
}

/** Whether a change with this token is to be refused. */
export function isFenced(lease: Lease | undefined, token: number, atMs: number): boolean {
  return lease === undefined || lease.token !== token || !isInForce(lease, atMs);
}

function isInForce({ holder, endsAtMs }: Lease, atMs: number): boolean {
  return holder !== "" && atMs < endsAtMs;
}

/** @throws RangeError when the name, the holder or the time (whole ms, above 0) is none */
export function assertLease(name: string, holder: string, ttlMs: number): void {
  assertLeaseName(name);
  if (holder === "") throw new RangeError("a lease needs a holder");
  if (!Number.isSafeInteger(ttlMs) || ttlMs <= 0) throw new RangeError(`not a time in whole ms: ${ttlMs}`);
}

/** @throws RangeError when there is no such lease, or the text is longer than that */
export function assertKept({ lease, token }: Fence, text: string, most: number): void {
  assertLeaseName(lease);
  if (!Number.isSafeInteger(token)) throw new RangeError(`not a token: ${token}`);
  if (text.length > most) throw new RangeError(`${text.length} characters are too many to keep`);
}

/** The cutover whose changes the lease can fence: `checkout` of `checkout` and of `checkout/guard`. */
export function cutoverOf(lease: string): string {
  return lease.replace(/\/.*/s, "");
}

/** @throws RangeError unless the lease is the cutover's */
export function assertFence(cutover: string, { lease, token }: Fence): void {
  assertLeaseName(lease);
  if (cutoverOf(lease) !== cutover) throw new RangeError(`${lease} is no lease of ${cutover}`);
  if (!Number.isSafeInteger(token)) throw new RangeError(`not a token: ${token}`);
}

/** @throws RangeError: what stands before the first slash is a hash tag in Redis */
export function assertLeaseName(name: string): void {
  if (!/^[^{}/]+(?:\/[^{}]+)?$/.test(name)) throw new RangeError(`not a name of a lease: ${name}`);
}
