/** Figures of hours, with the full bars of a day, that a real Prometheus has, told by an instance that has just started. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seriesView } from "../../src/admin/api/series/series-view.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createOlderSeries } from "../../src/telemetry/older/older.ts";
import { type AdminFixture, startAdmin } from "../support/admin-fixture.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";

const run = promisify(execFile);
const everySeconds = 100;
const hours = process.env.CUTOVER_BARS === "full" ? 26 : 4;
const dayMs = 86_400_000;
/** Each instance's, between two scrapes. */
const each = {
  legacy: { ok: 900, server_error: 9 },
  new: { ok: 100, timeout: 3, client_aborted: 40 },
} as const;

/** All of two instances, as Prometheus takes them in. */
function openMetrics(untilSeconds: number): string {
  const counted: string[] = [];
  const timed: string[] = [];
  const flying: string[] = [];
  const samples = (hours * 3600) / everySeconds;
  const times = Array.from({ length: samples }, (_, n) => untilSeconds - (samples - n) * everySeconds);
  for (const instance of ["a:9900", "b:9900"]) {
    for (const [side, outcomes] of Object.entries(each)) {
      const labels = `cutover="checkout",side="${side}",instance="${instance}"`;
      for (const [outcome, amount] of Object.entries(outcomes)) {
        const of = `cutover_requests_total{${labels},route="pay",outcome="${outcome}"}`;
        for (const [n, at] of times.entries()) counted.push(`${of} ${n * amount} ${at}`);
      }
      // All between 0.1 and 0.25 s.
      for (const [bound, is] of Object.entries({ "0.1": 0, "0.25": 1, "+Inf": 1 })) {
        const of = `cutover_request_duration_seconds_bucket{${labels},le="${bound}"}`;
        for (const [n, at] of times.entries()) timed.push(`${of} ${n * 1000 * is} ${at}`);
      }
      const of = `cutover_inflight_requests{${labels}}`;
      for (const at of times) flying.push(`${of} ${side === "new" ? 2 : 7} ${at}`);
    }
  }
  return [
    "# TYPE cutover_requests counter",
    ...counted,
    "# TYPE cutover_request_duration_seconds histogram",
    ...timed,
    "# TYPE cutover_inflight_requests gauge",
    ...flying,
    "# EOF\n",
  ].join("\n");
}

describe("an instance that has just started, with a Prometheus", () => {
  let folder: string;
  let prometheus: Prometheus;
  let admin: AdminFixture;
  let url: string | undefined;
  const older = createOlderSeries({ url: () => url, clock: systemClock });
  const nowSeconds = Math.floor(Date.now() / 1000 / 3600) * 3600;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "cutover-older-"));
    const text = join(folder, "past.txt");
    await writeFile(text, openMetrics(nowSeconds));
    await run("promtool", ["tsdb", "create-blocks-from", "openmetrics", text, join(folder, "tsdb")]);
    prometheus = await startPrometheus({ folder, targets: [], everyMs: 60_000 });
    ({ url } = prometheus);
    admin = await startAdmin({ older });
  });
  afterAll(async () => {
    older.close();
    await admin?.close();
    await prometheus?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function series(days: number) {
    const since = new Date(Date.now() - days * dayMs).toISOString();
    const response = await fetch(`${admin.url}/api/v1/cutovers/checkout/series?since=${since}`);
    expect(response.status).toBe(200);
    return seriesView.parse(await response.json());
  }

  test.each([
    [1, 300],
    [7, 1200],
  ])("%d days are Prometheus's, in steps of %d s, each counted as it was", async (days, stepSeconds) => {
    const told = await series(days);
    expect(told).toMatchObject({ stepSeconds, from: "prometheus" });
    // Neither of the hour that goes on, nor of the one that only began to be scraped.
    const whole = told.points.filter(({ at }) => {
      const began = Date.parse(at) / 1000;
      const isScraped = began >= nowSeconds - (hours - 1) * 3600;
      return isScraped && began + stepSeconds <= nowSeconds - everySeconds;
    });
    const told24 = Math.min(days * 24 - 1, hours - 1) * 3600;
    expect(whole.length).toBeGreaterThan(told24 / stepSeconds - 3);
    const times = stepSeconds / everySeconds;
    for (const { instances, legacy, new: onNew } of whole) {
      expect(instances).toBe(2);
      expect(legacy).toMatchObject({ requests: 2 * 909 * times, errors: 18 * times, inFlight: 14 });
      expect(onNew).toMatchObject({ requests: 2 * 103 * times, errors: 6 * times, inFlight: 4 });
      expect(onNew.p99).toBeCloseTo(0.2485, 4);
    }
  });

  test("one that is gone meanwhile is said, and what the instances know is told", async () => {
    url = "http://127.0.0.1:9";
    expect(await series(7)).toEqual({
      ...{ stepSeconds: 60, from: "instances", points: [] },
      missing: expect.stringMatching(/^Prometheus: \S/),
    });
    url = undefined;
    expect(await series(7)).toEqual({ stepSeconds: 60, from: "instances", points: [] });
  });
});
