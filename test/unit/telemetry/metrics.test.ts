import { spawnSync } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { reasons } from "../../../src/decide/decide.ts";
import { createOwnershipMetrics } from "../../../src/ownership/metrics.ts";
import { outcomes } from "../../../src/proxy/outcome.ts";
import { initialState } from "../../../src/state/rules/model.ts";
import { createMetrics, type Metrics, watchRollbacks } from "../../../src/telemetry/metrics.ts";
import { addProcessMetrics } from "../../../src/telemetry/process-metrics.ts";
import { countsJourneys, countsPayments, countsRoute } from "../../../src/telemetry/requests/counts.ts";
import { recordOf } from "../../support/exchange-record.ts";
import { samplesOf } from "./page.ts";

const contact = { up: true, stalenessMs: 250 };

function twoCutovers(): Metrics {
  return createMetrics({
    cutovers: [
      { name: "checkout", routes: ["cart", "pay"] },
      { name: "returns", routes: ["pay"] },
    ],
    version: "1.2.3",
    contact: () => contact,
    logLinesDropped: () => 7,
  });
}

async function scrape(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  return samplesOf((await metrics.render()).join(""));
}

describe("the series of a configured cutover", () => {
  test("all exist at 0 before the first request", async () => {
    const samples = await scrape(twoCutovers());
    const expected: string[] = [];
    for (const side of ["legacy", "new"]) {
      for (const route of ["cart", "pay"]) {
        for (const outcome of outcomes) {
          expected.push(
            `cutover_requests_total{cutover="checkout",route="${route}",side="${side}",outcome="${outcome}"}`,
          );
        }
      }
      for (const reason of reasons) {
        expected.push(`cutover_decisions_total{cutover="checkout",side="${side}",reason="${reason}"}`);
      }
      for (const le of ["0.001", "0.1", "60", "+Inf"]) {
        expected.push(
          `cutover_request_duration_seconds_bucket{cutover="checkout",side="${side}",le="${le}"}`,
        );
      }
      expected.push(
        `cutover_request_duration_seconds_sum{cutover="checkout",side="${side}"}`,
        `cutover_request_duration_seconds_count{cutover="checkout",side="${side}"}`,
        `cutover_inflight_requests{cutover="checkout",side="${side}"}`,
      );
    }
    for (const trigger of ["operator", "guard", "out_of_band", "local"]) {
      expected.push(`cutover_rollbacks_total{cutover="checkout",trigger="${trigger}"}`);
    }
    expected.push(
      'cutover_percent{cutover="checkout"}',
      'cutover_state_version{cutover="checkout"}',
      'cutover_state_rejected_total{cutover="checkout"}',
    );
    expect(expected.filter((series) => samples.get(series) !== 0)).toEqual([]);
  });

  test("of no cutover exist at 0, without a decision or a side", async () => {
    const samples = await scrape(twoCutovers());
    const ofNone = [...samples].filter(([series]) => series.includes('cutover="none"'));
    expect(ofNone.filter(([series, value]) => !series.includes('side="none"') || value !== 0)).toEqual([]);
    expect(ofNone.map(([series]) => series)).toEqual(
      expect.arrayContaining([
        'cutover_requests_total{cutover="none",route="none",side="none",outcome="timeout"}',
        'cutover_request_duration_seconds_count{cutover="none",side="none"}',
        'cutover_inflight_requests{cutover="none",side="none"}',
      ]),
    );
  });

  test("with side none appear when a request is refused before a side was chosen", async () => {
    const metrics = twoCutovers();
    const series = 'cutover_requests_total{cutover="checkout",route="pay",side="none",outcome="rejected"}';
    expect((await scrape(metrics)).has(series)).toBe(false);
    const row = metrics.counting.row("checkout", "pay");
    row.began("none");
    row.settled("none", "rejected", 0.002);
    const samples = await scrape(metrics);
    expect(samples.get(series)).toBe(1);
    expect(samples.get('cutover_request_duration_seconds_count{cutover="checkout",side="none"}')).toBe(1);
  });

  test("stay apart where two cutovers have a route of one name", async () => {
    const metrics = twoCutovers();
    const row = metrics.counting.row("returns", "pay");
    row.began("new");
    row.settled("new", "ok", 0.1);
    const samples = await scrape(metrics);
    const series = (cutover: string) =>
      `cutover_requests_total{cutover="${cutover}",route="pay",side="new",outcome="ok"}`;
    expect([samples.get(series("returns")), samples.get(series("checkout"))]).toEqual([1, 0]);
  });
});

describe("the duration histogram", () => {
  test("has inclusive bounds, cumulative buckets and what is above them all in +Inf", async () => {
    const metrics = twoCutovers();
    const row = metrics.counting.row("checkout", "cart");
    for (const seconds of [0.0005, 0.1, 0.1001, 61]) {
      row.began("legacy");
      row.settled("legacy", "ok", seconds);
    }
    const samples = await scrape(metrics);
    const bucket = (le: string) =>
      samples.get(`cutover_request_duration_seconds_bucket{cutover="checkout",side="legacy",le="${le}"}`);
    expect(["0.001", "0.05", "0.1", "0.25", "60", "+Inf"].map(bucket)).toEqual([1, 1, 2, 3, 3, 4]);
    expect(samples.get('cutover_request_duration_seconds_sum{cutover="checkout",side="legacy"}')).toBeCloseTo(
      61.2006,
      9,
    );
  });
});

describe("of a route, of a journey, and of the proxy itself", () => {
  const records = () => {
    const metrics = createMetrics({
      cutovers: [
        { name: "checkout", routes: ["cart", "pay"], journeys: true, payments: true },
        { name: "returns", routes: ["pay"] },
      ],
      version: "1",
      contact: () => contact,
    });
    const row = metrics.counting.row("checkout", "pay");
    return { metrics, row };
  };

  test("durations are told by route in coarse buckets, which add up to the cutover's", async () => {
    const { metrics, row } = records();
    const other = metrics.counting.row("checkout", "cart");
    for (const [to, seconds] of [
      [row, 0.05],
      [row, 1.5],
      [row, 31],
      [other, 2],
    ] as const) {
      to.began("new");
      to.settled("new", "ok", seconds);
    }
    const samples = await scrape(metrics);
    const bucket = (route: string, le: string) =>
      samples.get(
        `cutover_route_duration_seconds_bucket{cutover="checkout",route="${route}",side="new",le="${le}"}`,
      );
    expect(["0.05", "0.25", "2", "30", "+Inf"].map((le) => bucket("pay", le))).toEqual([1, 1, 2, 2, 3]);
    expect(["1", "2", "+Inf"].map((le) => bucket("cart", le))).toEqual([0, 1, 1]);
    expect(samples.get('cutover_request_duration_seconds_bucket{cutover="checkout",side="new",le="2"}')).toBe(
      3,
    );
    expect(
      samples.get('cutover_route_duration_seconds_sum{cutover="checkout",route="pay",side="new"}'),
    ).toBeCloseTo(32.55, 9);
  });

  test("journeys that begin and end, and payments, are told by side and reason, from 0, where there are any", async () => {
    const { metrics, row } = records();
    const { journeyed } = countsJourneys(row);
    const { settled } = countsPayments(row);
    const pin = { id: "j", side: "new", epoch: 0, startedAt: 0, expiresAt: 1 } as const;
    const of = (change: Parameters<typeof recordOf>[0]) => recordOf({ side: "new", status: 200, ...change });
    for (const event of ["start", "seen", "end"] as const) journeyed?.(of({ reason: "bucket" }), pin, event);
    for (const status of [200, 303, 402]) settled?.(of({ reason: "journey", status }), "ok");
    settled?.(of({ reason: "journey" }), "failed");
    settled?.(of({ reason: "journey", status: 500 }), "server_error");
    const samples = await scrape(metrics);
    const names = ["journeys_started", "journeys_ended", "payments"];
    const told = (side: string, reason: string) =>
      names.map((name) =>
        samples.get(`cutover_${name}_total{cutover="checkout",side="${side}",reason="${reason}"}`),
      );
    expect(told("new", "bucket")).toEqual([1, 1, 0]);
    expect(told("new", "journey")).toEqual([0, 0, 2]);
    expect(told("legacy", "bucket")).toEqual([0, 0, 0]);
    const others = [...samples.keys()].filter((series) => /(journeys|payments)_.*returns/.test(series));
    expect(others).toEqual([]);
  });

  test("what requests spend in the proxy is told of those that went to a side", async () => {
    const { metrics, row } = records();
    const { settled } = countsRoute(row);
    settled?.(recordOf({ side: "new", ownMs: 0.2 }), "ok");
    settled?.(recordOf({ side: "new", ownMs: 30 }), "ok");
    settled?.(recordOf({ side: "none", ownMs: 0 }), "rejected");
    const samples = await scrape(metrics);
    const bucket = (le: string) =>
      samples.get(`cutover_overhead_seconds_bucket{cutover="checkout",le="${le}"}`);
    expect(["0.0001", "0.00025", "0.025", "0.05", "+Inf"].map(bucket)).toEqual([0, 1, 1, 2, 2]);
    expect(samples.get('cutover_overhead_seconds_sum{cutover="checkout"}')).toBeCloseTo(0.0302, 9);
  });
});

describe("what is set", () => {
  test("shows percent, version and exactly one state", async () => {
    const metrics = twoCutovers();
    metrics.setState("checkout", { ...initialState(), percentThousandths: 4035, state: "held", version: 8 });
    const samples = await scrape(metrics);
    expect(samples.get('cutover_percent{cutover="checkout"}')).toBe(4.035);
    expect(samples.get('cutover_state_version{cutover="checkout"}')).toBe(8);
    const state = (cutover: string) =>
      ["open", "held", "rolled_back", "closed"].map((name) =>
        samples.get(`cutover_state{cutover="${cutover}",state="${name}"}`),
      );
    expect(state("checkout")).toEqual([0, 1, 0, 0]);
    expect(state("returns")).toEqual([1, 0, 0, 0]);
  });

  test("counts rollbacks by trigger and refused contents by cutover", async () => {
    const metrics = twoCutovers();
    metrics.rollback("returns", "operator");
    metrics.rollback("returns", "out_of_band");
    metrics.rollback("returns", "out_of_band");
    metrics.rejected("checkout");
    const samples = await scrape(metrics);
    expect(samples.get('cutover_rollbacks_total{cutover="returns",trigger="operator"}')).toBe(1);
    expect(samples.get('cutover_rollbacks_total{cutover="returns",trigger="out_of_band"}')).toBe(2);
    expect(samples.get('cutover_rollbacks_total{cutover="checkout",trigger="operator"}')).toBe(0);
    expect(samples.get('cutover_state_rejected_total{cutover="checkout"}')).toBe(1);
    expect(samples.get('cutover_state_rejected_total{cutover="returns"}')).toBe(0);
  });

  // A guard's rollback was counted as an operator's.
  test("tells by whom the rolled-back state was made what triggered it", () => {
    const counted: string[] = [];
    const onSwap = watchRollbacks({ rollback: (name, trigger) => counted.push(`${name} ${trigger}`) });
    const withState = (updatedBy: string, state: "open" | "rolled_back") => ({
      states: new Map([["checkout", { ...initialState(), state, updatedBy }]]),
    });
    for (const by of ["ann", "guard", "by hand"]) {
      onSwap(withState(by, "rolled_back"), withState("ann", "open"));
      onSwap(withState(by, "rolled_back"), withState(by, "rolled_back"));
    }
    expect(counted).toEqual(["checkout operator", "checkout guard", "checkout out_of_band"]);
  });

  test("asks for the store's contact and the lost log lines at the scrape", async () => {
    const samples = await scrape(twoCutovers());
    expect(samples.get("cutover_store_up")).toBe(1);
    expect(samples.get("cutover_store_staleness_seconds")).toBe(0.25);
    expect(samples.get("cutover_log_lines_dropped_total")).toBe(7);
    expect(samples.get('cutover_build_info{version="1.2.3"}')).toBe(1);
  });

  test("says the store's own word for as long as it refuses", async () => {
    let word: string | undefined = "OOM";
    const contact = () => ({ up: true, stalenessMs: 0, ...(word === undefined ? {} : { word }) });
    const metrics = createMetrics({ cutovers: [], version: "1", contact });
    expect((await scrape(metrics)).get('cutover_store_refusal{word="OOM"}')).toBe(1);
    expect((await scrape(metrics)).get("cutover_store_writable")).toBe(0);
    word = undefined;
    expect((await metrics.render()).join("")).not.toContain("cutover_store_refusal{");
    expect((await scrape(metrics)).get("cutover_store_writable")).toBe(1);
  });

  test("says +Inf of a store that has never answered", async () => {
    const metrics = createMetrics({
      cutovers: [],
      version: "1",
      contact: () => ({ up: false, stalenessMs: Number.POSITIVE_INFINITY }),
    });
    expect((await metrics.render()).join("")).toContain("\ncutover_store_staleness_seconds +Inf\n");
  });
});

describe("names", () => {
  const contactOf = () => contact;
  test.each([
    ["a cutover called none", [{ name: "none", routes: [] }]],
    [
      "two cutovers of one name",
      [
        { name: "a", routes: [] },
        { name: "a", routes: [] },
      ],
    ],
    ["two routes of one name", [{ name: "a", routes: ["r", "r"] }]],
  ])("refuses %s, whose series would clash", (_, cutovers) => {
    expect(() => createMetrics({ cutovers, version: "1", contact: contactOf })).toThrow();
  });

  test("refuses a row, a state or a rollback of a cutover that is not configured", () => {
    const metrics = twoCutovers();
    expect(() => metrics.counting.row("nothing", "pay")).toThrow("nothing");
    expect(() => metrics.counting.row("checkout", "nothing")).toThrow("nothing");
    expect(() => metrics.setState("nothing", initialState())).toThrow("nothing");
    expect(() => metrics.rollback("none", "operator")).toThrow("no cutover");
  });

  test("escapes a label value", async () => {
    const metrics = createMetrics({ cutovers: [], version: 'a"b\\c\nd', contact: contactOf });
    expect((await metrics.render()).join("")).toContain('cutover_build_info{version="a\\"b\\\\c\\nd"} 1\n');
  });
});

describe("a scrape", () => {
  test("passes promtool check metrics, process metrics included", async () => {
    const metrics = twoCutovers();
    addProcessMetrics(metrics.registry);
    const row = metrics.counting.row("checkout", "pay");
    row.decided("new", "bucket");
    for (const side of ["new", "legacy", "none"] as const) {
      row.began(side);
      row.settled(side, "client_aborted", 0.3);
    }
    const none = metrics.counting.row();
    none.began("none");
    none.settled("none", "ok", 0.01);
    metrics.rollback("checkout", "operator");
    const page = (await metrics.render()).join("");
    const checked = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
    expect(checked.error).toBeUndefined();
    expect({ status: checked.status, output: checked.stdout + checked.stderr }).toEqual({
      status: 0,
      output: "",
    });
    const names = new Set([...samplesOf(page).keys()].map((series) => series.split("{")[0]));
    expect(names).toContain("process_cpu_seconds_total");
    expect(names).toContain("process_open_fds");
    expect(names).toContain("nodejs_eventloop_lag_p99_seconds");
  });

  test("of 100 cutovers with 10 routes each blocks the event loop for at most 20 ms, in either format", async () => {
    const cutovers = Array.from({ length: 100 }, (_, cutover) => ({
      name: `cutover-${cutover}`,
      routes: Array.from({ length: 10 }, (_, route) => `route-${route}`),
      journeys: true,
      payments: true,
    }));
    const metrics = createMetrics({ cutovers, version: "1", contact: () => contact });
    addProcessMetrics(metrics.registry);
    createOwnershipMetrics(
      metrics.registry,
      cutovers.map(({ name }) => name),
    );
    for (const format of ["text", "openMetrics"] as const) {
      let least = Number.POSITIVE_INFINITY;
      // The machine's own pauses are not the scrape's: one scrape without them tells, on a busy machine a later one.
      for (let scrapes = 0; least >= 20 && scrapes < 50; scrapes++) {
        least = Math.min(least, await longestBlock(() => metrics.render(format)));
      }
      expect(least, format).toBeLessThan(20);
    }
    expect((await scrape(metrics)).size).toBeGreaterThan(50_000);
  });
});

/** The longest time in ms between two turns of the event loop while the work goes on. */
async function longestBlock(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let finished = false;
  let last = performance.now();
  const done = work().then(() => {
    finished = true;
  });
  while (!finished) {
    await setImmediate();
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  await done;
  return longest;
}
