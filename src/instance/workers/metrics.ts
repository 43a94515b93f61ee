/**
 * What the workers of an instance count and use, brought together in their primary, which is the one that is scraped.
 *
 *   counts of requests        what came since the last time; what a worker had in flight goes with it
 *   counters of rooms         what came since the last time, so that the total outlives the worker
 *   gauges of rooms           as they stand, summed over the workers that live
 *   what a worker uses        shown as metrics of the instance; the `process_*` metrics beside them are the primary's
 *
 * Histograms and summaries of rooms are not brought together.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Registry } from "prom-client";
import * as z from "zod";
import { systemClock } from "../../base/clock.ts";
import type { Tellings } from "../../guard/watch/tellings.ts";
import type { GuardCounting } from "../../guard/window/counting.ts";
import { assignedRow, journeyRow } from "../../guard/window/told.ts";
import type { LogFile } from "../../telemetry/log-file.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { createRequestCounts, type Joined, type RequestCounts } from "../../telemetry/requests/counting.ts";
import { exemplarList } from "../../telemetry/requests/exemplars.ts";
import { type SeriesCounts, seriesCounts } from "../../telemetry/requests/series.ts";
import { createHandedTraffic, handedFigures, type Traffic } from "../../telemetry/traffic/traffic.ts";

const count = z.int().min(0);
const guardSide = z
  .object({
    units: count,
    quick: z.array(count).readonly(),
    late: z.array(count).readonly(),
    unnamedQuick: count,
    unnamedLate: count,
  })
  .readonly();
const guardSides = { legacy: guardSide, onNew: guardSide };
const guardBlock = z.object({
  ...{ block: z.number(), ...guardSides },
  of: z.string().exactOptional(),
  slow: z.object(guardSides).readonly().exactOptional(),
  journeys: z.array(journeyRow.readonly()).readonly().exactOptional(),
  assigned: z.array(assignedRow.readonly()).readonly().exactOptional(),
});
const guardBlocks = z.array(guardBlock.readonly());

const roomMetric = z.object({
  type: z.enum(["counter", "gauge"]),
  name: z.string(),
  help: z.string(),
  /** Labels, and what came since the last time or how it stands. */
  samples: z.array(z.tuple([z.record(z.string(), z.string()), z.number()])),
});
type RoomMetrics = z.output<typeof roomMetric>[];

/** What a worker tells of itself: counts since the last time, and what it uses. */
export const workerFigures = z.object({
  counts: seriesCounts,
  exemplars: exemplarList,
  traffic: handedFigures,
  /** What the guard is told of late, by cutover; all of it each time. */
  guard: z.record(z.string(), guardBlocks.readonly()).readonly(),
  metrics: z.array(roomMetric),
  logLinesDropped: z.number(),
  /** Since it started. */
  cpuSeconds: z.number(),
  residentBytes: z.number(),
  /** The longest that 99 of 100 turns of its event loop came late, since the last time. */
  loopLagSeconds: z.number(),
});
type WorkerFigures = z.output<typeof workerFigures>;

interface WorkerCounts {
  readonly requests: RequestCounts;
  /** For the counters and gauges of rooms. */
  readonly registry: Registry;
  /** @returns what came since it was called last */
  take(): Promise<WorkerFigures>;
}

/** The worker's half. @param lines where its log goes */
export function createWorkerCounts(
  lines: Pick<LogFile, "dropped">,
  guardCounting: Pick<GuardCounting, "reports">,
): WorkerCounts {
  const traffic = createHandedTraffic(systemClock);
  const requests = createRequestCounts(traffic.recorder);
  const registry = new Registry();
  const takeMetrics = createRoomMetricsTaker(registry);
  let droppedBefore = 0;
  const loopLag = monitorEventLoopDelay({ resolution: loopLagResolutionMs });
  loopLag.enable();
  return {
    requests,
    registry,
    async take() {
      const metrics = await takeMetrics();
      const logLinesDropped = lines.dropped() - droppedBefore;
      droppedBefore += logLinesDropped;
      const { user, system } = process.cpuUsage();
      const loopLagSeconds = lagOf(loopLag);
      loopLag.reset();
      return {
        counts: requests.take(),
        exemplars: requests.exemplars.take(),
        traffic: traffic.take(),
        guard: guardCounting.reports(),
        metrics,
        logLinesDropped,
        cpuSeconds: (user + system) / 1e6,
        residentBytes: process.memoryUsage.rss(),
        loopLagSeconds,
      };
    },
  };
}

/** As prom-client has it of the primary. */
const loopLagResolutionMs = 10;

/** @returns seconds; 0 where nothing was measured yet */
function lagOf(histogram: IntervalHistogram): number {
  return histogram.count === 0 ? 0 : histogram.percentile(99) / 1e9;
}

interface WorkerSum {
  /** @param worker its number, which no other is given */
  add(worker: number, figures: WorkerFigures): void;
  /** The process has ended, whether it ever told something or not. */
  gone(worker: number): void;
}

/** The primary's half. */
export function createWorkerSum({
  metrics,
  traffic,
  tellings,
  onLogLinesDropped,
}: {
  readonly metrics: Pick<Metrics, "registry" | "join" | "exemplars">;
  readonly traffic: Pick<Traffic, "hear" | "gone">;
  readonly tellings: Pick<Tellings, "hear" | "gone">;
  readonly onLogLinesDropped: (more: number) => void;
}): WorkerSum {
  const known = new Map<
    number,
    { readonly counts: Joined<SeriesCounts>; readonly rooms: Joined<RoomMetrics> }
  >();
  const use = createWorkerUse(metrics.registry);
  return {
    add(worker, figures) {
      const one = known.get(worker) ?? { counts: metrics.join(), rooms: joinRoomMetrics(metrics.registry) };
      known.set(worker, one);
      one.counts.add(figures.counts);
      metrics.exemplars.add(figures.exemplars);
      one.rooms.add(figures.metrics);
      traffic.hear(worker, figures.traffic);
      tellings.hear(worker, figures.guard);
      onLogLinesDropped(figures.logLinesDropped);
      use.told(worker, figures);
    },
    gone(worker) {
      known.get(worker)?.counts.end();
      known.get(worker)?.rooms.end();
      known.delete(worker);
      traffic.gone(worker);
      tellings.gone(worker);
      use.gone(worker);
    },
  };
}

type WorkerUse = Pick<WorkerFigures, "cpuSeconds" | "residentBytes" | "loopLagSeconds">;

function createWorkerUse(registry: Registry) {
  const living = new Map<number, WorkerUse>();
  const registers = [registry];
  new Gauge({
    name: "cutover_workers",
    help: "Worker processes that live, those that drain included.",
    registers,
    collect() {
      this.set(living.size);
    },
  });
  new Gauge({
    name: "cutover_workers_resident_memory_bytes",
    help: "Resident memory of all workers together.",
    registers,
    collect() {
      this.set([...living.values()].reduce((sum, { residentBytes }) => sum + residentBytes, 0));
    },
  });
  new Gauge({
    name: "cutover_workers_eventloop_lag_p99_seconds",
    help: "The 99th percentile of the event loop's lag since the last scrape, of the worker where it is longest.",
    registers,
    collect() {
      this.set(Math.max(0, ...[...living.values()].map(({ loopLagSeconds }) => loopLagSeconds)));
    },
  });
  const cpu = new Counter({
    name: "cutover_workers_cpu_seconds_total",
    help: "User and system CPU time of all workers, those that are gone included.",
    registers,
  });
  const exits = new Counter({
    name: "cutover_worker_exits_total",
    help: "Worker processes that have ended, for whatever reason.",
    registers,
  });
  return {
    told(worker: number, use: WorkerUse): void {
      cpu.inc(Math.max(0, use.cpuSeconds - (living.get(worker)?.cpuSeconds ?? 0)));
      living.set(worker, use);
    },
    gone(worker: number): void {
      living.delete(worker);
      exits.inc();
    },
  };
}

const sample = z.object({
  value: z.number(),
  labels: z.record(z.string(), z.union([z.string(), z.number()]).transform(String)),
});

/** @returns takes them; a counter's series that did not move since the last time is left out, unless it is new */
export function createRoomMetricsTaker(registry: Registry): () => Promise<RoomMetrics> {
  const taken = new Map<string, number>();

  /** @returns what came since the last time; `undefined` for nothing */
  function grown(name: string, labels: unknown, value: number): number | undefined {
    const key = JSON.stringify([name, labels]);
    const before = taken.get(key);
    taken.set(key, value);
    return value === before ? undefined : value - (before ?? 0);
  }

  return async () => {
    const families = await registry.getMetricsAsJSON();
    return families.flatMap(({ name, help, values }): RoomMetrics => {
      const samples = z.array(sample).parse(values);
      const metric = registry.getSingleMetric(name);
      if (metric instanceof Gauge) {
        return [{ type: "gauge", name, help, samples: samples.map(({ labels, value }) => [labels, value]) }];
      }
      if (!(metric instanceof Counter)) return [];
      const moved = samples.flatMap(({ labels, value }): [Record<string, string>, number][] => {
        const more = grown(name, labels, value);
        return more === undefined ? [] : [[labels, more]];
      });
      return moved.length === 0 ? [] : [{ type: "counter", name, help, samples: moved }];
    });
  };
}

/** @param registry of the process that is scraped; what it does not have is added as it comes */
export function joinRoomMetrics(registry: Registry): Joined<RoomMetrics> {
  let gauges: RoomMetrics = [];

  function addGauges(metrics: RoomMetrics, sign: 1 | -1): void {
    for (const { name, samples } of metrics) {
      const gauge = registry.getSingleMetric(name);
      if (gauge instanceof Gauge) for (const [labels, value] of samples) gauge.inc(labels, sign * value);
    }
  }

  return {
    add(metrics) {
      for (const { type, name, help, samples } of metrics) {
        const [first] = samples;
        if (first === undefined) continue;
        if (registry.getSingleMetric(name) === undefined) {
          const made = { name, help, labelNames: Object.keys(first[0]), registers: [registry] };
          if (type === "counter") new Counter(made);
          else new Gauge(made);
        }
        const counter = registry.getSingleMetric(name);
        if (counter instanceof Counter) for (const [labels, more] of samples) counter.inc(labels, more);
      }
      addGauges(gauges, -1);
      gauges = metrics.filter(({ type }) => type === "gauge");
      addGauges(gauges, 1);
    },
    end() {
      addGauges(gauges, -1);
      gauges = [];
    },
  };
}
