import { describe, expect, it } from "vitest";
import { reasons } from "../../../../src/decide/decide.ts";
import { outcomes } from "../../../../src/proxy/outcome.ts";
import { withNone } from "../../../../src/telemetry/requests/counting.ts";
import { createCounts, meteredSides } from "../../../../src/telemetry/requests/counts.ts";
import { countKeys, createCountTaker, createCountTotals } from "../../../../src/telemetry/requests/series.ts";
import { createTrafficTaker } from "../../../../src/telemetry/traffic/increments.ts";
import { createTraffic, mergeTraffic } from "../../../../src/telemetry/traffic/traffic.ts";

const table = withNone([
  { name: "checkout", routes: ["cart", "pay"] },
  { name: "search", routes: ["find"] },
]);

describe("the keys of the counts", () => {
  const rows = [
    ["checkout", "cart", 0, 0],
    ["checkout", "pay", 0, 1],
    ["search", "find", 1, 2],
    ["none", "none", 2, 3],
  ] as const;

  it.each(rows)(
    "name the series a request of %s/%s is counted on, every one",
    (cutover, route, at, place) => {
      for (const side of meteredSides) {
        for (const outcome of outcomes) {
          const counts = createCounts(table);
          const row = counts.row(at, place, undefined);
          row.began(side);
          row.settled(side, outcome, 0.002);
          expect(createCountTaker(table, counts).take()).toEqual({
            requests: [[`${cutover}/${route}/${side}/${outcome}`, 1]],
            decisions: [],
            durations: [[`${cutover}/${side}/1`, 1]],
            durationSums: [[`${cutover}/${side}`, 0.002]],
            inflight: [],
          });
        }
      }
      for (const side of ["legacy", "new"] as const) {
        for (const reason of reasons) {
          const counts = createCounts(table);
          counts.row(at, place, undefined).decided(side, reason);
          expect(createCountTaker(table, counts).take().decisions).toEqual([
            [`${cutover}/${side}/${reason}`, 1],
          ]);
        }
      }
    },
  );

  it("are as many as there are places", () => {
    const counts = createCounts(table);
    const keys = countKeys(table);
    expect(keys.requests).toHaveLength(counts.requests.length);
    expect(keys.decisions).toHaveLength(counts.decisions.length);
    expect(keys.durations).toHaveLength(counts.durations.length);
    expect(keys.inflight).toHaveLength(counts.inflight.length);
    expect(new Set(keys.requests).size).toBe(keys.requests.length);
  });
});

describe("the totals", () => {
  it("keep what a series has counted while it is not in the table", () => {
    const totals = createCountTotals(table);
    const nothing = { requests: [], decisions: [], durations: [], durationSums: [], inflight: [] };
    const add = (key: string) => totals.add({ ...nothing, durationSums: [[key, 1]] });
    const seen = (cutovers: typeof table, key: string) =>
      totals.values().durationSums[countKeys(cutovers).durationSums.indexOf(key)];
    const without = withNone([{ name: "checkout", routes: ["cart"] }]);
    add("search/new");
    add("checkout/new");
    totals.retable(without);
    expect(seen(without, "checkout/new")).toBe(1);
    add("search/new");
    add("checkout/new");
    totals.retable(table);
    expect(seen(table, "search/new")).toBe(2);
    expect(seen(table, "checkout/new")).toBe(2);
  });
});

describe("traffic recorded elsewhere", () => {
  it("adds up to what would have been recorded here", () => {
    const clock = { monotonic: () => 1000 };
    const here = createTraffic({ cutovers: ["checkout"], clock });
    const handed = createTraffic({ cutovers: ["checkout"], clock });
    const taker = createTrafficTaker();
    for (const [side, outcome, seconds] of [
      ["new", "ok", 0.1],
      ["new", "timeout", 2],
      ["new", "rejected", 2],
      ["legacy", "ok", 0.003],
    ] as const) {
      here.recorder("checkout").record(side, outcome, seconds);
      taker.recorder("checkout").record(side, outcome, seconds);
      handed.add(taker.take());
    }
    expect(taker.take()).toEqual([]);
    const figures = (traffic: typeof here) => mergeTraffic([traffic.snapshot().checkout]);
    expect(figures(handed)).toEqual(figures(here));
    expect(figures(here).new.requests).toBe(2);
  });
});
