import { describe, expect, test } from "vitest";
import { reasons } from "../../../../src/decide/decide.ts";
import { outcomes } from "../../../../src/proxy/outcome.ts";
import { servedSides } from "../../../../src/proxy/witness.ts";
import { type Counting, createRequestCounts } from "../../../../src/telemetry/requests/counting.ts";
import { createCounts, journeySteps } from "../../../../src/telemetry/requests/counts.ts";
import { noCounts, seriesNames } from "../../../../src/telemetry/requests/series.ts";

const cutovers = [
  { name: "checkout", routes: ["cart", "pay"] },
  { name: "search", routes: ["find"] },
];

function settle(counting: Counting, cutover: string, route: string, seconds = 1): void {
  const row = counting.row(cutover, route);
  row.began("new");
  row.settled("new", "ok", seconds);
}

describe("the names of the series", () => {
  const rows = [
    ["checkout", "cart"],
    ["checkout", "pay"],
    ["search", "find"],
    ["none", "none"],
  ] as const;

  test.each(rows)("are those that a request of %s/%s is counted on, every one", (cutover, route) => {
    for (const side of servedSides) {
      for (const outcome of outcomes) {
        const counts = createRequestCounts();
        const row = counts.count(cutovers).row(cutover, route);
        row.began(side);
        row.settled(side, outcome, 0.002);
        expect(counts.take()).toEqual({
          requests: [[`${cutover}/${route}/${side}/${outcome}`, 1]],
          decisions: [],
          responses: [],
          durations: [[`${cutover}/${side}/1`, 1]],
          durationSums: [[`${cutover}/${side}`, 0.002]],
          routeDurations: [[`${cutover}/${route}/${side}/0`, 1]],
          routeDurationSums: [[`${cutover}/${route}/${side}`, 0.002]],
          journeys: [],
          overheads: [],
          overheadSums: [],
          inflight: [],
        });
      }
    }
    for (const side of ["legacy", "new"] as const) {
      for (const reason of reasons) {
        const counts = createRequestCounts();
        counts.count(cutovers).row(cutover, route).decided(side, reason);
        expect(counts.take().decisions).toEqual([[`${cutover}/${side}/${reason}`, 1]]);
        for (const step of journeySteps) {
          counts.count(cutovers).row(cutover, route).journeyed(step, side, reason);
          expect(counts.take().journeys).toEqual([[`${cutover}/${step}/${side}/${reason}`, 1]]);
        }
      }
    }
  });

  test("a fixed route has those of a route of none, and is none of another's", () => {
    const counts = createRequestCounts();
    const counting = counts.count(cutovers, ["admin", "cart"]);
    for (const route of ["admin", "cart", "none"]) {
      const row = counting.row("none", route);
      row.began("none");
      row.settled("none", "ok", 0.002);
    }
    expect(counts.take().requests).toEqual([
      ["none/none/none/ok", 1],
      ["none/admin/none/ok", 1],
      ["none/cart/none/ok", 1],
    ]);
    expect(() => counts.count(cutovers).row("none", "admin")).toThrow("admin");
  });

  test("are as many as there are places", () => {
    const counts = createCounts(cutovers);
    const names = seriesNames(cutovers);
    expect(names.requests).toHaveLength(counts.requests.length);
    expect(names.decisions).toHaveLength(counts.decisions.length);
    expect(names.durations).toHaveLength(counts.durations.length);
    expect(names.durationSums).toHaveLength(counts.durationSums.length);
    expect(names.routeDurations).toHaveLength(counts.routeDurations.length);
    expect(names.routeDurationSums).toHaveLength(counts.routeDurationSums.length);
    expect(names.journeys).toHaveLength(counts.journeys.length);
    expect(names.overheads).toHaveLength(counts.overheads.length);
    expect(names.overheadSums).toHaveLength(counts.overheadSums.length);
    expect(names.inflight).toHaveLength(counts.inflight.length);
    expect(new Set(names.requests).size).toBe(names.requests.length);
  });
});

describe("counts that are handed on", () => {
  test("are taken once, those of every configuration, also of one that has ended", () => {
    const counts = createRequestCounts();
    const [before, after] = [counts.count(cutovers), counts.count([{ name: "search", routes: ["find"] }])];
    settle(before, "search", "find");
    settle(after, "search", "find");
    before.end();
    before.end();
    settle(after, "search", "find");
    expect(counts.take()).toMatchObject({ requests: [["search/find/new/ok", 3]], inflight: [] });
    expect(counts.take()).toEqual(noCounts());
  });

  test("say what is in flight as it changes", () => {
    const counts = createRequestCounts();
    const row = counts.count(cutovers).row("search", "find");
    row.began("new");
    expect(counts.take().inflight).toEqual([["search/new", 1]]);
    row.settled("new", "ok", 1);
    expect(counts.take().inflight).toEqual([["search/new", -1]]);
  });
});

describe("the counts that are shown", () => {
  const without = [{ name: "checkout", routes: ["cart"] }];

  /** The seconds of the cutover's new side, as the arrays that are shown have them. */
  function secondsOf({ table, values }: ReturnType<Counting["show"]>, cutover: string): number | undefined {
    return values.durationSums[seriesNames(table).durationSums.indexOf(`${cutover}/new`)];
  }

  test("stand in the arrays that are counted on", () => {
    const counts = createRequestCounts();
    const counting = counts.count(cutovers);
    const shown = counting.show();
    settle(counting, "search", "find", 3);
    expect(secondsOf(shown, "search")).toBe(3);
    counts.gather();
    expect(secondsOf(shown, "search")).toBe(3);
  });

  test("keep what a series has counted while it is not among them", () => {
    const counts = createRequestCounts();
    const first = counts.count(cutovers);
    first.show();
    settle(first, "search", "find");
    settle(first, "checkout", "cart");
    const second = counts.count(without);
    const shown = second.show();
    expect(secondsOf(shown, "checkout")).toBe(1);
    settle(first, "search", "find");
    settle(first, "checkout", "pay");
    counts.gather();
    expect(secondsOf(shown, "checkout")).toBe(2);
    first.end();
    const third = counts.count(cutovers);
    settle(third, "search", "find");
    const again = third.show();
    second.end();
    expect(secondsOf(again, "search")).toBe(3);
    expect(secondsOf(again, "checkout")).toBe(2);
  });

  test("stay when the counting that is shown ends, and when it is shown again", () => {
    const counts = createRequestCounts();
    const counting = counts.count(cutovers);
    const shown = counting.show();
    settle(counting, "search", "find");
    counting.end();
    counts.gather();
    expect(secondsOf(shown, "search")).toBe(1);
    expect(secondsOf(counting.show(), "search")).toBe(1);
  });

  test("have those of another process, and lose what it has in flight when it is gone", () => {
    const counts = createRequestCounts();
    const { values } = counts.count(cutovers).show();
    const inflight = () => values.inflight.reduce((sum, count) => sum + count, 0);
    const [one, two] = [counts.join(), counts.join()];
    one.add({ ...noCounts(), requests: [["search/find/new/ok", 2]], inflight: [["search/new", 3]] });
    two.add({ ...noCounts(), requests: [["search/find/new/ok", 5]], inflight: [["search/new", 1]] });
    one.add({ ...noCounts(), inflight: [["search/new", -1]] });
    expect(inflight()).toBe(3);
    one.end();
    one.end();
    expect(inflight()).toBe(1);
    expect(values.requests.reduce((sum, count) => sum + count, 0)).toBe(7);
  });
});
