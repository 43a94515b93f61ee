import { describe, expect, test } from "vitest";
import type { CutoverView } from "../../../src/admin/api/cutover-view.ts";
import { guardViewOf } from "../../../src/admin/api/guard/guard-view.ts";
import { createFigures, spanText } from "../../../src/console/words/figures.ts";
import { moreAnHour, typedFor } from "../../../src/console/words/friction.ts";
import { livenessOf, retryAfterMs } from "../../../src/console/words/liveness.ts";
import { verdictOf } from "../../../src/console/words/verdict.ts";

const figures = createFigures("en", "UTC");
const side = {
  ...{ requests: 30, errors: 0, errorRate: 0, p50: 0.1, p99: 0.2 },
  ...{ clientErrors: 0, shares: null, inFlight: 138, oldestInFlightSeconds: 9 },
};
const view: CutoverView = {
  ...{ name: "checkout", legacy: "social-shop", new: "marketplace", percent: 10, state: "open", version: 42 },
  ...{ pinEpoch: 0, updatedAt: "", updatedBy: "", reason: "", scope: "fleet" },
  traffic: { windowSeconds: 60, legacy: side, new: side },
  ...{ journeys: null, unfinished: null, instances: { live: 1, applied: 1, silent: [] } },
  ...{ stillLegacy: [], warnings: [] },
};
const unguarded = guardViewOf("checkout", undefined, []);
const nobodyYet = { fleet: undefined, own: undefined, isAlone: false, leader: "a" };
const unjudged = guardViewOf("checkout", nobodyYet, []);
const judged = (verdict: string) => ({ ...unjudged, verdict, sentence: "the facts" });

describe("the verdict", () => {
  test.each([
    ["healthy", "✓", "marketplace is no worse than social-shop: the facts"],
    ["watching", "≈", "Not enough to tell yet: the facts"],
    ["insufficient evidence", "≈", "Not enough to tell yet: the facts"],
    ["worse", "⬢", "marketplace is worse: the facts"],
    ["legacy sick", "⬢", "social-shop fails: the facts"],
    ["both sick", "⬢", "Both sides fail: the facts"],
    ["blind", "?", "Unknown: the facts"],
    ["a word of tomorrow", "▲", "a word of tomorrow: the facts"],
  ])("%s is told by %s", (word, mark, text) => {
    expect(verdictOf(view, judged(word), 0)).toMatchObject({ mark, text });
  });

  test("is none without a guard, without its answer, and with old data, whatever it was", () => {
    expect(verdictOf(view, unguarded, 0)).toMatchObject({ mark: "○", tone: "unguarded" });
    expect(verdictOf(view, undefined, 0)).toMatchObject({ mark: "?", tone: "unknown" });
    expect(verdictOf(view, unjudged, 0)).toMatchObject({ mark: "?", tone: "unknown" });
    expect(verdictOf(view, judged("healthy"), 48_000).text).toBe("Unknown: data is 48 s old");
  });

  test("names a side that does not answer before any guard does", () => {
    const hung = { ...view, warnings: [{ code: "hung", text: "new: 138 in flight" }] };
    expect(verdictOf(hung, judged("healthy"), 0)).toMatchObject({
      mark: "⬢",
      text: "marketplace does not answer: 138 in flight, oldest 9 s",
    });
    const legacy = { ...view, warnings: [{ code: "hung", text: "legacy: 138 in flight" }] };
    expect(verdictOf(legacy, judged("healthy"), 0).tone).toBe("well");
  });
});

describe("friction", () => {
  test.each([
    [10, 20, "well", undefined],
    [10, 35, "well", undefined],
    [10, 36, "well", "36"],
    [90, 100, "well", "100"],
    [10, 11, "unguarded", "11"],
    [10, 12.5, "unproven", "12.5"],
  ] as const)("from %d to %d with new %s has %s typed", (from, to, tone, typed) => {
    expect(typedFor(from, to, { tone })).toBe(typed);
  });

  test("tells what the next step would send to new besides", () => {
    expect(moreAnHour(view, 20)).toBe(360);
    const quiet = { ...view.traffic, legacy: { ...side, requests: 0 }, new: { ...side, requests: 0 } };
    expect(moreAnHour({ ...view, traffic: quiet }, 20)).toBeUndefined();
  });
});

describe("how old it is", () => {
  test.each([
    [0, "● Live"],
    [3000, "● Live"],
    [7000, "◐ Delayed, 7 s old"],
    [15_000, "◐ Delayed, 15 s old"],
    [48_000, "■ Stale, last update 02:14:09 UTC (48 s ago)"],
  ])("after %d ms is said as %s", (ageMs, said) => {
    const { mark, text } = livenessOf(ageMs, "2025-03-01T02:14:09.120Z", figures);
    expect(`${mark} ${text}`).toBe(said);
  });

  test("a stream is opened again after 0.5, 1, 2 and 5 s, give or take a quarter", () => {
    expect([1, 2, 3, 4, 9].map((failures) => retryAfterMs(failures, 0.5))).toEqual([
      500, 1000, 2000, 5000, 5000,
    ]);
    expect([0, 1].map((chance) => retryAfterMs(1, chance))).toEqual([375, 625]);
  });
});

test("spans are told in the largest whole unit", () => {
  expect([400, 9200, 119_000, 840_000, 10_800_000, 200_000_000].map(spanText)).toEqual([
    ...["0.4 s", "9 s", "119 s", "14 min", "3 h", "2 days"],
  ]);
});
