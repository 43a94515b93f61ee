import { describe, expect, test } from "vitest";
import { noFlight } from "../../../../src/telemetry/traffic/flights.ts";
import { latencyBucket } from "../../../../src/telemetry/traffic/latency.ts";
import { coarse, createUsual } from "../../../../src/telemetry/traffic/usual.ts";
import { type SideFacts, sideWarnings } from "../../../../src/telemetry/traffic/warnings.ts";

const quiet: SideFacts = { requests: 0, errors: 0, clientErrors: 0, flight: noFlight, usual: new Map() };
const warned = (onNew: Partial<SideFacts>, legacy: Partial<SideFacts> = {}) =>
  sideWarnings({ legacy: { ...quiet, ...legacy }, new: { ...quiet, ...onNew } }).map(
    ({ code, text }) => `${code} ${text}`,
  );
const flight = (
  shoppers: number,
  oldestMs: number,
  silentMs: number | null,
  route = "cart",
  inFlight = shoppers,
) => ({
  flight: {
    inFlight,
    shoppers,
    waiting: [[route, oldestMs] as [string, number]],
    silentMs,
    answeredMs: null,
  },
});

describe("a side that accepts and never answers", () => {
  test("is told of by how many wait, since when, and that none was answered", () => {
    expect(warned(flight(130, 9100, 9100, "cart", 138))).toEqual([
      "hung new: 138 in flight, oldest 9 s, none answered for 9 s",
    ]);
    expect(warned({}, flight(1204, 62_000, 125_000))).toEqual([
      "hung legacy: 1,204 in flight, oldest 62 s, none answered for 2 min",
    ]);
  });

  test.each([
    [3, 3000, 3000, true],
    [3, 2500, 2500, true],
    [3, 2400, 2400, false],
    [2, 9000, 9000, false],
    [100, 9000, 1000, false],
    // Its clients leave after 2 s, and others come.
    [3, 1500, 20_000, true],
  ])("%d shoppers, the oldest for %d ms, none answered for %d ms: %s", (shoppers, oldest, silent, isHung) => {
    expect(warned(flight(shoppers, oldest, silent)).length).toBe(isHung ? 1 : 0);
  });
});

describe("a side whose routes are quick", () => {
  test.each([
    [0.05, 1500, true],
    [0.05, 1400, false],
    [0.75, 1500, true],
    [0.8, 1500, false],
    [0.8, 2500, true],
  ])("where 99 of 100 took %d s is hung after %d ms of silence: %s", (seconds, silent, isHung) => {
    const facts = { ...flight(3, silent, silent), usual: new Map([["cart", seconds]]) };
    expect(warned(facts).filter((text) => text.startsWith("hung"))).toHaveLength(isHung ? 1 : 0);
  });

  test("is judged by the slowest of the routes that wait", () => {
    const { flight: waits } = flight(3, 2000, 2000);
    const both = { ...waits, waiting: [...waits.waiting, ["pay", 2000] as [string, number]] };
    const usual = new Map([
      ["cart", 0.05],
      ["pay", 20],
    ]);
    expect(warned({ flight: both, usual })).toEqual([]);
  });
});

describe("one that waits longer than is usual", () => {
  const pay = {
    usual: new Map([
      ["pay", 20],
      ["cart", 0.05],
    ]),
  };

  test("a payment step of 6 to 20 s is no alarm, nor twice that, where payments take so long", () => {
    for (const ms of [6000, 20_000, 39_000])
      expect(warned({ ...flight(1, ms, ms, "pay"), ...pay })).toEqual([]);
    expect(warned({ ...flight(1, 41_000, 41_000, "pay"), ...pay })).toEqual([
      "slow new: 1 in flight, oldest of pay 41 s, where 99 of 100 took up to 20 s",
    ]);
  });

  test("a cart that waits for 3 s is one, where carts take 50 ms", () => {
    expect(warned({ ...flight(1, 3000, 3000), ...pay })).toEqual([
      "slow new: 1 in flight, oldest of cart 3 s, where 99 of 100 took up to 0.1 s",
    ]);
    expect(warned({ ...flight(1, 2000, 2000), ...pay })).toEqual([]);
  });

  test("where too few answers are known it takes half a minute", () => {
    expect(warned(flight(2, 29_000, 29_000))).toEqual([]);
    expect(warned(flight(2, 30_000, 30_000))).toEqual(["slow new: 2 in flight, oldest of cart 30 s"]);
  });
});

describe("a side that fails, and one that answers 404 to every payment", () => {
  test.each([
    [1000, 100, ["errors new: 100 of 1,000 requests failed (10.0%)"]],
    [5, 5, ["errors new: 5 of 5 requests failed (100.0%)"]],
    [4, 4, []],
    [1000, 99, []],
  ])("of %d requests %d errors", (requests, errors, told) => {
    expect(warned({ requests, errors })).toEqual(told);
  });

  test("4xx are held against the other side, or against half of all where that has none", () => {
    const payments = { requests: 500, clientErrors: 100 };
    expect(warned(payments, { requests: 500, clientErrors: 5 })).toEqual([
      "client_errors new: 20.0% of the answers are 4xx, on legacy 1.0%",
    ]);
    expect(warned(payments, { requests: 500, clientErrors: 60 })).toEqual([]);
    expect(warned(payments)).toEqual([]);
    expect(warned({ requests: 9, clientErrors: 9 })).toEqual([
      "client_errors new: 100.0% of the answers are 4xx",
    ]);
    expect(warned({ requests: 4, clientErrors: 4 })).toEqual([]);
  });
});

describe("what is usual of the last hour", () => {
  const bucketOf = (seconds: number) => coarse(latencyBucket(seconds));

  test("is what 99 of 100 answers took at most, to a quarter, and nothing while there are too few", () => {
    const usual = createUsual({ monotonic: () => 0 });
    usual.add(0, bucketOf(0.05), 9);
    expect(usual.p99()).toBeNull();
    usual.add(0, bucketOf(0.05), 981);
    usual.add(0, bucketOf(12), 10);
    expect(usual.p99()).toBeGreaterThanOrEqual(0.05);
    expect(usual.p99()).toBeLessThan(0.065);
    usual.add(0, bucketOf(12), 1);
    expect(usual.p99()).toBeGreaterThanOrEqual(12 * 0.97);
    expect(usual.p99()).toBeLessThan(15);
    usual.add(0, bucketOf(400), 1000);
    expect(usual.p99()).toBeGreaterThan(280);
  });

  test("is forgotten after an hour", () => {
    let ms = 0;
    const usual = createUsual({ monotonic: () => ms });
    usual.add(ms, bucketOf(20), 100);
    ms = 3_599_999;
    expect(usual.p99()).toBeGreaterThan(19);
    ms = 3_600_000;
    expect(usual.p99()).toBeNull();
    usual.add(ms, bucketOf(1), 100);
    expect(usual.p99()).toBeLessThan(2);
  });
});
