/**
 * What workers count, in the metrics of their primary.
 *
 * The small metrics of rooms (counters and gauges of prom-client) are handed from the processes that count to the one
 * that is scraped: counters as what came since the last time, so that the total outlives the process; gauges as they
 * stand, added up over the processes that live. Histograms and summaries are not carried. The `process_*` metrics
 * beside these are the primary's own.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import { z } from "zod";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Traffic } from "../../telemetry/traffic/traffic.ts";
import type { CarriedMetrics, Report } from "./messages.ts";

interface Reports {
  /** Adds what the worker has counted since its last report. */
  take(worker: number, report: Report): void;
  /** The worker is gone: what it counted stays, what it had in flight goes. */
  end(worker: number): void;
}

interface Known {
  readonly carried: CarriedSource;
  readonly inflight: Map<string, number>;
}

export function createReports(
  metrics: Metrics,
  traffic: Traffic,
  onLogLinesDropped: (more: number) => void,
): Reports {
  const workers = new Map<number, Known>();
  const use = createWorkerMetrics(metrics.registry);
  return {
    take(worker, report) {
      const known = workers.get(worker) ?? {
        carried: createCarriedSource(metrics.registry),
        inflight: new Map<string, number>(),
      };
      workers.set(worker, known);
      for (const [key, more] of report.counts.inflight) {
        known.inflight.set(key, (known.inflight.get(key) ?? 0) + more);
      }
      metrics.add(report.counts);
      traffic.add(report.traffic);
      known.carried.add(report.metrics);
      onLogLinesDropped(report.logLinesDropped);
      use.told(worker, report);
    },
    end(worker) {
      const known = workers.get(worker);
      workers.delete(worker);
      known?.carried.end();
      const inflight = [...(known?.inflight ?? [])].map(([key, count]): [string, number] => [key, -count]);
      metrics.add({ requests: [], decisions: [], durations: [], durationSums: [], inflight });
      use.gone(worker);
    },
  };
}

interface CarriedTaker {
  /** A counter's series that did not move since the last time is left out, unless it is new. */
  take(): Promise<CarriedMetrics>;
}

const sample = z.object({
  value: z.number(),
  labels: z.record(z.string(), z.union([z.string(), z.number()]).transform(String)),
});

export function createCarriedTaker(registry: Registry): CarriedTaker {
  const taken = new Map<string, number>();

  /** @returns what came since the last time; `undefined` for nothing */
  function grown(name: string, labels: unknown, value: number): number | undefined {
    const key = JSON.stringify([name, labels]);
    const before = taken.get(key);
    taken.set(key, value);
    return value === before ? undefined : value - (before ?? 0);
  }

  return {
    async take() {
      const families = await registry.getMetricsAsJSON();
      return families.flatMap(({ name, help, values }): CarriedMetrics => {
        const samples = z.array(sample).parse(values);
        const metric = registry.getSingleMetric(name);
        if (metric instanceof Gauge) {
          return [
            { type: "gauge", name, help, samples: samples.map(({ labels, value }) => [labels, value]) },
          ];
        }
        if (!(metric instanceof Counter)) return [];
        const moved = samples.flatMap(({ labels, value }): [Record<string, string>, number][] => {
          const more = grown(name, labels, value);
          return more === undefined ? [] : [[labels, more]];
        });
        return moved.length === 0 ? [] : [{ type: "counter", name, help, samples: moved }];
      });
    },
  };
}

interface CarriedSource {
  add(metrics: CarriedMetrics): void;
  /** The process is gone: its counters stay, its gauges go. */
  end(): void;
}

/** @param registry of the process that is scraped; what it does not have is added as it comes */
export function createCarriedSource(registry: Registry): CarriedSource {
  let gauges: CarriedMetrics = [];

  function addGauges(metrics: CarriedMetrics, sign: 1 | -1): void {
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

/** What an instance with workers says of them. */
interface WorkerUse {
  /** Since it started. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

function createWorkerMetrics(registry: Registry) {
  const known = new Map<number, WorkerUse>();
  const registers = [registry];
  new Gauge({
    name: "cutover_workers",
    help: "Worker processes that live, those that drain included.",
    registers,
    collect() {
      this.set(known.size);
    },
  });
  new Gauge({
    name: "cutover_workers_resident_memory_bytes",
    help: "Resident memory of all workers together.",
    registers,
    collect() {
      this.set([...known.values()].reduce((sum, { residentBytes }) => sum + residentBytes, 0));
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
      cpu.inc(Math.max(0, use.cpuSeconds - (known.get(worker)?.cpuSeconds ?? 0)));
      known.set(worker, use);
    },
    gone(worker: number): void {
      known.delete(worker);
      exits.inc();
    },
  };
}
