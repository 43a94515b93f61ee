/**
 * The ports to where owners, pins and what is under way are kept; behind them memory, a file beside the embedded store,
 * or Redis. One contract suite is for all three. What has got into a record's place and is none counts as absent.
 */
import { createHash } from "node:crypto";
import type { JourneyPin } from "../../decide/pin.ts";
import type { Side } from "../../state/rules/model.ts";
import type { UnderWayStore } from "../under-way/port.ts";

/**
 * A key and how its owner comes to be. One text may be both: a client that chooses an idempotency key may choose what
 * an upstream will call an order. So there are two records, and neither ever changes the other:
 *
 *   a fact    an upstream has made what the key names and said so in its answer; or a person has written it
 *   a claim   a client was the first to use the key: it names a request, not a thing
 *
 * An order is only where the fact says. A claim begins where the fact says, if there is one, and then stays.
 */
export interface NamedKey {
  /** A byte string. */
  readonly key: string;
  readonly claimed: boolean;
}

export interface OwnerStore {
  /**
   * @returns the owners, at the places of the keys; `undefined` where a key has none. A claimed key is owned by its claim,
   *   else by a fact; any other by a fact alone
   * @throws StoreUnavailable when the store does not answer in time
   */
  lookup(cutover: string, keys: readonly NamedKey[]): Promise<readonly (Side | undefined)[]>;
  /**
   * Makes the side the key's owner unless `lookup` would tell one; atomic across instances.
   *
   * @param ttlMs how long the record is kept; a claim is kept so long whatever becomes of a fact
   * @param late the side has had the request already, in an outage: no fact says any more where its claim begins
   * @returns the owner there was before; `undefined` when the side has become it
   * @throws StoreUnavailable when the store does not answer in time: the record may have been made
   */
  record(
    cutover: string,
    key: NamedKey,
    side: Side,
    ttlMs: number,
    late?: boolean,
  ): Promise<Side | undefined>;
}

/** The pins of shoppers whose clients keep no cookies. Every method throws StoreUnavailable as above. */
export interface PinStore {
  /**
   * @param shopper a byte string; only a digest of it is kept
   * @param maxTtl the journey's maximum, in seconds
   */
  find(cutover: string, shopper: string, maxTtl: number): Promise<JourneyPin | undefined>;
  /**
   * A start that is yet to be sent: its side is held for others of the shopper (decide/pin.ts), atomic across instances.
   *
   * @param reserveTtl seconds without an answer after which nothing is held any more
   * @returns the pin now
   */
  reserve(
    cutover: string,
    shopper: string,
    offer: JourneyPin,
    maxTtl: number,
    reserveTtl: number,
  ): Promise<JourneyPin>;
  /** A start that holds the pin of the id has failed. */
  release(cutover: string, shopper: string, id: string): Promise<void>;
  /** A start that was answered: what it makes of the pin there is (decide/pin.ts), atomic across instances. @returns the pin now */
  start(cutover: string, shopper: string, offer: JourneyPin, maxTtl: number): Promise<JourneyPin>;
  /** Ends the journey: its pin stays for `grace` more seconds. @returns the pin there was, unless it is only held */
  end(cutover: string, shopper: string, grace: number, maxTtl: number): Promise<JourneyPin | undefined>;
}

/** All that an instance keeps of who owns what, and where. */
export interface OwnershipStores {
  readonly owners: OwnerStore;
  readonly pins: PinStore;
  readonly underWay: UnderWayStore;
  /** When the store was last within reach again (monotonic ms), where it can be out of reach at all. */
  backSinceMs?(): number;
  /** Calls back with each new owner, of whichever instance; some can be missed. @returns the way out */
  watch?(onOwner: (cutover: string, key: NamedKey, side: Side) => void): () => void;
  close(): Promise<void>;
}

/** @returns the side that stands in a record; what is none is nobody's word */
export function sideOf(value: unknown): Side | undefined {
  return value === "legacy" || value === "new" ? value : undefined;
}

/** What stands for a shopper in the name of a pin: the first 16 bytes of the SHA-256 of its bytes, in hex. */
export function pinDigest(shopper: string): string {
  return createHash("sha256").update(shopper, "latin1").digest("hex").slice(0, 32);
}
