import { describe, expect, test } from "vitest";
import {
  findingOf,
  type MetricRule,
  queryOf,
  type Reply,
  stepOf,
} from "../../../../src/guard/metrics/rule.ts";

const minuteMs = 60_000;
const ratio: MetricRule = {
  ...{ name: "refusals", query: "refused{side='$side'}", worse: "above", by: 1.5, than: "legacy" },
  ...{ for: 5 * minuteMs, action: "hold" },
};
const stood = 5 * minuteMs;

/** 20 points, 15 s apart; the last of them as given. */
function series(...last: number[]): Reply {
  const values = [...Array<number>(20 - last.length).fill(last[0] ?? 0), ...last];
  return { kind: "points", points: values.map((value, at) => ({ at: 15 * at, value })) };
}
const found = (onNew: Reply, legacy: Reply | undefined, rule = ratio, stoodMs = stood) =>
  findingOf(rule, onNew, legacy, stoodMs);

describe("what is asked", () => {
  test("is the time for which it has to be worse, in twenty points, of the side that is meant", () => {
    expect(queryOf(ratio, "new")).toBe("(\nrefused{side='new'}\n)[300s:15s]");
    expect(queryOf({ ...ratio, query: "up # $side", for: 20_000 }, "legacy")).toBe(
      "(\nup # legacy\n)[20s:1s]",
    );
  });

  test("has points a second apart at the closest, and 15 at the widest", () => {
    expect([5000, 30_000, 60_000, 300_000, 3_600_000].map((ms) => stepOf({ for: ms }))).toEqual([
      1000, 1000, 3000, 15_000, 15_000,
    ]);
  });
});

describe("a ratio to legacy's", () => {
  test("is worse where it was at each point of its time, and says that it has no odds", () => {
    expect(found(series(4.2), series(1.1))).toMatchObject({
      state: "worse",
      sentence: "refusals: new 4.2, above 1.5 times legacy's 1.1 for 5 min (a ratio, with no odds)",
    });
  });

  test("is pending where one point was not, and fine where the last one is not", () => {
    expect(found(series(1, 4, 4), series(1.1)).state).toBe("pending");
    expect(found(series(4, 4, 1), series(1.1))).toMatchObject({
      state: "fine",
      sentence: "refusals: new 1, not above 1.5 times legacy's 1.1 (a ratio, with no odds)",
    });
  });

  test("is pending, whatever the points are, while new has had its share for less than the time", () => {
    expect(found(series(4), series(1), ratio, stood - 1).state).toBe("pending");
  });

  test("below: new is worse where it has less than so many parts of legacy's", () => {
    const paid: MetricRule = { ...ratio, worse: "below", by: 2 };
    expect(found(series(4), series(10), paid)).toMatchObject({
      state: "worse",
      sentence: "refusals: new 4, below 1/2 of legacy's 10 for 5 min (a ratio, with no odds)",
    });
    expect(found(series(5), series(10), paid).state).toBe("fine");
  });

  test("new that has some where legacy has none is above it", () => {
    expect(found(series(0.1), series(0)).state).toBe("worse");
    expect(found(series(0), series(0)).state).toBe("fine");
  });

  test("of points that fall at different times only those are compared that both have", () => {
    const others = series(1);
    if (others.kind !== "points") throw new Error("no points");
    const shifted = {
      kind: "points",
      points: others.points.map(({ at, value }) => ({ at: at + 15, value })),
    };
    expect(found(series(4), shifted as Reply).state).toBe("worse");
    const apart = { kind: "points", points: others.points.map(({ at, value }) => ({ at: at + 7, value })) };
    expect(found(series(4), apart as Reply)).toMatchObject({ state: "no data" });
  });
});

describe("a threshold", () => {
  const most: MetricRule = { ...ratio, than: 2, by: undefined };

  test("is held against new alone", () => {
    expect(found(series(2.1), undefined, most)).toMatchObject({
      state: "worse",
      sentence: "refusals: new 2.1, above 2 for 5 min (a threshold, with no odds)",
    });
    expect(found(series(2), undefined, most).state).toBe("fine");
  });
});

describe("no data decides nothing and is said", () => {
  const none: Reply = { kind: "nothing", why: "no series" };

  test.each([
    ["new has none", none, series(1), "refusals: no data (new: no series)"],
    ["legacy has none", series(9), none, "refusals: no data (legacy: no series)"],
    [
      "there are too few points",
      { kind: "points", points: [{ at: 0, value: 9 }] },
      series(1),
      "refusals: no data (1 of 20 points)",
    ],
    ["they are below 0", series(9), series(-1), "refusals: no data (below 0, where no ratio is)"],
  ] as const)("where %s", (_, onNew, legacy, sentence) => {
    expect(found(onNew, legacy)).toMatchObject({ state: "no data", sentence });
  });
});
