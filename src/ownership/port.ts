/**
 * Who holds an order or a key. The one thing the data plane may wait for: only requests that carry a key, and
 * responses a key is learned from, come here.
 */
import type { JourneyPin } from "../decide/pin.ts";
import type { Side } from "../state/model.ts";

/** A journey began; a request of it was answered; its end was answered with a 2xx. */
export const journeyEvents = ["start", "seen", "end"] as const;
export type JourneyEvent = (typeof journeyEvents)[number];

/** Hears what becomes of journeys on this instance, with the answer. */
export interface Journeys {
  /** @param pin as it is from now on; its id tells one journey from another. Must not throw. */
  seen(cutover: string, pin: JourneyPin, event: JourneyEvent): void;
}

export interface OwnerKey {
  /** The key's bytes as found in the request or response. */
  readonly key: string;
  readonly ttlMs: number;
  /** Claimed by its first use (an idempotency key), rather than learned from a response (an order id). */
  readonly claimed: boolean;
}

export interface Found {
  /** The owner of the first key, in config order, that has one. */
  readonly owner: Side | undefined;
  /** Keys that are claimed by use and that nobody owns yet. */
  readonly claimable: readonly OwnerKey[];
  /** The store could not be asked in time about at least one key. */
  readonly unknown: boolean;
}

export interface Ownership {
  /** @returns at once when every key's owner is remembered; never rejects */
  find(cutover: string, keys: readonly OwnerKey[]): Found | Promise<Found>;
  /**
   * Claims keys for the side before a byte is forwarded, atomically across instances. Never rejects.
   *
   * @returns the side that holds the first of them: another instance may have been first
   */
  claim(cutover: string, keys: readonly OwnerKey[], side: Side): Promise<Side>;
  /** Records that the side made these keys; resolves once that is safe, or as safe as it can be in time. */
  learn(cutover: string, keys: readonly OwnerKey[], side: Side): Promise<void>;
}
