/**
 * The ports to where owners, pins and what is under way are kept; behind them memory, a file beside the embedded store,
 * or Redis. One contract suite is for all three. What has got into a record's place and is none counts as absent.
 */
import { hash } from "node:crypto";
import type { JourneyPin } from "../../decide/pin.ts";
import type { Side } from "../../state/rules/model.ts";
import type { ExposureStore } from "../exposure/port.ts";
import type { PastStore } from "../past/port.ts";
import type { UnderWayStore } from "../under-way/port.ts";
import type { OwnersByHand } from "./by-hand.ts";

/**
 * A key and how its owner comes to be. One text may be both: a client that chooses an idempotency key may choose what
 * an upstream will call an order. So there are two records, and neither ever changes the other:
 *
 *   a fact    an upstream has made what the key names and said so in its answer; or a person has written it
 *   a claim   a client was the first to use the key: it names a request, not a thing
 *
 * An order is only where the fact says. A claim begins where the fact says, if there is one, and then stays.
 *
 * A claim with a token is tentative: its request may yet turn out to have been sent to nobody, and then it is given back.
 * No lookup tells of it. Who claims the key meanwhile meets it, and has thereby made it a lasting one, before anything of
 * that other request is sent.
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
   * @param token of a claim that is tentative; random
   * @returns the owner there was before; `undefined` when the side has become it
   * @throws StoreUnavailable when the store does not answer in time: the record may have been made
   */
  record(
    cutover: string,
    key: NamedKey,
    side: Side,
    ttlMs: number,
    late?: boolean,
    token?: string,
  ): Promise<Side | undefined>;
  /**
   * Ends what is tentative: the claim lasts, or is given back. What somebody has met, or is another's, stays as it is.
   *
   * @param isKept whether its request was sent, or may have been
   * @throws StoreUnavailable when the store does not answer in time: it may have been done, or be done yet
   */
  settle(cutover: string, key: NamedKey, token: string, isKept: boolean): Promise<void>;
  /**
   * Ends the key's fact if it is the side's, atomically, and tells every instance. A claim of the key stays as it is.
   *
   * @returns whether it was the side's
   * @throws StoreUnavailable when the store does not answer in time: it may have been done, or be done yet
   */
  release(cutover: string, key: string, side: Side): Promise<boolean>;
  /**
   * Tells every instance of a key that could not be recorded. @throws StoreUnavailable when they may not have heard
   */
  announce?(cutover: string, key: NamedKey, side: Side): Promise<void>;
  /**
   * What share of the memory that it may have the store has in use, 0–1; `undefined` where that has no bound.
   *
   * @throws StoreUnavailable when it does not tell
   */
  memoryInUse?(cutover: string): Promise<number | undefined>;
}

/** The pins of shoppers, of which clients that keep cookies have their own copy. Every method throws StoreUnavailable as above. */
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
  /**
   * The pin's cookie has moved on: the journey of its id has the pin's times from now on, and `ttl` more seconds. Another
   * journey stays as it is.
   */
  keep(cutover: string, shopper: string, pin: JourneyPin, ttl: number): Promise<void>;
  /** A start has made orders: for `ttl` seconds they tell the journey of the id. @param keys byte strings */
  tie(cutover: string, keys: readonly string[], id: string, ttl: number): Promise<void>;
  /**
   * Ends the journey: its pin stays for `grace` more seconds.
   *
   * @param by what must tell the journey; without it the name of the shopper does
   * @returns the pin there was, unless it is only held, or another journey's
   */
  end(
    cutover: string,
    shopper: string,
    grace: number,
    maxTtl: number,
    by?: EndedBy,
  ): Promise<JourneyPin | undefined>;
}

/** What tells which journey a request ends: its id, as its cookie says it, or the orders that its start has made. */
export type EndedBy = { readonly id: string } | { readonly orders: readonly string[] };

/** What an instance hears of the pins that there are, so that it need not ask for those that there are not. */
export interface PinNews {
  /**
   * Tells of every pin there is, in parts.
   *
   * @param maxTtl the journeys' maximum, in seconds
   * @returns from when on (seconds since the epoch) there is none that an earlier release has made without telling
   * @throws StoreUnavailable when it could not be told of all
   */
  list(cutover: string, maxTtl: number, onPins: (digests: readonly string[]) => void): Promise<number>;
  /**
   * @param onPin hears of each pin as it is made
   * @param onHearing whether all of them are heard of from now on; at the beginning nothing is
   * @returns the way out
   */
  watch(
    onPin: (cutover: string, digest: string) => void,
    onHearing: (isHearing: boolean) => void,
  ): () => void;
}

const claimForm = /^(legacy|new)( apart)?(?: tentative (\S+))?$/;

interface StoredClaim {
  readonly side: Side;
  /** It stands apart from a fact, under no `owner`. */
  readonly isApart: boolean;
  readonly token: string | undefined;
}

/** @returns the claim in a record's text: SIDE, `SIDE apart`, either with ` tentative TOKEN`; `undefined` for none */
export function claimIn(value: unknown): StoredClaim | undefined {
  const [, side, apart, token] = claimForm.exec(typeof value === "string" ? value : "") ?? [];
  const known = sideOf(side);
  return known === undefined ? undefined : { side: known, isApart: apart !== undefined, token };
}

/** What processes tell each other beside owners. */
interface News {
  /**
   * A process could not record a key: for so long one that the store does not know may be owned.
   *
   * @param place which store, where it is not that of the states
   */
  doubt?(forMs: number, place?: OwnersPlace): void;
  /** The journey of the id is over, for it has ended or was made void. */
  over?(cutover: string, journey: string): void;
  /** The side's fact of the key has ended. */
  released?(cutover: string, key: string, side: Side): void;
  /** Something may not have been heard. */
  missed?(): void;
}

/** One store, and what is doubted of all that is in it at once. */
export interface OwnersPlace {
  /** When the store was last within reach again (monotonic ms), where it can be out of reach at all. */
  backSinceMs?(): number;
  /** Tells every instance that for so long a key may be owned that the store does not know. Throws as `announce`. */
  tellDoubt?(forMs: number): Promise<void>;
  /** Whether the store may not know what it should, as of `Following` (state/follow/); of a store of owners' own alone. */
  isDoubtful?(forMs: number): boolean;
}

/** All that an instance keeps of who owns what, and where. */
export interface OwnershipStores extends OwnersPlace {
  readonly owners: OwnerStore;
  readonly pins: PinStore;
  readonly pinNews: PinNews;
  readonly underWay: UnderWayStore;
  /** The money at risk. */
  readonly exposure: ExposureStore;
  readonly past: PastStore;
  /** Of the process that people ask. */
  readonly byHand?: OwnersByHand | undefined;
  /** The store of the cutover's owners, where it is not that of the states. */
  placeOf?(cutover: string): OwnersPlace | undefined;
  /** Calls back with each new owner, of whichever instance, and other news; some can be missed. @returns the way out */
  watch?(onOwner: (cutover: string, key: NamedKey, side: Side) => void, news?: News): () => void;
  /** Tells the other processes of the instance of a key that could not be recorded; resolves once they know it. */
  share?(cutover: string, key: NamedKey, side: Side): Promise<void>;
  close(): Promise<void>;
}

/** @returns the side that stands in a record; what is none is nobody's word */
export function sideOf(value: unknown): Side | undefined {
  return value === "legacy" || value === "new" ? value : undefined;
}

/** What stands for a shopper in the name of a pin: the first 16 bytes of the SHA-256 of its bytes, in hex. */
export function pinDigest(shopper: string): string {
  return hash("sha256", Buffer.from(shopper, "latin1"), "hex").slice(0, 32);
}
