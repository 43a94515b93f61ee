import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countsAsError, countsAsRequest, outcomes } from "../../../src/proxy/outcome.ts";
import type { Side } from "../../../src/state/rules/model.ts";
import { mergeTraffic } from "../../../src/telemetry/traffic/merge.ts";
import { createTraffic } from "../../../src/telemetry/traffic/traffic.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** 0.1 ms – 300 s, as many in each decade. */
const seconds = fc.double({ min: -4, max: Math.log10(300), noNaN: true }).map((exponent) => 10 ** exponent);
const request = fc.record({
  instance: fc.nat({ max: 2 }),
  side: fc.constantFrom<Side>("legacy", "new"),
  outcome: fc.constantFrom(...outcomes),
  seconds,
  status: fc.constantFrom(200, 303, 404, 503, undefined),
  /** Long silences as well: what is older than the window must be gone. */
  passedMs: fc.oneof(fc.nat({ max: 400 }), fc.nat({ max: 20_000 }), fc.constant(70_000)),
});

const slotMs = 5000;

describe("merged traffic", () => {
  test(`has exact sums, and quantiles within 5 % of the exact ones, over the window (SEED=${seed})`, () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 400 }), fc.nat({ max: 100_000 }), (requests, startMs) => {
        let now = startMs;
        const instances = [0, 1, 2].map(() =>
          createTraffic({ cutovers: ["checkout"], clock: { now: () => now, monotonic: () => now } }),
        );
        const done = requests.map((one) => {
          now += one.passedMs;
          instances[one.instance]
            ?.recorder("checkout", "pay")
            .record(one.side, one.outcome, one.seconds, one.status);
          return { ...one, slot: Math.floor(now / slotMs) };
        });
        const forms: unknown[] = instances.map((traffic) => traffic.snapshot().checkout);
        const { figures: merged } = mergeTraffic(JSON.parse(JSON.stringify(forms)));
        const inWindow = done.filter(({ slot }) => slot > Math.floor(now / slotMs) - 12);

        for (const side of ["legacy", "new"] as const) {
          const counted = inWindow.filter((one) => one.side === side && countsAsRequest(one.outcome));
          const errors = counted.filter((one) => countsAsError(one.outcome)).length;
          const { p50, p99, shares, ...sums } = merged[side];
          const answers = counted.filter((one) => ["ok", "server_error", "failed"].includes(one.outcome));
          const of = (status: number) => answers.filter((one) => one.status === status).length;
          const share = (status: number) => of(status) / counted.length;
          expect(sums).toEqual({
            requests: counted.length,
            errors,
            errorRate: counted.length === 0 ? null : errors / counted.length,
            clientErrors: of(404),
            inFlight: 0,
            oldestInFlightSeconds: null,
          });
          const all = { "2xx": share(200), "3xx": share(303), "4xx": share(404), "5xx": share(503) };
          expect(shares).toEqual(counted.length === 0 ? null : all);
          const latencies = counted.map((one) => one.seconds).sort((a, b) => a - b);
          expectNear(p50, exactQuantile(latencies, 0.5));
          expectNear(p99, exactQuantile(latencies, 0.99));
        }
      }),
      { seed, numRuns: 300, verbose: 1 },
    );
  });
});

function exactQuantile(sorted: readonly number[], q: number): number | null {
  return sorted[Math.ceil(q * sorted.length) - 1] ?? null;
}

function expectNear(actual: number | null, exact: number | null): void {
  if (actual === null || exact === null) expect(actual).toBe(exact);
  else expect(Math.abs(actual - exact) / exact).toBeLessThanOrEqual(0.05);
}
