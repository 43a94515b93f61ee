import { expect, test } from "vitest";
import {
  createEvidence,
  type Evidence,
  type EvidenceSettings,
  firedOf,
  type Sides,
} from "../../../../src/guard/evidence/evidence.ts";
import { createChance } from "../../../../src/guard/simulate/chance.ts";

const settings: EvidenceSettings = {
  alpha: 0.01,
  blocksADay: 43_200,
  tolerance: 1,
  mostFailing: 0.1,
  minFailures: 3,
};

/** Twenty shoppers on each side in a block. */
const sides = (legacyFailed: number, newFailed: number): Sides => ({
  legacy: { units: 20, failed: legacyFailed },
  onNew: { units: 20, failed: newFailed },
});

function feed(evidence: Evidence, blocks: readonly Sides[], looks: readonly ("quick" | "late")[]): void {
  blocks.forEach((block, at) => {
    for (const look of looks) evidence.attempts(look, [block], at === 0);
  });
}

const repeat = (count: number, block: Sides) => Array.from({ length: count }, () => block);

function drawn(seed: number, count: number, legacy: number, onNew: number): Sides[] {
  const chance = createChance(seed);
  const failed = (risk: number) =>
    Array.from({ length: 20 }, () => chance.uniform()).filter((u) => u < risk).length;
  return Array.from({ length: count }, () => sides(failed(legacy), failed(onNew)));
}

test("new that fails is found by both looks within two blocks", () => {
  for (const look of ["quick", "late"] as const) {
    const evidence = createEvidence(settings);
    feed(evidence, repeat(2, sides(0, 20)), [look]);
    expect(firedOf(evidence.findings())).toEqual(["failures", "tooMany"]);
  }
});

test("fewer failed shoppers than are asked for act on nothing", () => {
  const evidence = createEvidence({ ...settings, minFailures: 30 });
  feed(evidence, repeat(1, sides(0, 20)), ["late"]);
  expect(firedOf(evidence.findings())).toEqual([]);
  expect(evidence.findings().failures.odds).toBeGreaterThan(evidence.findings().failures.actsAt);
});

test("equal sides are left alone", () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const evidence = createEvidence(settings);
    feed(evidence, drawn(seed, 1000, 0.02, 0.02), ["quick", "late"]);
    expect(firedOf(evidence.findings())).toEqual([]);
  }
});

test("a side that fails faster is not worse: quick alone sees it, and does not act", () => {
  const evidence = createEvidence(settings);
  const late = drawn(5, 2000, 0.03, 0.03);
  late.forEach((block, at) => {
    // Legacy's failures are timeouts, which the quick look cannot know yet.
    const quick = { legacy: { units: 20, failed: 0 }, onNew: block.onNew };
    evidence.attempts("quick", [quick], at === 0);
    evidence.attempts("late", [block], at === 0);
  });
  expect(evidence.findings().failures.hasFired).toBe(false);
  expect(evidence.findings().failures.odds).toBeGreaterThan(1e6);
});

test("after an hour of health the quick look still sees an outage within a few blocks", () => {
  const evidence = createEvidence(settings);
  feed(evidence, drawn(9, 1800, 0.01, 0.01), ["quick", "late"]);
  evidence.attempts("quick", [sides(0, 20)], false);
  evidence.attempts("quick", [sides(0, 20)], false);
  expect(firedOf(evidence.findings())).toContain("failures");
});

test("legacy that fails too often is found for itself", () => {
  const evidence = createEvidence(settings);
  feed(evidence, repeat(3, sides(15, 1)), ["late"]);
  expect(evidence.findings().tooManyOnLegacy.hasFired).toBe(true);
  expect(firedOf(evidence.findings())).toEqual([]);
});

test("payments that stay away are found, and slowness by its own test", () => {
  const evidence = createEvidence(settings);
  for (let n = 0; n < 30; n += 1) {
    evidence.paid([{ legacy: 40, onNew: 40, events: 2, eventsOnNew: 0 }], n === 0);
    evidence.slow([sides(0, 6)], n === 0);
  }
  expect(firedOf(evidence.findings())).toEqual(["paid", "slow"]);
});

test("a new leader goes on from what was written down, to the last bit", () => {
  const blocks = drawn(3, 600, 0.02, 0.03);
  const one = createEvidence(settings);
  feed(one, blocks, ["quick", "late"]);
  const first = createEvidence(settings);
  feed(first, blocks.slice(0, 250), ["quick", "late"]);
  const second = createEvidence(settings, JSON.parse(JSON.stringify(first.state())));
  for (const block of blocks.slice(250)) {
    for (const look of ["quick", "late"] as const) second.attempts(look, [block], false);
  }
  expect(second.state()).toEqual(one.state());
  expect(second.findings()).toEqual(one.findings());
});

test("after resume the evidence is new, at twice the odds until the day is over", () => {
  const evidence = createEvidence({ ...settings, blocksADay: 10 });
  feed(evidence, repeat(4, sides(0, 20)), ["late"]);
  const before = evidence.findings().failures;
  evidence.resume();
  expect(evidence.findings().failures).toEqual({ odds: 1, actsAt: 2 * before.actsAt, hasFired: false });
  feed(evidence, repeat(7, sides(0, 0)), ["late", "quick"]);
  for (let n = 0; n < 4; n += 1) evidence.attempts("quick", [sides(0, 0)], false);
  expect(evidence.findings().failures.actsAt).toBe(before.actsAt);
});
