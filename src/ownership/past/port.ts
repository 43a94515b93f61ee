/**
 * Past requests with a key: how they were decided, and which of them were sent to a side and never answered. The instances
 * note what they see of them, off the request's path; the store has it for all. Keys stand here as digests alone.
 *
 *   decided    of each key that somebody owns a record, kept as long as its owner: the first decisions and the last ones,
 *              one for each that is not as the one before
 *   in doubt   a request that may have changed something (RFC 9110 §9.2.1: its method is not safe) was sent, or may have
 *              been, and its side has not answered. It stays in doubt until the side answers a request with one of its
 *              keys, or a person settles it. It does not end by itself.
 *
 * A request that takes long is noted while it waits: it counts as in doubt once its instance has said nothing more of it
 * until `sinceMs`, for then that is gone.
 *
 * Notes may come twice, and late: an answer is remembered with the record of its key, so that what it answered and is noted
 * after it is in no doubt.
 */
import { hash } from "node:crypto";
import type { Side } from "../../state/rules/model.ts";

export const doubtOutcomes = [
  "timeout",
  "reset",
  "protocol_error",
  "gave_up",
  "client_aborted",
  /** Its instance was killed, or has lost the store, while the request was under way. */
  "instance_gone",
] as const;
export type DoubtOutcome = (typeof doubtOutcomes)[number];

/** Times are milliseconds since the epoch. */
export interface PastDecision {
  readonly atMs: number;
  readonly side: Side;
  /** The word of the decision order; a later release may have more of them. */
  readonly reason: string;
  /** The cutover's. */
  readonly version: number;
  readonly route: string;
}

/** What was seen of one key. */
export interface KeyNote {
  readonly cutover: string;
  readonly digest: string;
  /** How long a record of it is kept that is new; 0: none is made, for nobody owns the key. */
  readonly ttlMs: number;
  readonly decisions: readonly PastDecision[];
  /** When each side has last answered a request with it. */
  readonly answered: Answered;
}

export type Answered = Readonly<Partial<Record<Side, number>>>;

/** What is known of a request that is not answered. */
export interface DoubtNote {
  readonly cutover: string;
  readonly side: Side;
  /** Of its first key, by which it goes. */
  readonly digest: string;
  /** Of its other keys: an answer to one of them counts as well. */
  readonly others: readonly string[];
  readonly sentAtMs: number;
  /** From when on it is in doubt. */
  readonly sinceMs: number;
  readonly route: string;
  /** `null`: it was noted while it waited, has ended, and is in no doubt. */
  readonly outcome: DoubtOutcome | null;
}

export interface PastNotes {
  readonly keys: readonly KeyNote[];
  readonly doubts: readonly DoubtNote[];
}

export interface KeyPast {
  /** In the order of their times. */
  readonly decisions: readonly PastDecision[];
  /** How many are left out, after the first half of `mostDecisions`. */
  readonly omitted: number;
  readonly answered: Answered;
}

/** A request in doubt, or several with the same first key. */
export interface InDoubt extends Omit<DoubtNote, "cutover" | "outcome"> {
  /** When the last of them was sent; `sentAtMs` is when the first was. */
  readonly lastSentAtMs: number;
  /** The last one's. */
  readonly outcome: DoubtOutcome;
}

export interface DoubtCount {
  readonly count: number;
  /** Since when the first is in doubt; absent when none is. */
  readonly oldestSinceMs: number | undefined;
}
export type DoubtCounts = Readonly<Record<Side, DoubtCount>>;

/** Every method throws StoreUnavailable when the store does not answer in time. */
export interface PastStore {
  /** May be called again with the same notes. @returns how many were lost: there was no room, or they were refused */
  note(notes: PastNotes): Promise<number>;
  /** @returns `undefined`: nothing is recorded of the key */
  of(cutover: string, digest: string): Promise<KeyPast | undefined>;
  /** @returns those in doubt, at most so many of each side; of each side the oldest first */
  inDoubt(cutover: string, most: number): Promise<readonly InDoubt[]>;
  /** @returns at the places of the cutovers; `undefined` where what is in the store does not tell */
  counts(cutovers: readonly string[]): Promise<readonly (DoubtCounts | undefined)[]>;
  /** A person has found out what the requests did that have this key. @returns how many were in doubt until now */
  settle(cutover: string, digest: string, atMs: number): Promise<number>;
}

/** Most requests in doubt that are kept of each side. */
export const mostInDoubt = 100_000;
/** Most other keys of one request, and most requests that one key leads to. */
export const mostOthers = 16;
/** How long it is known that a person has settled a key that has no record. */
export const settledMs = 3_600_000;

/** What stands for a key: the first 16 bytes of the SHA-256 of its bytes, in hex, so that `sha256sum` finds it. */
export function keyDigest(key: string): string {
  return hash("sha256", Buffer.from(key, "latin1"), "hex").slice(0, 32);
}
