/**
 * A Redis that refuses to be written for a while, under load, over two instances of two workers: no request fails by it
 * but for the 503 of `unknown: retry`, no callback goes astray, and no order that nobody knows is taken for free.
 */
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { startRefusingFleet, startShoppers } from "../support/refusing-fleet.ts";
import { type Refusal, refusals } from "../support/refusing-redis.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const refusedMs = isFull ? 60_000 : 2500;
const shoppers = isFull ? 16 : 6;
/** By when each process has heard of a refusal. */
const heardMs = 1000;
const staleAfterMs = isFull ? 5000 : 1500;

const pause: Refusal = {
  word: "nothing (paused)",
  begin: (redis) => redis.cli("CLIENT", "PAUSE", refusedMs, "WRITE"),
  end: (redis) => redis.cli("CLIENT", "UNPAUSE"),
};
const some = isFull ? [...refusals, pause] : refusals.filter(({ word }) => /OOM|READONLY/.test(word));

test.each(some)(
  `Redis says $word to writes for ${refusedMs} ms under load (SEED=${seed})`,
  async (refusal) => {
    const fleet = await startRefusingFleet(`${staleAfterMs}ms`);
    try {
      const numbers = fc.sample(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
        seed,
        numRuns: 1000,
      });
      let at = 0;
      const { outcome, end } = startShoppers(fleet, shoppers, () => numbers[at++ % numbers.length] ?? 0);
      await expect.poll(() => outcome.orders, { timeout: 60_000 }).toBeGreaterThan(10);
      expect(outcome).toMatchObject({ failed: [], misdelivered: [], comeAgain: 0 });

      await refusal.begin(fleet.redis);
      const refusedAtMs = performance.now();
      await sleep(refusedMs);
      const duringMs = performance.now();
      const made = outcome.orders;
      await refusal.end(fleet.redis);
      await end();
      await expect.poll(() => fleet.metric("cutover_ownership_spool_waiting"), { timeout: 15_000 }).toBe(0);

      const late = <T extends { readonly atMs: number }>(all: readonly T[]) =>
        all.filter(({ atMs }) => atMs > refusedAtMs + heardMs && atMs < duringMs);
      const { orders, callbacks, comeAgain, failed, misdelivered, believed, lost } = outcome;
      console.log(
        `${refusal.word}: ${orders} orders, ${callbacks} callbacks, ${comeAgain} told to come again, ${failed.length} failed,`,
        `${misdelivered.length} astray, ${late(believed).length} of nobody's taken for free later than ${heardMs} ms`,
      );
      expect(made).toBeGreaterThan(10);
      expect(failed).toEqual([]);
      expect(lost).toEqual([]);
      expect(late(misdelivered)).toEqual([]);
      expect(late(believed)).toEqual([]);
      const { wrong } = await fleet.sides.stats();
      expect(wrong.filter((order) => order.startsWith("O-"))).toHaveLength(misdelivered.length);
      expect(await fleet.metric("cutover_ownership_disputed_total")).toBe(0);
    } finally {
      await fleet.stop();
    }
  },
  240_000,
);
