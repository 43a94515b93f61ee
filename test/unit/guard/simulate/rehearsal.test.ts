import { expect, test } from "vitest";
import { createChance } from "../../../../src/guard/simulate/chance.ts";
import { assignmentsToAlert, rehearse } from "../../../../src/guard/simulate/rehearsal.ts";

const incident = { perSecond: 50, share: 0.5, failing: { legacy: 0.01, onNew: 1 }, alpha: 0.01 };

test("a new side that fails altogether is rolled back within five seconds of its first failure", () => {
  const rehearsed = rehearse(incident, createChance(1));
  expect(rehearsed).toMatchObject({ verdict: "worse", action: "rollback" });
  expect(rehearsed?.afterMs).toBeLessThanOrEqual(5000);
});

test("both sides failing are held and never rolled back, 20 of 20", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const both = { ...incident, failing: { legacy: 0.9, onNew: 0.9 } };
    expect(rehearse(both, createChance(seed))?.action).toBe("hold");
  }
});

test("a splitter with twice the share is found, and one that is right is not", () => {
  expect(assignmentsToAlert(0.05, 0.1, 5000, createChance(1))).toBeLessThan(2000);
  expect(assignmentsToAlert(0.05, 0.05, 20_000, createChance(1))).toBeUndefined();
});
