import { describe, expect, test } from "vitest";
import {
  completionOf,
  leaseMs,
  type RosterMember,
  reachOf,
  type WhenStale,
} from "../../../../src/state/rules/completion.ts";

const nowMs = 1_000_000;
const legacy: WhenStale = { afterMs: 10_000, legacy: ["checkout"] };
/** With the millisecond the store's clock is rounded down by, and what clocks may drift apart. */
const afterMs = 10_000 * 1.001 + 1;

function member(id: string, version: number, agoMs: number, stale?: WhenStale): RosterMember {
  const seenAtMs = nowMs - agoMs;
  return { id, startedAt: "", versions: { checkout: version }, seenAtMs, ...(stale && { stale }) };
}

const of = (reach: "live" | "new_journeys" | "everything", ...members: RosterMember[]) =>
  completionOf({ nowMs, members }, "checkout", 3, reach);

describe("reachOf", () => {
  test.each([
    [{ action: "set", percentThousandths: 20 }, 10, "live"],
    [{ action: "set", percentThousandths: 10 }, 10, "live"],
    [{ action: "set", percentThousandths: 9 }, 10, "new_journeys"],
    [{ action: "set", percentThousandths: 20 }, undefined, "new_journeys"],
    [{ action: "rollback" }, 10, "new_journeys"],
    [{ action: "hold" }, 10, "live"],
    [{ action: "resume" }, 10, "live"],
    [{ action: "rollback_hard" }, 10, "everything"],
    [{ action: "close" }, 10, "everything"],
  ] as const)("%j from %s needs %s", (change, before, reach) => {
    expect(reachOf(change, before)).toBe(reach);
  });
});

describe("completionOf", () => {
  test("complete when every live instance has it", () => {
    expect(of("new_journeys", member("a", 3, 0), member("b", 4, 2999))).toEqual({
      instances: 2,
      of: 2,
      lagging: [],
      completeByMs: nowMs,
      isComplete: true,
      nowMs,
    });
  });

  test("a silent instance that turns to legacy is named, with the moment at which it certainly has", () => {
    const silent = member("b", 2, leaseMs, legacy);
    expect(of("new_journeys", member("a", 3, 0), silent)).toMatchObject({
      instances: 1,
      of: 1,
      lagging: [{ id: "b", version: 2, isLive: false, leaseEndsAtMs: silent.seenAtMs + afterMs }],
      completeByMs: silent.seenAtMs + afterMs,
      isComplete: false,
    });
  });

  test("it is complete at that moment, and not a millisecond before", () => {
    expect(of("new_journeys", member("b", 2, afterMs - 1, legacy)).isComplete).toBe(false);
    expect(of("new_journeys", member("b", 2, afterMs, legacy)).isComplete).toBe(true);
  });

  test("the last of several silent ones counts", () => {
    const members = [
      member("b", 2, 9000, legacy),
      member("c", 1, 4000, legacy),
      member("d", 2, 8000, legacy),
    ];
    expect(of("new_journeys", ...members).completeByMs).toBe(nowMs - 4000 + afterMs);
  });

  test.each([
    ["it says nothing of being cut off", undefined],
    ["it holds this cutover when it is cut off", { afterMs: 10_000, legacy: ["returns"] }],
  ])("one silent instance makes the moment unknown when %s", (_, stale) => {
    const found = of(
      "new_journeys",
      member("a", 3, 0),
      member("b", 2, 9000, legacy),
      member("c", 2, 9000, stale),
    );
    expect(found).toMatchObject({ completeByMs: undefined, isComplete: false });
    expect(found.lagging.map(({ leaseEndsAtMs }) => leaseEndsAtMs)).toEqual([
      nowMs - 9000 + afterMs,
      undefined,
    ]);
  });

  test("a silent instance does not stand in the way of what harms nothing, and does of what only hearing ends", () => {
    const members = [member("a", 3, 0), member("b", 2, 9000)];
    expect(of("live", ...members)).toMatchObject({ isComplete: true, lagging: [{ id: "b" }] });
    const stopped = [member("a", 3, 0), member("b", 2, 12_000, legacy)];
    expect(of("everything", ...stopped)).toMatchObject({ completeByMs: undefined, isComplete: false });
  });

  test("a live instance that lags stands in the way of all of them", () => {
    for (const reach of ["live", "new_journeys", "everything"] as const) {
      expect(of(reach, member("a", 3, 0), member("b", 2, 100))).toMatchObject({
        instances: 1,
        of: 2,
        isComplete: false,
      });
    }
  });

  test("an instance without the cutover does not count, and no instance at all is no success", () => {
    const other: RosterMember = { ...member("b", 0, 0), versions: { returns: 7 } };
    expect(of("live", member("a", 3, 0), other)).toMatchObject({ instances: 1, of: 1, isComplete: true });
    expect(of("live", other)).toMatchObject({ instances: 0, of: 0, isComplete: false });
  });
});
