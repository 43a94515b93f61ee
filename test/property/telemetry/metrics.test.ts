import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Reason, reasons } from "../../../src/decide/decide.ts";
import { type Outcome, outcomes } from "../../../src/proxy/outcome.ts";
import type { ServedSide } from "../../../src/proxy/witness.ts";
import { type Side, sides } from "../../../src/state/rules/model.ts";
import { createMetrics } from "../../../src/telemetry/metrics.ts";
import { samplesOf } from "../../unit/telemetry/page.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

const table = [
  { name: "checkout", routes: ["cart", "pay"] },
  { name: "returns", routes: ["pay", "label", "cart"] },
];
const places: readonly (readonly [string, string])[] = [
  ...table.flatMap(({ name, routes }) => routes.map((route) => [name, route] as const)),
  ["none", "none"],
];

type Step =
  | { readonly kind: "decided"; readonly side: Side; readonly reason: Reason }
  | { readonly kind: "began"; readonly side: Side }
  | { readonly kind: "settled"; readonly nth: number; readonly outcome: Outcome; readonly seconds: number }
  | { readonly kind: "scrape" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("decided" as const),
    side: fc.constantFrom(...sides),
    reason: fc.constantFrom(...reasons),
  }),
  fc.record({ kind: fc.constant("began" as const), side: fc.constantFrom(...sides) }),
  fc.record({
    kind: fc.constant("settled" as const),
    nth: fc.nat(),
    outcome: fc.constantFrom(...outcomes),
    seconds: fc.double({ min: 0, max: 100, noNaN: true }),
  }),
  { arbitrary: fc.record({ kind: fc.constant("scrape" as const) }), weight: 1 },
);
const steps = fc.array(fc.tuple(fc.constantFrom(...places), step), { minLength: 1, maxLength: 300 });

describe("the counters", () => {
  test(`equal a tally kept apart, never go back, and nothing stays in flight (SEED=${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const metrics = createMetrics({
          cutovers: table,
          version: "1",
          contact: () => ({ up: true, stalenessMs: 0 }),
        });
        const rows = new Map(
          places.map((place) => [
            place,
            place[0] === "none" ? metrics.counting.row() : metrics.counting.row(place[0], place[1]),
          ]),
        );
        const tally = new Map<string, number>();
        const count = (series: string, by = 1) => tally.set(series, (tally.get(series) ?? 0) + by);
        const open: { place: readonly [string, string]; side: ServedSide }[] = [];
        let before: ReadonlyMap<string, number> = new Map();

        const settle = (nth: number, outcome: Outcome, seconds: number) => {
          const [ended] = open.splice(nth % open.length, 1);
          if (ended === undefined) return;
          const [cutover, route] = ended.place;
          rows.get(ended.place)?.settled(ended.side, outcome, seconds);
          const labels = `cutover="${cutover}",side="${ended.side}"`;
          count(
            `cutover_requests_total{cutover="${cutover}",route="${route}",side="${ended.side}",outcome="${outcome}"}`,
          );
          count(`cutover_request_duration_seconds_count{${labels}}`);
          count(`cutover_request_duration_seconds_sum{${labels}}`, seconds);
          count(`cutover_inflight_requests{${labels}}`, -1);
        };
        const check = async () => {
          const now = samplesOf((await metrics.render()).join(""));
          for (const [series, value] of tally)
            expect([series, now.get(series) ?? 0]).toEqual([series, value]);
          for (const [series, value] of now) {
            if (!series.includes("_total{") && !series.startsWith("cutover_request_duration")) continue;
            expect(value, series).toBeGreaterThanOrEqual(before.get(series) ?? 0);
            if (!series.includes("_bucket{"))
              expect([series, tally.get(series) ?? 0]).toEqual([series, value]);
          }
          before = now;
          return now;
        };

        for (const [place, action] of sequence) {
          const ofCutover = place[0] !== "none";
          if (action.kind === "decided" && ofCutover) {
            rows.get(place)?.decided(action.side, action.reason);
            count(
              `cutover_decisions_total{cutover="${place[0]}",side="${action.side}",reason="${action.reason}"}`,
            );
          } else if (action.kind === "began") {
            const side = ofCutover ? action.side : "none";
            rows.get(place)?.began(side);
            open.push({ place, side });
            count(`cutover_inflight_requests{cutover="${place[0]}",side="${side}"}`);
          } else if (action.kind === "settled") settle(action.nth, action.outcome, action.seconds);
          else if (action.kind === "scrape") await check();
        }
        while (open.length > 0) settle(0, "ok", 0.1);
        const end = await check();
        for (const [series, value] of end) {
          if (series.startsWith("cutover_inflight_requests")) expect([series, value]).toEqual([series, 0]);
        }
      }),
      { seed, numRuns: 60, verbose: 1 },
    );
  });
});
