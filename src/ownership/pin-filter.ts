/**
 * Which shoppers may have a pin in the store. Who is not in here has none, so that browsing asks nobody: a Bloom filter
 * over the digests of shoppers, loaded once and then kept by what the store tells of each pin as it is made.
 *
 * Its memory is fixed, 2 MiB a cutover at most: of a million pins under way it takes some 5% of all other shoppers for
 * one of them, who are then asked for in vain. Nothing is taken out of it by itself. There are two generations: the
 * older is given up once the last pin in it is over, and the younger takes its place.
 *
 * It tells nothing while that cannot be known: before it is loaded, while the store's news are not heard, and,
 * of clients that keep no cookies, as long as there may be pins of a release that told nobody.
 */
import type { Clock, Timers } from "../base/clock.ts";
import { type PinNews, pinDigest } from "./stores/port.ts";

/** A cutover, whose journeys have pins if it has any, and accounts behind a login. */
interface Pinned {
  readonly name: string;
  /** The journeys' maximum is in seconds. */
  readonly journey: { readonly life: { readonly maxTtl: number } } | undefined;
  /** Seconds that an account stays where its login led it. */
  readonly link?: { readonly for: number } | undefined;
}

export interface PinFilter {
  /** Keeps the pins of these from now on, and of no others. */
  follow(pinned: readonly Pinned[]): void;
  /**
   * @param keepsNone whether the shopper's client keeps no cookies
   * @returns `undefined` while it cannot be told
   */
  mayHave(cutover: string, shopper: string, keepsNone: boolean): boolean | undefined;
  /** A pin is about to be made here, for the shopper of this digest (stores/port.ts). */
  add(cutover: string, digest: string): void;
  close(): void;
}

interface PinFilterOptions {
  readonly news: PinNews;
  readonly clock: Pick<Clock, "now">;
  readonly timers: Timers;
  /** Bits of a generation, a power of two; 2^23 without it. */
  readonly bits?: number;
}

/** Between two attempts to load it. */
const retryMs = 1000;
/** A pin is renewed without being told of anew, and held before it begins: it may end later by so much of its life. */
const slack = 1.5;

interface Kept {
  readonly maxTtl: number;
  readonly pins: Generations;
  /** Seconds since the epoch from when on it is complete for all; `undefined`: it is not loaded. */
  completeFrom: number | undefined;
}

export function createPinFilter({ news, clock, timers, bits = 2 ** 23 }: PinFilterOptions): PinFilter {
  const kept = new Map<string, Kept>();
  let isHearing = false;
  /** Tells a load from those that were given up. */
  let round = 0;

  const add = (cutover: string, digest: string) => {
    const of = kept.get(cutover);
    of?.pins.add(digest, clock.now() + of.maxTtl * slack * 1000, clock.now());
  };
  async function load(cutover: string, of: Kept): Promise<void> {
    const mine = round;
    const isMine = () => mine === round && kept.get(cutover) === of;
    try {
      const from = await news.list(cutover, of.maxTtl, (digests) => {
        for (const digest of digests) add(cutover, digest);
      });
      if (isMine()) of.completeFrom = from;
    } catch {
      timers.after(retryMs, () => {
        if (isMine()) void load(cutover, of);
      });
    }
  }
  function reload(): void {
    round += 1;
    for (const [cutover, of] of kept) {
      of.completeFrom = undefined;
      if (isHearing) void load(cutover, of);
    }
  }
  const leave = news.watch(add, (hears) => {
    isHearing = hears;
    reload();
  });

  return {
    add,
    follow(pinned) {
      const lives = new Map(pinned.map((one) => [one.name, longestOf(one)]));
      for (const cutover of [...kept.keys()]) if (lives.get(cutover) === undefined) kept.delete(cutover);
      for (const [cutover, maxTtl] of lives) {
        if (maxTtl === undefined || kept.get(cutover)?.maxTtl === maxTtl) continue;
        const of: Kept = { maxTtl, pins: createGenerations(bits), completeFrom: undefined };
        kept.set(cutover, of);
        if (isHearing) void load(cutover, of);
      }
    },
    mayHave(cutover, shopper, keepsNone) {
      const of = kept.get(cutover);
      if (!isHearing || of?.completeFrom === undefined) return undefined;
      if (keepsNone && clock.now() < of.completeFrom * 1000) return undefined;
      return !of.pins.isEmpty() && of.pins.has(pinDigest(shopper));
    },
    close() {
      round += 1;
      isHearing = false;
      leave();
    },
  };
}

/** @returns seconds that a pin may live; `undefined`: there are none */
function longestOf({ journey, link }: Pinned): number | undefined {
  if (journey === undefined || link === undefined) return journey?.life.maxTtl ?? link?.for;
  return Math.max(journey.life.maxTtl, link.for);
}

interface Generations {
  add(digest: string, untilMs: number, nowMs: number): void;
  has(digest: string): boolean;
  isEmpty(): boolean;
}

interface Generation {
  readonly words: Uint32Array;
  /** When the last pin in it is over. */
  untilMs: number;
}

function createGenerations(bits: number): Generations {
  let older: Generation | undefined;
  let younger: Generation | undefined;
  /** The older is given up then, or what is in the younger becomes it. */
  let turnAtMs = Number.NEGATIVE_INFINITY;
  const isIn = (generation: Generation | undefined, digest: string) => {
    if (generation === undefined) return false;
    for (let at = 0; at < digest.length; at += wordDigits) {
      const bit = bitOf(digest, at, bits);
      if (((generation.words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  };
  return {
    add(digest, untilMs, nowMs) {
      if (nowMs >= turnAtMs) {
        older = younger;
        younger = undefined;
        turnAtMs = older?.untilMs ?? untilMs;
      }
      younger ??= { words: new Uint32Array(bits >>> 5), untilMs };
      younger.untilMs = Math.max(younger.untilMs, untilMs);
      for (let at = 0; at < digest.length; at += wordDigits) {
        const bit = bitOf(digest, at, bits);
        younger.words[bit >>> 5] = (younger.words[bit >>> 5] ?? 0) | (1 << (bit & 31));
      }
    },
    has: (digest) => isIn(younger, digest) || isIn(older, digest),
    isEmpty: () => younger === undefined && older === undefined,
  };
}

/** Hex digits of a digest that make one place in the filter: of 32 they make four. */
const wordDigits = 8;

function bitOf(digest: string, at: number, bits: number): number {
  return (Number.parseInt(digest.slice(at, at + wordDigits), 16) & (bits - 1)) >>> 0;
}
