import { describe, expect, test } from "vitest";
import type { Findings, TestFinding } from "../../../../src/guard/evidence/evidence.ts";
import { judgeSides, type Situation, verdicts } from "../../../../src/guard/verdict/verdict.ts";

const calm: TestFinding = { odds: 1, actsAt: 1000, hasFired: false };
const fired = (odds = 2000): TestFinding => ({ odds, actsAt: 1000, hasFired: true });
const none: Findings = { failures: calm, tooMany: calm, paid: calm, slow: calm, tooManyOnLegacy: calm };

function situation(found: Partial<Findings>, more: Partial<Situation> = {}): Situation {
  return {
    findings: { ...none, ...found },
    sides: { legacy: { units: 8104, failed: 81 }, onNew: { units: 902, failed: 37 } },
    hasPassedAStep: true,
    isProven: false,
    silent: [],
    ...more,
  };
}

describe("the verdict, and what follows from it", () => {
  test.each([
    ["nothing found, nothing proven", {}, {}, "insufficient evidence", undefined],
    ["the gate is passed", {}, { isProven: true }, "healthy", undefined],
    [
      "a test is half of its way",
      { failures: { ...calm, odds: 40 } },
      { isProven: true },
      "watching",
      undefined,
    ],
    ["new fails more, proven before", { failures: fired() }, {}, "worse", "rollback"],
    ["new fails more, in the first step", { failures: fired() }, { hasPassedAStep: false }, "worse", "hold"],
    [
      "new fails too much, in the first step",
      { tooMany: fired() },
      { hasPassedAStep: false },
      "worse",
      "rollback",
    ],
    ["payments stay away", { paid: fired() }, {}, "worse", "rollback"],
    ["new is slow", { slow: fired() }, {}, "worse", "hold"],
    ["slow as well as failing", { slow: fired(), failures: fired() }, {}, "worse", "rollback"],
    ["as configured", { failures: fired() }, { action: "alert" }, "worse", "alert"],
    ["hold as configured", { tooMany: fired() }, { action: "hold" }, "worse", "hold"],
    ["legacy is sick as well", { tooMany: fired(), tooManyOnLegacy: fired() }, {}, "both sick", "hold"],
    [
      "legacy is sick, and rollback is configured",
      { failures: fired(), tooManyOnLegacy: fired() },
      { action: "rollback" },
      "both sick",
      "hold",
    ],
    [
      "legacy is half of its way to being sick",
      { tooMany: fired(), tooManyOnLegacy: { ...calm, odds: 40 } },
      {},
      "both sick",
      "hold",
    ],
    ["legacy is in maintenance", {}, { isProven: true, isLegacyMaintained: true }, "legacy sick", "hold"],
    [
      "legacy is in maintenance, and new fails more",
      { tooMany: fired() },
      { action: "rollback", isLegacyMaintained: true },
      "both sick",
      "hold",
    ],
    ["legacy alone is sick", { tooManyOnLegacy: fired() }, {}, "legacy sick", "hold"],
    ["counts are missing", {}, { silent: ["pod-2"], isProven: true }, "blind", undefined],
    [
      "counts are missing, and the rest is enough",
      { failures: fired() },
      { silent: ["pod-2"] },
      "worse",
      "rollback",
    ],
  ] as const)("%s", (_, found, more, verdict, action) => {
    const judged = judgeSides(situation(found, more));
    expect(judged.verdict).toBe(verdict);
    expect(judged.action).toBe(action);
    expect(verdicts).toContain(judged.verdict);
  });
});

describe("the sentence", () => {
  test("tells failures, odds and when it acted", () => {
    expect(judgeSides(situation({ failures: fired(212.9) }, { sinceFirstFailureMs: 2100 })).sentence).toBe(
      "new fails 4.1% (37 of 902), legacy 1.0% (0.7 to 6.3 points of difference): worse with odds 212 to 1, rolled back 2.1 s after the first failure",
    );
  });

  test("tells payments where these decided", () => {
    const onLegacy = { begunOnLegacy: 4200, paidOnLegacy: 2500 };
    const payments = { ...onLegacy, begunOnNew: 420, paidOnNew: 81, wouldBePaid: 249.6 };
    expect(judgeSides(situation({ paid: fired(1500) }, { payments })).sentence).toBe(
      "of 420 journeys on new 81 were paid, of legacy's as many would be 250 (19.3 and 59.5 of 100): worse with odds 1,500 to 1 (payments), rolled back",
    );
  });

  test("tells one journey as one", () => {
    const payments = { begunOnLegacy: 10, paidOnLegacy: 5, begunOnNew: 1, paidOnNew: 1, wouldBePaid: 0.5 };
    expect(judgeSides(situation({ paid: fired(1500) }, { payments })).sentence).toMatch(
      /^of 1 journey on new 1 was paid, /,
    );
  });

  test("tells that new shoppers are not split as configured, which makes watching of it and alerts", () => {
    const share = { of: "", configured: 0.1, assigned: 3120, onNew: 131, odds: 3e7, isOff: true };
    const judged = judgeSides(situation({}, { share, isProven: true }));
    expect(judged).toMatchObject({ verdict: "watching", action: "alert" });
    expect(judged.sentence).toMatch(
      /: watching, alerted, 4\.2% of 3,120 new shoppers came to new where 10\.0% should \(odds above a million to 1\)$/,
    );
    expect(judgeSides(situation({ failures: fired() }, { share })).action).toBe("rollback");
    const fine = judgeSides(situation({}, { share: { ...share, isOff: false }, isProven: true }));
    expect(fine).toMatchObject({ verdict: "healthy" });
  });

  test("tells a sick legacy, silence, and that nothing came", () => {
    expect(judgeSides(situation({}, { isLegacyMaintained: true })).sentence).toContain(
      "legacy sick, since legacy is in maintenance",
    );
    expect(judgeSides(situation({ tooManyOnLegacy: fired(3e7) })).sentence).toBe(
      "legacy fails 1.0% (81 of 8,104), new 4.1%: legacy sick with odds above a million to 1 that legacy fails too often, held",
    );
    expect(judgeSides(situation({}, { silent: ["pod-2", "pod-3"] })).sentence).toContain(
      "blind, no counts from pod-2, pod-3",
    );
    expect(judgeSides(situation({ failures: fired() }, { silent: ["pod-2"] })).sentence).toMatch(
      /rolled back, without counts of pod-2$/,
    );
    const nobody = { units: 0, failed: 0 };
    expect(judgeSides(situation({}, { sides: { legacy: nobody, onNew: nobody } })).sentence).toBe(
      "no attempt has reached new in this step: insufficient evidence",
    );
  });
});
