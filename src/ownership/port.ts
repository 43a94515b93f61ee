/**
 * Who owns an order or a key, and where a journey goes on. The one thing the data plane may wait for: only requests that
 * carry a key, responses a key is learned from, and starts and shoppers who may have a journey and show no cookie of it
 * come here.
 */
import type { JourneyPin } from "../decide/pin.ts";
import type { Side } from "../state/rules/model.ts";
import type { EndedBy, NamedKey } from "./stores/port.ts";

/** The key's bytes as found in the request or response; claimed by its first use, or learned from a response. */
export interface OwnerKey extends NamedKey {
  readonly ttlMs: number;
  /** The side its form tells: such a key is neither looked up nor recorded. */
  readonly side?: Side;
  /** What it names, where that is no order; only orders are counted until they are finished. */
  readonly what?: "cart" | "other" | undefined;
  /** What the order is worth that an answer of new has made, in minor units; where the cutover asks for it. */
  readonly amount?: number;
}

/** A request with keys that is under way: where it is among those that are. Whoever counts them sets it. */
export interface KeyCarrier {
  /** At the key desk. */
  deskAt?: number;
  /** In the book of the past. */
  pastAt?: number;
}

export interface Found {
  /** In config order. */
  readonly keys: readonly OwnerKey[];
  /** The owners, at the places of the keys; `undefined` where none is known. */
  readonly sides: readonly (Side | undefined)[];
  /** The owner of the first key that has one. */
  readonly owner: Side | undefined;
  /** Whether a key is claimed by use and nobody is known to own it. */
  readonly claimable: boolean;
  /** There is no owner, but the store could not be asked in time, or is only just back: there may be one. */
  readonly unknown: boolean;
}

export interface Claimed {
  /** The owner of the first key that had one before; `undefined` when all of them are the side's now. */
  readonly owner: Side | undefined;
  /** A claim could not be recorded in time. */
  readonly unknown: boolean;
  /**
   * Where claims are tentative: to be called once it is known whether the request was sent, or may have been; else they
   * are given back. Never throws.
   */
  readonly settle?: ((sent: boolean) => void) | undefined;
}

export interface Ownership {
  /**
   * By form, then from memory, then from the store.
   *
   * @param claims whether what can be claimed will be, as it is without it: the claim then tells the owner
   * @returns at once when the store need not be asked; never rejects
   */
  find(cutover: string, keys: readonly OwnerKey[], claims?: boolean): Found | Promise<Found>;
  /**
   * Claims the claimable keys for the side before a byte is forwarded, atomically across instances. Never rejects.
   *
   * @param must what cannot be recorded in time is not claimed: the request will be refused
   */
  claim(cutover: string, found: Found, side: Side, must: boolean): Promise<Claimed>;
  /**
   * Who owns a key, asked by a person: by fact, else by claim. Counts nothing. Never rejects.
   *
   * @returns `undefined`: nobody; `unknown`: that cannot be told just now
   */
  ownerOf(cutover: string, key: string): Promise<Side | undefined | "unknown">;
  /** Records that the side made these keys; resolves once that is safe, or as safe as it can be in time. */
  learn(cutover: string, keys: readonly OwnerKey[], side: Side): Promise<void>;
  /**
   * The side has nothing more to do with what it made under these keys: those that it owns are nobody's now, on every
   * instance. While the store is away they are kept for their time. Never rejects.
   */
  release(cutover: string, keys: readonly OwnerKey[], side: Side): Promise<void>;
}

/** The money at risk on new (exposure/). */
export interface MoneyAtRisk {
  /** Whether it is over its cap, so that new journeys of the cutover go to legacy. For the request path. */
  isOver(cutover: string): boolean;
}

/** Keys that nobody owns yet (unowned.ts). */
export interface Unowned {
  /**
   * @param what a key, or what stands for one that could not be read; a byte string
   * @param forMs how long after the first asking
   * @returns whether its owner may still be told
   */
  mayBeTold(cutover: string, what: string, forMs: number): boolean;
}

interface PinSought {
  /** Whether the client keeps no cookies at all. */
  readonly keepsNone: boolean;
  /** Whether any pin may say another side than the bucket; if not, only those that are known to be there are asked for. */
  readonly differs: () => boolean;
}

/** The journeys of shoppers, whose clients may show no cookie of theirs. What the store does not answer in time counts as no pin. */
export interface Pins {
  /**
   * @param shopper a byte string
   * @param maxTtl the journey's maximum, in seconds
   * @param of the shopper's client, and how far the bucket can be relied on
   * @returns at once when it is remembered, or known that there is none; never rejects
   */
  find(
    cutover: string,
    shopper: string,
    maxTtl: number,
    of: PinSought,
  ): JourneyPin | undefined | Promise<JourneyPin | undefined>;
  /** A start is to be sent: its side is held, or that of a journey or start there is. @returns that; never rejects */
  reserve(
    cutover: string,
    shopper: string,
    offer: JourneyPin,
    maxTtl: number,
    reserveTtl: number,
  ): Promise<JourneyPin>;
  /** A start that holds the pin of the id has failed. Never rejects. */
  release(cutover: string, shopper: string, id: string): Promise<void>;
  /** Begins a journey, or goes on with the one there is. @returns the pin there is now; never rejects */
  start(cutover: string, shopper: string, offer: JourneyPin, maxTtl: number): Promise<JourneyPin>;
  /** The journey's cookie has moved on: its pin ends with it, in `ttl` seconds. Never rejects. */
  keep(cutover: string, shopper: string, pin: JourneyPin, ttl: number): Promise<void>;
  /** The start of the journey of the id has made these orders. Never rejects. */
  tie(cutover: string, keys: readonly string[], id: string, ttl: number): Promise<void>;
  /**
   * The journey is over: its pin stays for `grace` more seconds.
   *
   * @param by what must tell the journey (stores/port.ts)
   * @returns it; never rejects
   */
  end(
    cutover: string,
    shopper: string,
    grace: number,
    maxTtl: number,
    by?: EndedBy,
  ): Promise<JourneyPin | undefined>;
}

/** A journey began; a request of it was answered; an answer has ended it. */
export type JourneyEvent = "start" | "seen" | "end";

/** What an instance hears of its journeys and orders, to be counted in the fleet. No method of it throws. */
export interface Notebook {
  /** A journey was answered. @param pin as it is from now on; its id tells one journey from another */
  seen(cutover: string, pin: JourneyPin, event: JourneyEvent): void;
  /** A side has made an order. @param key a byte string; only a digest of it is noted */
  learned(cutover: string, key: string, side: Side, ttlMs: number): void;
  /** An answer that finishes orders named it, or was given to a request that did, by either side. */
  finished(cutover: string, key: string): void;
  /** Hands over what is noted. Never rejects. */
  flush(): Promise<void>;
  /** Hands over what is noted and ends. Never rejects. */
  close(): Promise<void>;
}

export const overBudgetCauses = ["client", "memory"] as const;
export type OverBudgetCause = (typeof overBudgetCauses)[number];

/** What a cutover lets be claimed. */
export interface ClaimLimits {
  /** By one client; `undefined`: any number. */
  readonly perMinute: number | undefined;
  /** The share of the store's memory, 0–1, from which on nothing is claimed. */
  readonly memoryShare: number;
}

/** Claims of one client, told from one process of the instance to the others. */
export interface SpentClaims {
  readonly cutover: string;
  readonly client: string;
  readonly claims: number;
}

export interface OverBudget {
  readonly cause: OverBudgetCause;
  /** When to come again. */
  readonly afterSeconds: number;
}

export interface ClaimBudget {
  /**
   * Takes the claims of one request, all or none.
   *
   * @param client an address; `undefined`: one that is not counted
   * @returns why it may not have them
   */
  take(
    cutover: string,
    client: string | undefined,
    claims: number,
    limits: ClaimLimits,
  ): OverBudget | undefined;
  /** A request was to have more than it may: it was refused, or sent without a claim. */
  exceeded(cutover: string, cause: OverBudgetCause, outcome: "refused" | "unclaimed"): void;
  /** Another process of the instance has let them through. */
  hear(spent: SpentClaims): void;
}

/** Why an answer could not be read. */
export const unreadReasons = [
  "too_large",
  "coding",
  /** It is not what its type or its coding says. */
  "malformed",
  /** It is neither JSON nor a form, and says no such thing: a page, for one. */
  "not_json",
  /** It goes on while it is read, as events do. */
  "stream",
  "broken_off",
  /** It names a key that is too long to count. */
  "long_key",
] as const;
export type UnreadReason = (typeof unreadReasons)[number];
