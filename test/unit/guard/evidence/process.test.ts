import { expect, test } from "vitest";
import type { BlockCounts } from "../../../../src/guard/evidence/likelihood.ts";
import { createProcess, type EvidenceProcess } from "../../../../src/guard/evidence/process.ts";
import { worseOddsTest } from "../../../../src/guard/evidence/tests.ts";
import { createChance } from "../../../../src/guard/simulate/chance.ts";

const { likelihood, prior } = worseOddsTest(1);

/** Blocks of 40 and 20 units, of which some fail. */
function blocks(seed: number, count: number): BlockCounts[] {
  const chance = createChance(seed);
  return Array.from({ length: count }, () => {
    const [legacy, onNew] = [Math.min(40, chance.poisson(1)), Math.min(20, chance.poisson(0.8))];
    return { legacy: 40, onNew: 20, events: legacy + onNew, eventsOnNew: onNew };
  });
}

const feed = (process: EvidenceProcess, list: readonly BlockCounts[]) => {
  for (const block of list) process.block([block], 0.001);
};

test("a new leader goes on from what was written down, to the last bit", () => {
  const list = blocks(7, 400);
  const one = createProcess(likelihood, prior);
  feed(one, list);
  const first = createProcess(likelihood, prior);
  feed(first, list.slice(0, 150));
  const second = createProcess(likelihood, prior, JSON.parse(JSON.stringify(first.state())));
  feed(second, list.slice(150));
  expect(second.state()).toEqual(one.state());
  expect(second.mixture()).toBe(one.mixture());
});

test("without a failure the mixture is worth 1, and what is not spent stays", () => {
  const process = createProcess(likelihood, prior);
  for (let n = 0; n < 100; n += 1) process.block([{ legacy: 9, onNew: 9, events: 0, eventsOnNew: 0 }], 0.01);
  expect(process.mixture()).toBeCloseTo(1, 12);
  expect(process.endless()).toBeCloseTo(100, 9);
});

test("strata of a block multiply", () => {
  const [one, other] = blocks(3, 2);
  if (one === undefined || other === undefined) throw new Error("no blocks");
  const together = createProcess(likelihood, [1, 0, 0, 0, 0, 0]);
  together.block([one, other], 1);
  const apart = [one, other].map((block) => {
    const process = createProcess(likelihood, [1, 0, 0, 0, 0, 0]);
    process.block([block], 1);
    return process.mixture();
  });
  expect(together.mixture()).toBeCloseTo((apart[0] ?? 0) * (apart[1] ?? 0), 12);
});

test("evidence beyond all bounds is a number still, and can come down", () => {
  const process = createProcess(likelihood, prior);
  const allFail = { legacy: 1000, onNew: 1000, events: 900, eventsOnNew: 900 };
  for (let n = 0; n < 50; n += 1) process.block([allFail], 0.01);
  expect(Number.isFinite(process.mixture()) && process.mixture() > 1e200).toBe(true);
  const onlyLegacy = { legacy: 1000, onNew: 1000, events: 900, eventsOnNew: 0 };
  for (let n = 0; n < 50; n += 1) process.block([onlyLegacy], 0.001);
  expect(process.mixture()).toBeLessThan(2);
});

test("a renewed mixture begins anew, and the endless form goes on", () => {
  const process = createProcess(likelihood, prior);
  feed(process, blocks(1, 50));
  const before = process.endless();
  process.renew();
  expect(process.mixture()).toBe(1);
  expect(process.endless()).toBe(before);
});
