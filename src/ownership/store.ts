/**
 * The ports to where owners and pins are kept; behind them memory, a file beside the embedded store, or Redis. One
 * contract suite holds all three. What has got into a record's place and is none counts as absent.
 */
import type { JourneyPin } from "../decide/pin.ts";
import type { Side } from "../state/model.ts";

export interface OwnerStore {
  /**
   * @param keys byte strings
   * @returns the owners, at the places of the keys; `undefined` where a key has none
   * @throws StoreUnavailable when the store does not answer in time
   */
  lookup(cutover: string, keys: readonly string[]): Promise<readonly (Side | undefined)[]>;
  /**
   * Makes the side the key's owner unless it has one; atomic across instances.
   *
   * @param ttlMs how long the record is kept
   * @returns the owner there was before; `undefined` when the side has become it
   * @throws StoreUnavailable when the store does not answer in time: the claim may have landed
   */
  claim(cutover: string, key: string, side: Side, ttlMs: number): Promise<Side | undefined>;
}

/** The pins of shoppers whose clients keep no cookies. Every method throws StoreUnavailable as above. */
export interface PinStore {
  /**
   * @param shopper a byte string; only a digest of it is kept
   * @param maxTtl the journey's maximum, in seconds
   */
  find(cutover: string, shopper: string, maxTtl: number): Promise<JourneyPin | undefined>;
  /** A start: what it makes of the pin there is (decide/stored-pin.ts), atomic across instances. @returns the pin now */
  start(cutover: string, shopper: string, offer: JourneyPin, maxTtl: number): Promise<JourneyPin>;
  /** Keeps the pin for `grace` more seconds. @returns the pin there was */
  end(cutover: string, shopper: string, grace: number, maxTtl: number): Promise<JourneyPin | undefined>;
}

export interface OwnershipStores {
  readonly owners: OwnerStore;
  readonly pins: PinStore;
  /** When the store was last within reach again (monotonic ms), where it can be out of reach at all. */
  backSinceMs?(): number;
  /** Calls back with each new owner, of whichever instance; some can be missed. @returns the way out */
  watch?(onOwner: (cutover: string, key: string, side: Side) => void): () => void;
  close(): Promise<void>;
}
