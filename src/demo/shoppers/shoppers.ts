/**
 * Sample shoppers: they arrive at random, at a mean rate, each walks from cart to payment (walk.ts), and what
 * they saw is counted. The same seed gives the same shoppers with the same plans in the same order.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { Agent } from "undici";
import { createBrowser } from "./browser.ts";
import { createRandom, type Random } from "./random.ts";
import { createTallying, type Tally } from "./tally.ts";
import { type Habits, planVisit, usualHabits } from "./visit.ts";
import { walk } from "./walk.ts";

export interface ShoppersOptions {
  /** http://HOST:PORT */
  readonly proxyUrl: string;
  /** Mean arrivals a second. */
  readonly rate: number;
  readonly seed: number;
  /** Shoppers under way at once, and so connections; who comes on top is skipped. Default 300. */
  readonly maxConcurrent?: number;
  /** Milliseconds a shopper waits for an answer. Default 35,000: longer than a proxy's usual patience. */
  readonly patienceMs?: number;
  readonly habits?: Partial<Habits>;
  /** The pauses before a failed payment is sent again. Default 0.5, 1, 2 s. */
  readonly retryDelaysMs?: readonly number[];
  /** Resolves after that many milliseconds, or as soon as the signal fires. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface Shoppers {
  tally(): Tally;
  underWay(): number;
  /** Ends all at once; resolves when no shopper walks and no connection is open. */
  stop(): Promise<void>;
}

export function createShoppers(options: ShoppersOptions): Shoppers {
  const { proxyUrl, rate, seed, maxConcurrent = 300, patienceMs = 35_000, now = Date.now } = options;
  const { pause = waitOrStop, retryDelaysMs = [500, 1000, 2000] } = options;
  const habits = { ...usualHabits, ...options.habits };
  const dispatcher = new Agent({
    connections: maxConcurrent,
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
  });
  const stopping = new AbortController();
  const { signal } = stopping;
  // Every shopper under way listens to it: their number is bounded by maxConcurrent, not by Node's ten.
  setMaxListeners(0, signal);
  const tally = createTallying();
  const underWay = new Set<Promise<void>>();
  // Keys differ from run to run even with one seed: a key that was used before has an owner already.
  const run = randomUUID();
  let visits = 0;

  async function visit(random: Random): Promise<void> {
    const plan = planVisit(random, habits);
    visits += 1;
    tally.begun();
    const ending = await walk({
      visit: plan,
      browser: createBrowser({ dispatcher, origin: proxyUrl, shopper: plan.shopper, signal, now }),
      tally,
      idempotencyKey: `${run}-${visits}`,
      retryDelaysMs,
      pause: (milliseconds) => pause(milliseconds, signal),
      signal,
    });
    if (ending !== undefined) tally.ended(ending);
  }

  async function arrive(): Promise<void> {
    const random = createRandom(seed);
    while (!signal.aborted) {
      // Exponential gaps: arrivals that know nothing of each other.
      await pause((-Math.log(1 - random.next()) * 1000) / rate, signal);
      const own = random.fork();
      if (signal.aborted) break;
      if (underWay.size >= maxConcurrent) {
        tally.skipped();
        continue;
      }
      const walking = visit(own);
      underWay.add(walking);
      void walking.finally(() => underWay.delete(walking));
    }
  }

  const arrivals = arrive();
  return {
    tally: () => tally.current(),
    underWay: () => underWay.size,
    async stop() {
      stopping.abort();
      await arrivals;
      await Promise.all(underWay);
      await dispatcher.destroy();
    },
  };
}

function waitOrStop(milliseconds: number, signal: AbortSignal): Promise<void> {
  return wait(milliseconds, undefined, { signal }).catch(() => undefined);
}
