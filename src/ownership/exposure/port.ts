/**
 * The money at risk on new: amounts of the orders that it has made and nobody has paid yet, summed over the fleet.
 *
 *   open     with the answer that made the order, once, however often that is noted
 *   closed   with the answer that finishes the order, or after `forMs`; also where that is noted before its opening, by
 *            an instance that was quicker: that an order is closed is known for `rememberClosedMs`
 *   over     from when the sum is above the cap until it is at most `reopensAt` of it: one word for all instances
 *
 * Amounts are whole minor units of the cutover's currency. An order that is paid on another instance than it was made on is
 * closed by that one: so it is the store that sums, and not each instance for itself.
 */

export interface ExposureLimits {
  /** Minor units. */
  readonly maxOpenAmount: number;
  /** How long an order that nobody pays counts, in ms. */
  readonly forMs: number;
}

export interface ExposureNote {
  /** A digest of the order's key: base64url, no identity. */
  readonly id: string;
  /** How long ago it was so. */
  readonly agoMs: number;
  /** What was opened, in minor units; absent: it is closed. */
  readonly amount?: number;
}

/** How it stands in the fleet. */
export interface Exposure {
  /** Minor units, at most `mostSum`. */
  readonly openAmount: number;
  readonly isOver: boolean;
}

export interface ExposureStore {
  /**
   * Takes the notes, in their order, and says how it stands then. May be called again with the same notes, and with none.
   *
   * @throws StoreUnavailable when the store does not answer in time: they may have been taken
   */
  note(cutover: string, notes: readonly ExposureNote[], limits: ExposureLimits): Promise<Exposure>;
}

/** The part of the cap at which it is open again: who is sent back at the cap itself would go to and fro. */
const reopensAt = { times: 4, of: 5 } as const;

/** At most so many orders are summed. */
export const mostOrders = 1_000_000;

/** What goes beyond it counts for nothing: no cap is above it, and up to it whole numbers are exact. */
export const mostSum = Number.MAX_SAFE_INTEGER;

export const rememberClosedMs = 600_000;

/** Of this sum on it is open again. */
export function reopeningAmount(maxOpenAmount: number): number {
  const { times, of } = reopensAt;
  return Math.floor(maxOpenAmount / of) * times + Math.floor(((maxOpenAmount % of) * times) / of);
}
