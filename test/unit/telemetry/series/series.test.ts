import { describe, expect, test } from "vitest";
import { createSeriesBook } from "../../../../src/telemetry/series/series.ts";
import { createTraffic } from "../../../../src/telemetry/traffic/traffic.ts";

const start = Date.parse("2026-05-01T12:00:00.000Z");

/** A fleet on one clock: each instance counts, and publishes with its record. */
function fleetOf(size: number) {
  let now = start;
  const clock = { now: () => now, monotonic: () => now - start };
  const instances = Array.from({ length: size }, () => createTraffic({ cutovers: ["checkout"], clock }));
  const book = createSeriesBook();
  return {
    book,
    now: () => now,
    record(instance: number, side: "legacy" | "new", failed: boolean, seconds: number) {
      const recorder = instances[instance]?.recorder("checkout", "pay");
      recorder?.record(side, failed ? "server_error" : "ok", seconds, failed ? 500 : 200);
    },
    /** Ends the step that goes on, and adds it. */
    step(ms = 10_000) {
      const began = Math.floor(now / 10_000) * 10_000;
      now = began + ms;
      const forms = instances.map((each) => JSON.parse(JSON.stringify(each.snapshot().checkout)));
      book.add("checkout", Math.floor(now / 10_000) * 10_000 - 10_000, forms);
    },
    read: (sinceMs: number) => book.read("checkout", sinceMs, now),
  };
}

describe("the series", () => {
  test("adds up what all instances counted in a step, each request once", () => {
    const fleet = fleetOf(3);
    for (let instance = 0; instance < 3; instance += 1) {
      for (let n = 0; n < 10; n += 1) fleet.record(instance, "new", n === 0, 0.1 * (n + 1));
    }
    fleet.step();
    fleet.record(1, "legacy", false, 0.02);
    fleet.step();
    const { stepSeconds, points } = fleet.read(start);
    expect(stepSeconds).toBe(10);
    expect(points.map(({ at, instances }) => [at, instances])).toEqual([
      [start, 3],
      [start + 10_000, 3],
    ]);
    expect(points[0]?.new).toMatchObject({ requests: 30, errors: 3 });
    expect(points[0]?.new.p50).toBeCloseTo(0.5, 1);
    expect(points[0]?.new.p99).toBeCloseTo(1, 1);
    expect(points[0]?.legacy).toMatchObject({ requests: 0, errors: 0, p50: null });
    expect(points[1]?.legacy).toMatchObject({ requests: 1, errors: 0 });
    expect(points[1]?.new.requests).toBe(0);
  });

  test("tells minutes beyond 3 h, and no more than a day, whatever is put in", () => {
    const fleet = fleetOf(1);
    for (let step = 0; step < 6 * 60 * 25; step += 1) {
      fleet.record(0, "new", step % 2 === 0, 0.1);
      fleet.step();
    }
    const fine = fleet.read(fleet.now() - 3 * 3_600_000);
    expect([fine.stepSeconds, fine.points.length]).toEqual([10, 1080]);
    const coarse = fleet.read(0);
    expect([coarse.stepSeconds, coarse.points.length]).toEqual([60, 1440]);
    expect(coarse.points.every((point) => point.new.requests === 6 && point.new.errors === 3)).toBe(true);
  });

  test("leaves out who says nothing of that step, and says of how many it tells", () => {
    const fleet = fleetOf(2);
    fleet.record(0, "new", false, 0.1);
    fleet.step();
    fleet.book.add("checkout", fleet.now(), [{ windowSeconds: 60 }, undefined, "nonsense"]);
    expect(fleet.read(start).points.map(({ instances }) => instances)).toEqual([2, 0]);
  });

  test("keeps nothing of what has no traffic, and of what is configured no more", () => {
    const fleet = fleetOf(1);
    fleet.step();
    expect(fleet.read(0).points).toEqual([]);
    fleet.record(0, "new", false, 0.1);
    fleet.step();
    expect(fleet.read(0).points).toHaveLength(1);
    fleet.book.keep([]);
    expect(fleet.read(0).points).toEqual([]);
  });

  test("a step in which an instance slept is empty, not the one before", () => {
    const fleet = fleetOf(1);
    fleet.record(0, "new", false, 0.1);
    fleet.step(50_000);
    fleet.record(0, "legacy", false, 0.1);
    fleet.step();
    expect(fleet.read(start).points).toMatchObject([
      { at: start + 50_000, legacy: { requests: 1 }, new: { requests: 0 } },
    ]);
  });
});
