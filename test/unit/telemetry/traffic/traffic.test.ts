import { describe, expect, test } from "vitest";
import { sideTraffic } from "../../../../src/admin/api/cutover-view.ts";
import { createMetrics } from "../../../../src/telemetry/metrics.ts";
import { mergeTraffic } from "../../../../src/telemetry/traffic/merge.ts";
import {
  createHandedTraffic,
  createTraffic,
  type Traffic,
} from "../../../../src/telemetry/traffic/traffic.ts";
import { recordOf } from "../../../support/exchange-record.ts";

function trafficAt(start: number): { traffic: Traffic; advance: (ms: number) => void } {
  let now = start;
  const traffic = createTraffic({ cutovers: ["checkout"], clock: { now: () => now, monotonic: () => now } });
  return {
    traffic,
    advance(ms) {
      now += ms;
    },
  };
}

const none = {
  requests: 0,
  errors: 0,
  errorRate: null,
  p50: null,
  p99: null,
  clientErrors: 0,
  shares: null,
  inFlight: 0,
  oldestInFlightSeconds: null,
};

const figuresOf = (traffic: Traffic) => mergeTraffic([traffic.snapshot().checkout]).figures;

describe("traffic figures", () => {
  test("are null without requests, not zero", () => {
    const { traffic } = trafficAt(0);
    expect(figuresOf(traffic)).toEqual({
      windowSeconds: 60,
      legacy: none,
      new: none,
    });
  });

  test("leave out what the client gave up and what the proxy refused", () => {
    const { traffic } = trafficAt(0);
    const recorder = traffic.recorder("checkout", "pay");
    recorder.record("new", "client_aborted", 1);
    recorder.record("new", "rejected", 1);
    recorder.record("new", "timeout", 2);
    recorder.record("new", "ok", 2);
    const merged = figuresOf(traffic);
    expect(merged.new).toMatchObject({ requests: 2, errors: 1, errorRate: 0.5 });
    expect(merged.legacy).toEqual(none);
    expect(() => sideTraffic.parse(merged.new)).not.toThrow();
  });

  test("forget a request 60 s after the slot of 5 s it ended in began", () => {
    const { traffic, advance } = trafficAt(12_000);
    const requests = () => figuresOf(traffic).new.requests;
    traffic.recorder("checkout", "pay").record("new", "ok", 0.1);
    advance(57_999);
    expect(requests()).toBe(1);
    advance(1);
    expect(requests()).toBe(0);
  });

  test("use a slot again without what it held a window ago", () => {
    const { traffic, advance } = trafficAt(0);
    const recorder = traffic.recorder("checkout", "pay");
    recorder.record("legacy", "reset", 0.1);
    advance(60_000);
    recorder.record("legacy", "ok", 0.1);
    expect(figuresOf(traffic).legacy).toMatchObject({ requests: 1, errors: 0 });
  });

  test("put what lies outside 0.1 ms – 300 s at the nearest end", () => {
    const { traffic } = trafficAt(0);
    traffic.recorder("checkout", "pay").record("legacy", "ok", 0);
    traffic.recorder("checkout", "pay").record("new", "ok", 86_400);
    const merged = figuresOf(traffic);
    expect(merged.legacy.p50).toBeCloseTo(0.0001, 5);
    expect(merged.new.p50).toBeGreaterThan(290);
    expect(merged.new.p50).toBeLessThan(310);
  });

  test("come from the rows of the metrics", () => {
    const { traffic } = trafficAt(0);
    const metrics = createMetrics({
      cutovers: [{ name: "checkout", routes: ["pay"] }],
      version: "1",
      contact: () => ({ up: true, stalenessMs: 0 }),
      traffic,
    });
    const row = metrics.counting.row("checkout", "pay");
    row.began("new");
    row.settled("new", "server_error", 0.2);
    row.began("none");
    row.settled("none", "rejected", 0.2);
    expect(figuresOf(traffic).new).toMatchObject({ requests: 1, errors: 1 });
  });
});

describe("journeys that begin", () => {
  test("are told of five minutes and of the last seconds, of workers and other instances too", () => {
    const { traffic, advance } = trafficAt(7000);
    const begun = () => figuresOf(traffic).begun;
    expect(begun()).toBeUndefined();
    const metrics = createMetrics({
      cutovers: [{ name: "checkout", routes: ["pay"], journeys: true }],
      version: "1",
      contact: () => ({ up: true, stalenessMs: 0 }),
      traffic,
    });
    const row = metrics.counting.row("checkout", "pay");
    row.journeyed("started", "new", "bucket");
    row.journeyed("ended", "new", "bucket");
    row.journeyed("paid", "new", "bucket");
    const handed = createHandedTraffic({ monotonic: () => 0 });
    handed.recorder("checkout", "pay").begins("legacy");
    handed.recorder("checkout", "pay").begins("new");
    for (let told = 0; told < 2; told += 1) traffic.hear(7, JSON.parse(JSON.stringify(handed.take())));
    expect(begun()).toEqual({ windowSeconds: 300, legacy: 1, new: 2, newLately: 2 });
    advance(7999);
    expect(begun()).toMatchObject({ new: 2, newLately: 2 });
    advance(1);
    expect(begun()).toMatchObject({ new: 2, newLately: 0 });
    row.journeyed("started", "new", "bucket");
    advance(290_000);
    expect(begun()).toEqual({ windowSeconds: 300, legacy: 0, new: 1, newLately: 0 });
    const form = traffic.snapshot().checkout;
    expect(mergeTraffic([form, form]).figures.begun).toMatchObject({ new: 2 });
    advance(10_000);
    expect(begun()).toMatchObject({ legacy: 0, new: 0 });
  });
});

describe("traffic of workers", () => {
  test("what waits in one shows beside what waits here, and goes with its process", () => {
    const clock = { now: () => 10_000, monotonic: () => 10_000 };
    const traffic = createTraffic({ cutovers: ["checkout"], clock });
    const handed = createHandedTraffic(clock);
    const waiting = (ms: number) => recordOf({ side: "new", waitingSince: () => 10_000 - ms });
    traffic.recorder("checkout", "pay").began("new", waiting(1000));
    handed.recorder("checkout", "pay").began("new", waiting(9000));
    handed.recorder("checkout", "cart").began("new", waiting(2000));
    traffic.hear(7, JSON.parse(JSON.stringify(handed.take())));
    expect(figuresOf(traffic).new).toMatchObject({ inFlight: 3, oldestInFlightSeconds: 9 });
    expect(figuresOf(traffic).legacy).toMatchObject({ inFlight: 0, oldestInFlightSeconds: null });
    const { warnings } = mergeTraffic([JSON.parse(JSON.stringify(traffic.snapshot().checkout))]);
    expect(warnings).toEqual([]);
    traffic.gone(7);
    expect(figuresOf(traffic).new).toMatchObject({ inFlight: 1, oldestInFlightSeconds: 1 });
  });

  test("what another instance's record says has waited on since", () => {
    const traffic = createTraffic({
      cutovers: ["checkout"],
      clock: { now: () => 10_000, monotonic: () => 10_000 },
    });
    traffic.recorder("checkout", "pay").began("new", recordOf({ waitingSince: () => 8000 }));
    const form = traffic.snapshot().checkout;
    expect(mergeTraffic([form], [700]).figures.new.oldestInFlightSeconds).toBe(2.7);
    expect(mergeTraffic([form]).figures.new.oldestInFlightSeconds).toBe(2);
  });

  test("what is usual of a route is told of its answers there, and not of those that a hang has cost", () => {
    const clock = { now: () => 10_000, monotonic: () => 10_000 };
    const traffic = createTraffic({ cutovers: ["checkout"], clock });
    const handed = createHandedTraffic(clock);
    const recorder = handed.recorder("checkout", "pay");
    for (let i = 0; i < 100; i++) recorder.record("new", "ok", 12, 200);
    for (let i = 0; i < 100; i++) recorder.record("new", "gave_up", 60);
    traffic.hear(1, handed.take());
    const [[route, seconds] = ["", 0]] = traffic.snapshot().checkout?.new.usual ?? [];
    expect(route).toBe("pay");
    expect(seconds).toBeGreaterThan(11);
    expect(seconds).toBeLessThan(16);
  });
});

describe("mergeTraffic", () => {
  test.each([
    ["nothing", undefined],
    ["a text", "60"],
    [
      "another window",
      { windowSeconds: 30, legacy: { errors: 0, latency: [] }, new: { errors: 0, latency: [] } },
    ],
    ["half a pair", form({ errors: 0, latency: [5] })],
    ["a bucket out of range", form({ errors: 0, latency: [100_000, 1] })],
    ["a negative count", form({ errors: 0, latency: [5, -1] })],
    ["a fraction", form({ errors: 0.5, latency: [] })],
  ])("leaves out %s and keeps the others", (_, broken) => {
    const good = form({ errors: 1, latency: [5, 4] });
    expect(mergeTraffic([broken, good]).figures.new).toMatchObject({ requests: 4, errors: 1 });
  });
});

function form(side: unknown): unknown {
  return { windowSeconds: 60, legacy: { errors: 0, latency: [] }, new: side };
}

describe("traffic that another process has counted", () => {
  test("adds up to what would have been recorded here", () => {
    const clock = { now: () => 1000, monotonic: () => 1000 };
    const here = createTraffic({ cutovers: ["checkout"], clock });
    const added = createTraffic({ cutovers: ["checkout"], clock });
    const handed = createHandedTraffic(clock);
    for (const [side, outcome, seconds] of [
      ["new", "ok", 0.1],
      ["new", "timeout", 2],
      ["new", "rejected", 2],
      ["legacy", "ok", 0.003],
    ] as const) {
      here.recorder("checkout", "pay").record(side, outcome, seconds);
      handed.recorder("checkout", "pay").record(side, outcome, seconds);
      added.hear(1, handed.take());
    }
    expect(handed.take().counts).toEqual([]);
    expect(figuresOf(added)).toEqual(figuresOf(here));
    expect(figuresOf(here).new.requests).toBe(2);
  });
});
