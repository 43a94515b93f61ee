import { describe, expect, test } from "vitest";
import type { CutoverView } from "../../../../src/admin/api/cutover-view.ts";
import { nextRaise, offerOf, whyNotApproved } from "../../../../src/admin/api/offers.ts";

const idle = { clientErrors: 0, shares: null, inFlight: 0, oldestInFlightSeconds: null };
const side = { requests: 0, errors: 0, errorRate: null, p50: null, p99: null, ...idle };
const view: CutoverView = {
  ...{ name: "payment", legacy: "social-shop", new: "marketplace", percent: 10, state: "open", version: 42 },
  ...{ pinEpoch: 0, updatedAt: "", updatedBy: "", reason: "", scope: "fleet" },
  traffic: { windowSeconds: 60, legacy: side, new: side },
  ...{ journeys: null, unfinished: null, instances: { live: 1, applied: 1, silent: [] } },
  ...{ stillLegacy: [], warnings: [] },
};
const after = { name: "cart", state: "open", percent: 25, heldBy: "cart" } as const;

describe("the next raise that is offered", () => {
  test.each([
    [0, 1],
    [10, 25],
    [26, 50],
    [99.9, 100],
  ])("from %d%% is to %d%%", (percent, to) => {
    expect(nextRaise({ ...view, percent }, "operator")).toEqual({ kind: "made", to });
  });

  test("is none at 100%", () => {
    expect(nextRaise({ ...view, percent: 100 }, "operator")).toBeUndefined();
  });

  test("goes no further than what it goes after lets it, and says who does not at the end of it", () => {
    const held = { ...view, after };
    expect(nextRaise(held, "operator")).toEqual({ kind: "made", to: 25 });
    expect(nextRaise({ ...held, percent: 20, after: { ...after, percent: 22.5 } }, "operator")).toEqual({
      kind: "made",
      to: 22.5,
    });
    expect(nextRaise({ ...held, percent: 25 }, "operator")).toEqual({
      kind: "none",
      why: "cart lets it go no further than 25%: raise cart first",
    });
  });

  test("is a proposal by four eyes, also for what one has raised lately", () => {
    const limited = { ...view, approval: { over: 20, ttlSeconds: 60, windowSeconds: 3600 } };
    expect(nextRaise(limited, "operator")).toEqual({ kind: "made", to: 25 });
    expect(nextRaise(limited, "operator", 10)).toEqual({ kind: "proposed", to: 25 });
  });

  test("is none to who may not raise, nor while it is held, rolled back or closed", () => {
    expect(nextRaise(view, "responder")).toEqual({ kind: "none", why: "it takes the role operator" });
    for (const [state, why] of [
      ["held", "it is held: resume it first"],
      ["rolled_back", "it is rolled back: resume it first"],
      ["closed", "social-shop is closed for good"],
    ] as const)
      expect(nextRaise({ ...view, state }, "admin")).toEqual({ kind: "none", why });
  });

  test("is judged where it is typed, too", () => {
    expect(offerOf({ ...view, after }, 26, "operator")).toMatchObject({ kind: "none" });
    expect(offerOf({ ...view, after }, 24.5, "operator")).toEqual({ kind: "made", to: 24.5 });
    expect(offerOf(view, 12.34567, "operator")).toEqual({ kind: "none", why: "that is no percent" });
  });
});

describe("an approval", () => {
  const proposal = {
    ...{ id: "f3a1c09b", name: "payment", force: false, version: 42, by: "ana", reason: "step 4" },
    ...{ at: "2025-03-01T12:00:00.004Z", expiresAt: "2025-03-01T12:30:00.004Z" },
  };
  const limited = { ...view, approval: { over: 1, ttlSeconds: 60, windowSeconds: 0 }, after };
  const why = (action: "set" | "close" | "plan", percent: number, more: Partial<CutoverView> = {}) =>
    whyNotApproved({ ...limited, proposal: { ...proposal, action, percent }, ...more }, "admin");

  test("is not offered of a raise that what goes ahead would hold, nor of a close before it", () => {
    expect(why("set", 25)).toBeUndefined();
    expect(why("set", 50)).toBe("cart lets it go no further than 25%: raise cart first");
    const full = { percent: 100, after: { ...after, percent: 100, heldBy: null } };
    expect(why("close", 100, full)).toBe("cart is not closed: close that first");
    expect(why("close", 100, { ...full, after: { ...full.after, state: "closed" } })).toBeUndefined();
  });

  test("of a plan is, for its steps wait by themselves", () => {
    expect(why("plan", 100)).toBeUndefined();
  });
});
