/**
 * The figures of the fleet's last 24 h of each cutover: steps of 10 s for 3 h, of a minute for all. They are the sums of
 * what every instance has published of each step with its record (traffic/step.ts), so that any instance tells them, and
 * what one has counted is still there when it is gone. In fixed memory: 125 kB a cutover, taken with its first request.
 */
import { type Side, sides } from "../../state/rules/model.ts";
import { mergeFlights } from "../traffic/flights.ts";
import { latencyBuckets, latencyQuantile } from "../traffic/latency.ts";
import { addForm, type CountsForm, statusClasses } from "../traffic/side-counts.ts";
import { stepMs } from "../traffic/step.ts";
import { trafficForm } from "../traffic/traffic.ts";
import { createRing, type SeriesPoint, type SidePoint } from "./ring.ts";

const minuteMs = 60_000;
const fineMs = 3 * 3_600_000;
const coarseMs = 24 * 3_600_000;
/** One who asks for the last 3 h asks a little later. */
const slackMs = minuteMs;

export interface SeriesBook {
  /** @param at when the step began, ms since the epoch @param forms what the instances say of their traffic */
  add(name: string, at: number, forms: readonly unknown[]): void;
  /** @param sinceMs and `nowMs` since the epoch */
  read(
    name: string,
    sinceMs: number,
    nowMs: number,
  ): { readonly stepSeconds: number; readonly points: readonly SeriesPoint[] };
  /** Forgets all others. */
  keep(names: readonly string[]): void;
}

export function createSeriesBook(): SeriesBook {
  const known = new Map<string, CutoverSeries>();

  return {
    add(name, at, forms) {
      const steps = forms.flatMap((form) => {
        const { data } = trafficForm.safeParse(form);
        return data?.step?.at === at ? [{ ...data, step: data.step }] : [];
      });
      const isIdle = steps.every(({ step }) => step.legacy.latency.length + step.new.latency.length === 0);
      if (isIdle && !known.has(name)) return;
      const series = known.get(name) ?? createCutoverSeries();
      known.set(name, series);
      const inFlight = (side: Side) => mergeFlights(steps.map((step) => step[side].flight)).inFlight;
      series.add({
        at,
        instances: steps.length,
        counts: { legacy: steps.map(({ step }) => step.legacy), new: steps.map(({ step }) => step.new) },
        inFlight: { legacy: inFlight("legacy"), new: inFlight("new") },
      });
    },
    read(name, sinceMs, nowMs) {
      const isFine = nowMs - sinceMs <= fineMs + slackMs;
      const points = known.get(name)?.[isFine ? "fine" : "coarse"].read(sinceMs) ?? [];
      return { stepSeconds: (isFine ? stepMs : minuteMs) / 1000, points };
    },
    keep(names) {
      for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    },
  };
}

interface FleetStep {
  readonly at: number;
  readonly instances: number;
  readonly counts: Readonly<Record<Side, readonly CountsForm[]>>;
  readonly inFlight: Readonly<Record<Side, number>>;
}

type CutoverSeries = ReturnType<typeof createCutoverSeries>;

function createCutoverSeries() {
  const fine = createRing(fineMs / stepMs, stepMs);
  const coarse = createRing(coarseMs / minuteMs, minuteMs);
  /** What of the minute that goes on was counted. */
  const minute = { at: -1, legacy: emptyCounts(), new: emptyCounts() };

  return {
    fine,
    coarse,
    add({ at, instances, counts, inFlight }: FleetStep): void {
      const begun = Math.floor(at / minuteMs) * minuteMs;
      if (minute.at !== begun) {
        minute.at = begun;
        for (const side of sides) minute[side] = emptyCounts();
      }
      const step = { legacy: emptyCounts(), new: emptyCounts() };
      for (const side of sides) {
        for (const form of counts[side]) {
          addForm(step[side], form);
          addForm(minute[side], form);
        }
      }
      const pointOf = (from: typeof step): Pick<SeriesPoint, Side> => ({
        legacy: sidePoint(from.legacy, inFlight.legacy),
        new: sidePoint(from.new, inFlight.new),
      });
      fine.put({ at, instances, ...pointOf(step) });
      coarse.put({ at: begun, instances, ...pointOf(minute) });
    },
  };
}

function emptyCounts() {
  return {
    latencies: new Float64Array(latencyBuckets),
    statuses: new Float64Array(statusClasses.length),
    requests: 0,
    errors: 0,
  };
}

function sidePoint(
  { latencies, requests, errors }: ReturnType<typeof emptyCounts>,
  inFlight: number,
): SidePoint {
  const quantile = (q: number) => latencyQuantile(latencies, q);
  return { requests, errors, p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), inFlight };
}
