import { describe, expect, test } from "vitest";
import type { CutoverView } from "../../../src/admin/api/cutover-view.ts";
import { guardViewOf } from "../../../src/admin/api/guard/guard-view.ts";
import { spanText } from "../../../src/admin/api/words/span.ts";
import { verdictOf } from "../../../src/admin/api/words/verdict.ts";
import type { WriteAnswer } from "../../../src/admin/api/write.ts";
import { createFigures } from "../../../src/console/words/figures.ts";
import { moreAnHour, typedFor } from "../../../src/console/words/friction.ts";
import { livenessOf, retryAfterMs } from "../../../src/console/words/liveness.ts";
import { allNotice, doneNotice } from "../../../src/console/words/outcome.ts";
import { differences, joined, lastAt, newcombe } from "../../../src/console/words/series.ts";

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
const nobodyYet = { fleet: undefined, own: undefined, isAlone: false, leader: "a", isJudged: true };
const unjudged = guardViewOf("checkout", nobodyYet, []);
const judged = (verdict: string) => ({ ...unjudged, verdict, sentence: "the facts" });

describe("the verdict", () => {
  test.each([
    ["healthy", "✓", "marketplace is no worse than social-shop: the facts"],
    ["watching", "▲", "marketplace may be worse: the facts"],
    ["insufficient evidence", "≈", "Not enough to tell yet: the facts"],
    ["worse", "⬢", "marketplace is worse: the facts"],
    ["legacy sick", "⬢", "social-shop fails: the facts"],
    ["both sick", "⬢", "Both sides fail: the facts"],
    ["blind", "?", "Unknown: the facts"],
    ["a word of tomorrow", "▲", "a word of tomorrow: the facts"],
  ])("%s is told by %s", (word, mark, text) => {
    expect(verdictOf(view, judged(word), 0, figures)).toMatchObject({ mark, text });
  });

  const evidence = {
    tests: {},
    sides: { legacy: { units: 4312, failed: 21 }, new: { units: 1, failed: 0 } },
    difference: { estimate: 0.0213, least: -0.001, most: 0.03 },
  };
  test.each([
    ["healthy", [], "marketplace is no worse than social-shop (difference +2.1 pts, −0.1 to +3.0)"],
    ["watching", [], "marketplace may be worse (difference +2.1 pts, −0.1 to +3.0)"],
    ["worse", ["failures"], "marketplace is worse (difference +2.1 pts, −0.1 to +3.0)"],
    ["worse", ["paid"], "marketplace is worse: the facts"],
    ["insufficient evidence", [], "Not enough to tell yet: 1 shopper on marketplace in this step, 0 failed"],
  ])(
    "%s because of %j is told by its figures, where failures are what it is about",
    (word, because, text) => {
      expect(verdictOf(view, { ...judged(word), because, evidence }, 0, figures).text).toBe(text);
    },
  );

  test("tells of payments what legacy's pace would be", () => {
    const payments = {
      legacy: { begun: 900, paid: 540, of100: 60 },
      new: { begun: 420, paid: 81, of100: 19.3 },
      wouldBePaid: 249.7,
    };
    const guard = { ...judged("worse"), because: ["paid"], evidence: { ...evidence, payments } };
    expect(verdictOf(view, guard, 0, figures).text).toBe(
      "marketplace is worse: 81 of 420 journeys were paid, social-shop’s pace would be 250",
    );
  });

  test("is none without a guard, without its answer, and with old data, whatever it was", () => {
    expect(verdictOf(view, unguarded, 0, figures)).toMatchObject({ mark: "○", tone: "unguarded" });
    expect(verdictOf(view, undefined, 0, figures)).toMatchObject({ mark: "?", tone: "unknown" });
    expect(verdictOf(view, unjudged, 0, figures)).toMatchObject({ mark: "?", tone: "unknown" });
    expect(verdictOf(view, judged("healthy"), 48_000, figures).text).toBe("Unknown: data is 48 s old");
  });

  test("names a side that does not answer before any guard does", () => {
    const hung = { ...view, warnings: [{ code: "hung", text: "new: 138 in flight" }] };
    expect(verdictOf(hung, judged("healthy"), 0, figures)).toMatchObject({
      mark: "⬢",
      text: "marketplace does not answer: 138 in flight, oldest 9 s",
    });
    const legacy = { ...view, warnings: [{ code: "hung", text: "legacy: 138 in flight" }] };
    expect(verdictOf(legacy, judged("healthy"), 0, figures).tone).toBe("well");
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
    expect(moreAnHour(view, 20)).toEqual({ anHour: 360, what: "requests" });
    const begun = { windowSeconds: 300, legacy: 90, new: 10, newLately: 0 };
    expect(moreAnHour({ ...view, traffic: { ...view.traffic, begun } }, 20)).toEqual({
      ...{ anHour: 120, what: "checkouts" },
    });
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

describe("figures", () => {
  const indonesian = createFigures("id-ID", "Asia/Jakarta");
  test("money is written as the reader's country does, with cents only where there are any", () => {
    const said = (text: string) => text.replaceAll("\u00a0", " ");
    expect(said(indonesian.money(1234567, "IDR"))).toBe("Rp 1.234.567");
    expect(said(figures.money(1234567, "IDR"))).toBe("IDR 1,234,567");
    expect([1990, 2000].map((minor) => figures.money(minor, "USD"))).toEqual(["$19.90", "$20"]);
    expect(figures.money(5, "no currency")).toBe("no currency 5");
  });

  test("moments are told to the minute, with the day where that is another", () => {
    const now = "2025-03-01T12:00:00.000Z";
    expect(figures.day("2025-03-01T13:05:30.000Z", now)).toBe("13:05 UTC");
    expect(indonesian.day("2025-04-11T17:00:00.000Z", now)).toBe("12 Apr, 00:00 WIB");
  });
});

describe("the series", () => {
  const empty = { requests: 0, errors: 0, p50: null, p95: null, p99: null, inFlight: 0 };
  const startMs = Date.parse("2025-03-01T12:00:00.000Z");
  const point = (step: number, legacy: [number, number], onNew: [number, number]) => ({
    at: new Date(startMs + step * 10_000).toISOString(),
    instances: 1,
    legacy: { ...empty, requests: legacy[0], errors: legacy[1] },
    new: { ...empty, requests: onNew[0], errors: onNew[1] },
  });
  const seriesOf = (points: ReturnType<typeof point>[]) => ({ stepSeconds: 10, points });

  test("the interval is Newcombe's: 56 of 70 against 48 of 80 at 95%", () => {
    const told = newcombe({ requests: 80, errors: 48 }, { requests: 70, errors: 56 }, 1.959964);
    expect(told?.estimate).toBeCloseTo(0.2, 4);
    expect(told?.least).toBeCloseTo(0.0524, 4);
    expect(told?.most).toBeCloseTo(0.3339, 4);
  });

  test("none is told where a side has no requests, and one without failures is no certainty", () => {
    expect(newcombe({ requests: 0, errors: 0 }, { requests: 70, errors: 1 })).toBeUndefined();
    const told = newcombe({ requests: 100, errors: 0 }, { requests: 100, errors: 0 });
    expect(told?.least).toBeLessThan(-0.05);
    expect(told?.most).toBeGreaterThan(0.05);
  });

  test("the difference is that of five minutes: what is older counts no more", () => {
    const points = Array.from({ length: 60 }, (_, step) => point(step, [10, 0], [10, step < 10 ? 10 : 0]));
    const told = differences(points);
    expect(told[0]?.estimate).toBe(1);
    expect(told[29]?.estimate).toBeCloseTo(100 / 300);
    expect(told[39]?.estimate).toBe(0);
    expect(differences([point(0, [5, 0], [0, 0])])).toEqual([null]);
  });

  test("what is told anew takes the place of what was known, and what is too old is dropped", () => {
    const before = seriesOf([0, 1, 2].map((step) => point(step, [step, 0], [0, 0])));
    const told = seriesOf([2, 3].map((step) => point(step, [9, 0], [0, 0])));
    const all = joined(before, told, startMs + 10_000);
    expect(all.points.map(({ at, legacy }) => [Date.parse(at) - startMs, legacy.requests])).toEqual([
      [10_000, 1],
      [20_000, 9],
      [30_000, 9],
    ]);
    expect(joined(before, seriesOf([]), startMs).points).toHaveLength(3);
    expect(joined(before, { ...told, stepSeconds: 60 }, startMs).points).toHaveLength(2);
    expect(lastAt(all)).toBe(startMs + 30_000);
    expect(lastAt(undefined)).toBeUndefined();
  });
});

test("spans are told in the largest whole unit", () => {
  expect([400, 9200, 119_000, 840_000, 10_800_000, 200_000_000].map(spanText)).toEqual([
    ...["0.4 s", "9 s", "119 s", "14 min", "3 h", "2 days"],
  ]);
});

describe("what has come of a change", () => {
  const now = "2025-03-01T02:14:12.000Z";
  const answer: WriteAnswer = {
    ...{ name: "checkout", percent: 0, state: "rolled_back", version: 43, changed: true },
    applied: {
      ...{
        instances: 3,
        of: 3,
        ms: 312,
        committedMs: 204,
        scope: "fleet",
        complete: true,
        completeBy: null,
        lagging: [],
      },
    },
  };
  const late = { id: "c", name: "shop-3", version: 42, seenAt: "2025-03-01T02:14:00.000Z" };

  test("is done only where it is certain of every instance", () => {
    expect(doneNotice(answer, figures, now)).toEqual({
      kind: "done",
      text: "Committed as v43 (0.2 s)",
      details: ["Applied on 3/3 instances (0.3 s)"],
    });
    const completeBy = "2025-03-01T02:14:30.000Z";
    const lagging = [{ ...late, leaseEndsAt: completeBy }];
    const applied = { ...answer.applied, instances: 2, of: 2, complete: false, completeBy, lagging };
    expect(doneNotice({ ...answer, applied }, figures, now)).toEqual({
      kind: "partial",
      text: "Committed as v43 (0.2 s): not certain on every instance yet",
      details: [
        "Applied on 2/3 instances (0.3 s)",
        "shop-3 decides by v42, silent since 02:14:00 UTC: its lease ends 02:14:30 UTC",
        "Certain everywhere by 02:14:30 UTC at the latest",
      ],
    });
  });

  test("made without the store it is not said to be committed, of one cutover as of all", () => {
    const applied = {
      ...answer.applied,
      ...({ instances: 1, scope: "local", complete: false, committedMs: undefined } as const),
    };
    const alone =
      "The store does not take it: this instance alone does as it was told, and offers it to the store";
    const { text, details } = doneNotice({ ...answer, applied }, figures, now);
    expect(text).toBe("Made on this instance alone: not certain on every instance yet");
    expect(details).toContain(alone);
    expect(allNotice([answer, { ...answer, name: "returns", applied }])).toEqual({
      kind: "partial",
      text: "Made for all: not certain on every instance yet",
      details: [
        "checkout: v43, 0%, applied on 3/3",
        "returns: 0%, on this instance alone",
        `${alone}. Tell every other instance, too`,
      ],
    });
  });

  test("of all is failed with one that is refused, and partial with one that is not certain", () => {
    const partial = { ...answer, applied: { ...answer.applied, complete: false } };
    expect(allNotice([answer, answer]).kind).toBe("done");
    expect(allNotice([answer, partial]).kind).toBe("partial");
    const refused = { name: "returns", refused: { code: "closed", status: 409, title: "", type: "" } };
    expect(allNotice([partial, refused] as const).kind).toBe("failed");
  });

  test("of a hold of all is done where one is rolled back: nothing raises that either", () => {
    const refused = { name: "returns", refused: { code: "rolled_back", status: 409, title: "", type: "" } };
    const { kind, details } = allNotice([answer, refused] as const);
    expect(kind).toBe("done");
    expect(details?.[1]).toBe("returns: is rolled back, which holds it already");
  });
});
