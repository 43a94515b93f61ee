/**
 * The small metrics of rooms (counters and gauges of prom-client) handed from the processes that count to the one
 * that is scraped: counters as what came since the last time, so that the total outlives the process; gauges as they
 * stand, added up over the processes that live. Histograms and summaries are not carried.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import { z } from "zod";

const carriedMetric = z.object({
  type: z.enum(["counter", "gauge"]),
  name: z.string(),
  help: z.string(),
  /** Labels, and the increment or the value. */
  samples: z.array(z.tuple([z.record(z.string(), z.string()), z.number()])),
});
export const carriedMetrics = z.array(carriedMetric);
export type CarriedMetrics = z.output<typeof carriedMetrics>;

export interface CarriedTaker {
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

export interface CarriedSource {
  add(metrics: CarriedMetrics): void;
  /** The process is gone: its counters stay, its gauges go. */
  end(): void;
}

/** @param registry of the process that is scraped; what it does not have is added as it comes */
export function createCarriedSource(registry: Registry): CarriedSource {
  let held: CarriedMetrics = [];

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
      addGauges(held, -1);
      held = metrics.filter(({ type }) => type === "gauge");
      addGauges(held, 1);
    },
    end() {
      addGauges(held, -1);
      held = [];
    },
  };
}
