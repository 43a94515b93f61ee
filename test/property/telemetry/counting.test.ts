import fc from "fast-check";
import { expect, test } from "vitest";
import { createMetrics } from "../../../src/telemetry/metrics.ts";
import {
  type Counting,
  createRequestCounts,
  type Joined,
  type RequestCounts,
} from "../../../src/telemetry/requests/counting.ts";
import type { CutoverRoutes } from "../../../src/telemetry/requests/counts.ts";
import { type SeriesCounts, seriesCounts } from "../../../src/telemetry/requests/series.ts";
import { samplesOf } from "../../unit/telemetry/page.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

const first: readonly CutoverRoutes[] = [
  { name: "checkout", routes: ["cart", "pay"] },
  { name: "returns", routes: ["pay", "label", "cart"] },
];
const configurations = [
  first,
  first,
  [{ name: "returns", routes: ["cart", "pay"] }],
  [
    { name: "checkout", routes: ["pay", "cart"] },
    { name: "returns", routes: ["pay", "label", "cart"] },
  ],
  [...first, { name: "search", routes: ["find"] }],
];

const step = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constantFrom("begin" as const, "settle" as const), weight: 3 },
    {
      arbitrary: fc.constantFrom("reload", "retire", "fork", "report", "report", "report", "lose", "scrape"),
      weight: 2,
    },
  ),
  nth: fc.nat(),
  seconds: fc.double({ min: 0, max: 100, noNaN: true }),
});

/** A process that serves, and what ought to be known of it. */
interface Serving {
  begin(nth: number): void;
  settle(nth: number, seconds: number): void;
  /** Later requests are those of another configuration. */
  reload(cutovers: readonly CutoverRoutes[]): Counting;
  /** Ends the countings of before that no request is left of. */
  retire(): void;
  /** What it has counted is known from now on. @returns the requests that were settled since, by their series */
  tell(): readonly string[];
  /** Series of what was in flight when it told. */
  inflight(): readonly string[];
}

function serve(
  cutovers: readonly CutoverRoutes[],
  count: RequestCounts["count"],
  begun: Counting = count(cutovers),
): Serving {
  type Request = { readonly by: Counting; readonly cutover: string; readonly route: string };
  let [configuration, counting] = [cutovers, begun];
  let before: Counting[] = [];
  let settled: string[] = [];
  let told: string[] = [];
  const underWay: Request[] = [];
  return {
    begin(nth) {
      const all = configuration.flatMap(({ name, routes }) => routes.map((route) => [name, route] as const));
      const [cutover, route] = all[nth % all.length] ?? ["", ""];
      counting.row(cutover, route).began("new");
      underWay.push({ by: counting, cutover, route });
    },
    settle(nth, seconds) {
      const [ended] = underWay.splice(nth % Math.max(1, underWay.length), 1);
      if (ended === undefined) return;
      const { by, cutover, route } = ended;
      by.row(cutover, route).settled("new", "ok", seconds);
      settled.push(
        `cutover_requests_total{cutover="${cutover}",route="${route}",side="new",outcome="ok"}`,
        `cutover_request_duration_seconds_count{cutover="${cutover}",side="new"}`,
      );
    },
    reload(next) {
      before.push(counting);
      configuration = next;
      counting = count(next);
      return counting;
    },
    retire() {
      const isOver = (one: Counting) => underWay.every(({ by }) => by !== one);
      for (const one of before) if (isOver(one)) one.end();
      before = before.filter((one) => !isOver(one));
    },
    tell() {
      told = underWay.map(({ cutover }) => `cutover_inflight_requests{cutover="${cutover}",side="new"}`);
      const known = settled;
      settled = [];
      return known;
    },
    inflight: () => told,
  };
}

test(`the counters equal a tally kept apart, and none goes back, over reloads and lost workers (SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120, size: "max" }), async (steps) => {
      const metrics = createMetrics({
        cutovers: first,
        version: "1",
        contact: () => ({ up: true, stalenessMs: 0 }),
      });
      const instance = serve(first, metrics.count, metrics.counting);
      let workers: {
        readonly counts: RequestCounts;
        readonly joined: Joined<SeriesCounts>;
        readonly serving: Serving;
      }[] = [];
      let configuration = first;
      const tally = new Map<string, number>();
      let before: ReadonlyMap<string, number> = new Map();

      const know = (series: readonly string[]) => {
        for (const one of series) tally.set(one, (tally.get(one) ?? 0) + 1);
      };
      const report = ({ counts, joined, serving }: (typeof workers)[number]) => {
        joined.add(seriesCounts.parse(JSON.parse(JSON.stringify(counts.take()))));
        know(serving.tell());
      };
      const scrape = async () => {
        know(instance.tell());
        const now = samplesOf((await metrics.render()).join(""));
        const inflight = [instance, ...workers.map(({ serving }) => serving)].flatMap((one) =>
          one.inflight(),
        );
        for (const [series, value] of now) {
          if (series.startsWith("cutover_inflight_requests")) {
            expect([series, value]).toEqual([series, inflight.filter((one) => one === series).length]);
          } else if (/^cutover_request(?:s_total|_duration_seconds_count)/.test(series)) {
            expect([series, value]).toEqual([series, tally.get(series) ?? 0]);
          } else if (series.startsWith("cutover_request_duration_seconds")) {
            expect(value, series).toBeGreaterThanOrEqual(before.get(series) ?? 0);
          }
        }
        // A series that is away for a while is to come back with its count.
        before = new Map([...before, ...now]);
      };

      for (const { kind, nth, seconds } of steps) {
        const all = [instance, ...workers.map(({ serving }) => serving)];
        const one = all[nth % all.length];
        const worker = workers[nth % Math.max(1, workers.length)];
        if (kind === "begin") one?.begin(nth);
        else if (kind === "settle") one?.settle(nth, seconds);
        else if (kind === "reload") {
          configuration = configurations[nth % configurations.length] ?? first;
          for (const { serving } of workers) serving.reload(configuration);
          const counting = instance.reload(configuration);
          if (nth % 2 === 0) await scrape();
          if (nth % 3 === 0) instance.retire();
          metrics.show(counting);
        } else if (kind === "retire") for (const each of all) each.retire();
        else if (kind === "fork") {
          const counts = createRequestCounts();
          const serving = serve(configuration, counts.count);
          workers.push({ counts, joined: metrics.join(), serving });
        } else if (kind === "report" && worker !== undefined) report(worker);
        else if (kind === "lose" && worker !== undefined) {
          worker.joined.end();
          workers = workers.filter((other) => other !== worker);
        } else if (kind === "scrape") await scrape();
      }
      await scrape();
    }),
    { seed, numRuns: 100, verbose: 1 },
  );
});
