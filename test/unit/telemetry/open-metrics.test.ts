/** The page as OpenMetrics 1.0 has it, and the traces on it. */
import { Counter, Gauge } from "prom-client";
import { describe, expect, test } from "vitest";
import { formatFor } from "../../../src/telemetry/exposition.ts";
import { createMetrics, type Metrics } from "../../../src/telemetry/metrics.ts";
import { countsRoute } from "../../../src/telemetry/requests/counts.ts";
import { recordOf } from "../../support/exchange-record.ts";
import { samplesOf } from "./page.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

function oneCutover(): Metrics {
  return createMetrics({
    cutovers: [{ name: "checkout", routes: ["pay"], journeys: true, payments: true }],
    version: "1",
    contact: () => ({ up: true, stalenessMs: 0 }),
  });
}

/** @param flags of the request's traceparent */
function settle(metrics: Metrics, seconds: number, flags: string, of = traceId): void {
  const { settled } = countsRoute(metrics.counting.row("checkout", "pay"));
  const traceparent = `00-${of}-00f067aa0ba902b7-${flags}`;
  settled?.(recordOf({ side: "new", attemptAt: 0, endedAt: seconds * 1000, traceparent }), "ok");
}

test("says the same as the text, with a counter's family named without _total, and an end", async () => {
  const metrics = oneCutover();
  new Counter({
    name: "room_things_total",
    help: 'What "a room" counts.',
    registers: [metrics.registry],
  }).inc(3);
  settle(metrics, 0.3, "00");
  const text = (await metrics.render("text")).join("");
  const open = (await metrics.render("openMetrics")).join("");
  expect(open).toContain(
    '# HELP room_things What \\"a room\\" counts.\n# TYPE room_things counter\nroom_things_total 3\n',
  );
  expect(open).toMatch(/# TYPE cutover_requests counter\ncutover_requests_total\{/);
  expect(open.endsWith("\n# EOF\n")).toBe(true);
  expect(open.match(/^# EOF$/gm)).toHaveLength(1);
  expect(open).not.toMatch(/\n\n/);
  expect(open.match(/^# TYPE \w+_total /gm)).toBeNull();
  expect(samplesOf(open)).toEqual(samplesOf(text));
});

test("what asks a store asks it together, and one that fails is the page's failure", async () => {
  const metrics = oneCutover();
  let asked = 0;
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  for (const name of ["one", "other"]) {
    new Gauge({
      name,
      help: name,
      registers: [metrics.registry],
      async collect() {
        asked += 1;
        if (asked === 2) answer();
        await answered;
        this.set(asked);
      },
    });
  }
  expect(samplesOf((await metrics.render()).join("")).get("other")).toBe(2);
  new Gauge({
    name: "failing",
    help: "fails",
    registers: [metrics.registry],
    collect: () => Promise.reject(new Error("no answer")),
  });
  await expect(metrics.render()).rejects.toThrow("no answer");
});

describe("the bucket of a duration", () => {
  const exemplars = (page: string) => page.split("\n").filter((line) => line.includes(" # {"));

  test("carries the trace of the request that came there last, with its duration and time, where it is sampled", async () => {
    const metrics = oneCutover();
    const before = Date.now() / 1000;
    settle(metrics, 1.7, "01", "a".repeat(32));
    settle(metrics, 1.8, "01");
    settle(metrics, 0.02, "00");
    const [line, ...more] = exemplars((await metrics.render("openMetrics")).join(""));
    expect(more).toEqual([]);
    const [, sample, labels, value, at] = /^(.+) # (\{.+\}) (\S+) (\S+)$/.exec(line ?? "") ?? [];
    expect({ sample, labels, value }).toEqual({
      sample: 'cutover_request_duration_seconds_bucket{cutover="checkout",side="new",le="2"} 3',
      labels: `{trace_id="${traceId}"}`,
      value: "1.8",
    });
    expect(Number(at)).toBeGreaterThanOrEqual(Math.floor(before));
    expect(Number(at)).toBeLessThanOrEqual(Date.now() / 1000 + 1);
  });

  test("carries none in the text format, which knows no such thing", async () => {
    const metrics = oneCutover();
    settle(metrics, 1.8, "01");
    expect(exemplars((await metrics.render()).join(""))).toEqual([]);
  });

  test("carries what a worker has told, unless there is a later one", async () => {
    const worker = oneCutover();
    settle(worker, 1.8, "01");
    const told = worker.exemplars.take();
    expect(worker.exemplars.take()).toEqual([]);
    const primary = oneCutover();
    primary.exemplars.add(told);
    expect(exemplars((await primary.render("openMetrics")).join(""))).toEqual([
      expect.stringContaining(`{trace_id="${traceId}"} 1.8 `),
    ]);
    settle(primary, 1.9, "01", "b".repeat(32));
    primary.exemplars.add(told.map(([...one]) => one.with(5, 1)) as typeof told);
    expect(exemplars((await primary.render("openMetrics")).join(""))).toEqual([
      expect.stringContaining("b".repeat(32)),
    ]);
  });
});

test.each([
  [undefined, "text"],
  ["*/*", "text"],
  ["text/plain", "text"],
  ["application/openmetrics-text", "openMetrics"],
  ["Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", "openMetrics"],
  // Prometheus 2 and 3.
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "openMetrics",
  ],
  ["application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.3", "text"],
  ["application/openmetrics-text;q=0", "text"],
  ["application/openmetrics-text;q=nonsense, text/html", "text"],
] as const)("who accepts %s is given %s", (accept, format) => {
  expect(formatFor(accept)).toBe(format);
});
