/**
 * What is under way on each side: journeys that have begun, and orders that are not finished. The instances note what
 * they see of them; the store counts each once, however many have seen it.
 *
 *   under way   begun or seen again: counted until it expires, under the later of its starts
 *   over        ended: counted no more. What was seen of it before its end and is noted after it does not begin it
 *               again, a start of a journey after its end does; that an id has ended is known for `rememberOverMs`
 *
 * An order is made once: a request that names it again, while it is under way or after its end, begins nothing.
 *
 * What is on new counts under an epoch: a hard rollback raises the cutover's, and journeys begun under an older one
 * are void, hence under way no more. Orders are all of epoch 0. Notes may come twice, and late; the order in which
 * those of two instances come makes no difference but in the cases above.
 */
import type { Side } from "../../state/rules/model.ts";

export const underWayKinds = ["journeys", "orders"] as const;
export type UnderWayKind = (typeof underWayKinds)[number];

export interface UnderWayNote {
  readonly kind: UnderWayKind;
  readonly cutover: string;
  /** Random or a digest: base64url, no identity. */
  readonly id: string;
  readonly epoch: number;
  /** When it was seen, ms since the epoch. */
  readonly atMs: number;
  /** Absent: it is over, whichever its side. Times in seconds since the epoch. */
  readonly underWay?: {
    readonly side: Side;
    readonly startedAt: number;
    readonly expiresAt: number;
  };
}

export interface UnderWayCount {
  readonly count: number;
  /** There are as many as are kept, and may be more. */
  readonly atLeast: boolean;
  /** Seconds since the epoch; absent when none is under way. */
  readonly oldestStartedAt: number | undefined;
  /** The oldest of them, at most `mostListed`; absent when none is under way. */
  readonly oldest?: readonly UnderWayItem[];
}

export interface UnderWayItem {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
}

/** So many of each kind, cutover and side are named. */
export const mostListed = 10;

export type UnderWayCounts = Readonly<Record<Side, UnderWayCount>>;

export interface UnderWayQuestion {
  readonly kind: UnderWayKind;
  readonly cutover: string;
  /** The cutover's pin epoch, for journeys; 0 for orders. */
  readonly epoch: number;
}

/** Both methods throw StoreUnavailable when the store does not answer in time. */
export interface UnderWayStore {
  /** May be called again with the same notes. @returns how many the store has refused for good */
  note(notes: readonly UnderWayNote[]): Promise<number>;
  /**
   * @param onExpired hears of each question how many have expired since anybody asked it last; each is told once
   * @returns at the places of the questions; `undefined` where what is in the store does not tell
   */
  count(
    questions: readonly UnderWayQuestion[],
    onExpired?: OnExpired,
  ): Promise<readonly (UnderWayCounts | undefined)[]>;
}

export type OnExpired = (question: UnderWayQuestion, expired: Readonly<Record<Side, number>>) => void;

/** @param oldest in the order of their starts */
export function underWayCount(
  count: number,
  atLeast: boolean,
  oldest: readonly UnderWayItem[],
): UnderWayCount {
  const [first] = oldest;
  const listed = first === undefined ? {} : { oldest };
  return { count, atLeast, oldestStartedAt: first?.startedAt, ...listed };
}

/** How long it is known that an id has ended: as long as an instance may be late with its notes. */
export const rememberOverMs = 600_000;

/** Whether what is noted as under way has begun after that end; note-under-way.lua is the same rule. */
export function beginsAgain({ kind, atMs, underWay }: UnderWayNote, overAtMs: number): boolean {
  if (kind === "orders" || underWay === undefined) return false;
  return underWay.startedAt >= Math.floor(overAtMs / 1000) && atMs > overAtMs;
}
