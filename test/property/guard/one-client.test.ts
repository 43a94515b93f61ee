/**
 * One broken client for a day, through the very windows and looks that count requests: it begins a journey each minute,
 * which fails, and rolls nobody back.
 */
import { expect, test } from "vitest";
import { firedOf } from "../../../src/guard/evidence/evidence.ts";
import { createChance } from "../../../src/guard/simulate/chance.ts";
import { createWeighing } from "../../../src/guard/watch/weighing.ts";
import { createGuardCounting } from "../../../src/guard/window/counting.ts";
import { createLooks } from "../../../src/guard/window/looks.ts";
import type { Decided, ExchangeRecord } from "../../../src/proxy/witness.ts";
import { initialState } from "../../../src/state/rules/model.ts";
import { recordOf } from "../../support/exchange-record.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const runs = isFull ? 100 : 1;
const hours = isFull ? 24 : 2;

const blockMs = 10_000;
const times = { blockMs, quickAfterMs: 1000, lateAfterMs: 10_000, followsJourneys: true };
const state = { ...initialState(), percentThousandths: 10_000, version: 1 };
const theClient = 77;

/** One journey a second begins, a tenth of them on new; six of ten are paid after some minutes, and nothing else fails. */
function run(seed: number) {
  const chance = createChance(seed);
  let now = 1_000_000_000;
  const clock = { now: () => now, monotonic: () => now };
  const counting = createGuardCounting(clock, () => now);
  const all = { attempts: true, starts: true, ends: true, assigns: true };
  const witness = counting.witness("checkout", times, all);
  const evidence = {
    ...{ alpha: 0.01, blocksADay: 8640, tolerance: 1 },
    ...{ mostFailing: 0.1, minFailures: 3 },
  };
  const looks = createLooks(times, now);
  const weighing = createWeighing({ times, evidence, longestJourneyMs: 4 * 3_600_000 }, undefined, false);
  const due: [atMs: number, record: ExchangeRecord, startedAt: number][][] = [];
  const record = (bucket: number) => {
    const side = bucket < state.percentThousandths ? "new" : "legacy";
    const decided: Decided = {
      ...{ decision: { side, reason: "bucket" }, state, bucket, pin: undefined, keys: [], named: new Set() },
      ...{ carried: false, shopper: undefined, begun: undefined },
    };
    return recordOf({ side, decided, arrivedAt: now });
  };
  const beganAt = now;
  for (let second = 0; second < hours * 3600; second += 1) {
    now = beganAt + second * 1000;
    const each = record(Math.floor(chance.uniform() * 100_000));
    witness.decided?.(each);
    witness.settled?.(each, "ok");
    if (chance.uniform() < 0.6) {
      const at = second + Math.ceil(180 * Math.exp(0.7 * chance.normal()));
      const list = due[at] ?? [];
      due[at] = list;
      list.push([at, each, Math.floor(now / 1000)]);
    }
    for (const [, payer, startedAt] of due[second] ?? []) {
      const pin = {
        id: "a",
        side: payer.side === "new" ? "new" : "legacy",
        epoch: 0,
        startedAt,
        expiresAt: 0,
      } as const;
      witness.journeyed?.(payer, pin, "end");
    }
    due[second] = [];
    if (second % 60 === 30) {
      const its = record(theClient);
      witness.decided?.(its);
      witness.settled?.(its, "server_error");
    }
    if (second % 10 !== 1) continue;
    for (const looked of looks.due(now, [{ throughMs: now, blocks: counting.reports().checkout ?? [] }], 0)) {
      weighing.take(looked, { onLate: () => {}, onPaid: () => {} });
    }
    const fired = firedOf(weighing.found(1).findings);
    if (fired.length > 0) return { fired };
  }
  const { payments, sides } = weighing.found(1);
  const { begunOnNew = 0, paidOnNew = 0 } = payments ?? {};
  return { failed: sides.onNew.failed, begunOnNew, paid: paidOnNew / begunOnNew };
}

test(`one client that fails each minute for ${hours} h makes the guard do nothing, ${runs} of ${runs}`, {
  timeout: 3_600_000,
}, () => {
  for (let seed = 1; seed <= runs; seed += 1) {
    const found = run(seed);
    expect(found, `seed ${seed}`).toMatchObject({ failed: 1 });
    // Everybody else is counted.
    expect(found.begunOnNew).toBeGreaterThan(hours * 300);
    expect(found.paid).toBeGreaterThan(0.4);
  }
  console.log(`one client failing each minute for ${hours} h: no action in ${runs} of ${runs}`);
});
