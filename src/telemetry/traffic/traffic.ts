/**
 * Rolling figures of each side's traffic over the last minute, for people (`status`, the console); the guard and
 * Prometheus have their own. The window is 12 slots of 5 s by completion time, so it covers the last 55 to 60 s:
 * the slot in progress and the 11 before it. Counting a request is one clock reading and one histogram bucket;
 * a slot is cleared when its turn comes again.
 *
 * What counts as a request and as an error is outcome.ts's; latencies are those of the requests that count.
 * Each instance publishes its figures in a sparse form with its lease (InstanceRecord.traffic); the one that answers
 * `status` merges the forms of all live instances, the sums exactly, the quantiles from the merged histograms. A
 * worker keeps no window: it hands what it has counted to its primary, which adds it to its own as of that moment.
 */
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { countsAsError, countsAsRequest, type Outcome } from "../../proxy/outcome.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import { latencyBucket, latencyBuckets, latencyQuantile } from "./latency.ts";

const slotMs = 5000;
const slots = 12;
const trafficWindowSeconds = (slotMs * slots) / 1000;

export interface TrafficRecorder {
  /** A request is over. Allocates nothing. */
  record(side: Side, outcome: Outcome, seconds: number): void;
}

export interface Traffic {
  /** @throws Error when the cutover is not configured */
  recorder(cutover: string): TrafficRecorder;
  /** The figures of every configured cutover, as mergeTraffic reads them; JSON. */
  snapshot(): Readonly<Record<string, TrafficForm>>;
  /** Figures of these cutovers from now on; one that stays keeps its own. */
  reconfigure(cutovers: readonly string[]): void;
  /** Adds what another process has counted, as of now. */
  add(counts: TrafficCounts): void;
}

const sideForm = z
  .object({
    errors: z.int().min(0),
    /** Bucket of latency.ts, count, bucket, count … */
    latency: z
      .array(z.int().min(0))
      .max(2 * latencyBuckets)
      .refine((flat) => flat.length % 2 === 0 && flat.every((n, i) => i % 2 === 1 || n < latencyBuckets)),
  })
  .readonly();
const trafficForm = z
  .object({ windowSeconds: z.literal(trafficWindowSeconds), legacy: sideForm, new: sideForm })
  .readonly();
type SideForm = z.output<typeof sideForm>;
type TrafficForm = z.output<typeof trafficForm>;

/** What was counted of sides since the last time it was taken: cutover, side and form. */
export const trafficCounts = z.array(z.tuple([z.string(), z.enum(sides), sideForm]));
type TrafficCounts = z.output<typeof trafficCounts>;

/** The figures of one side; rate and quantiles (seconds) are `null` without a request. */
interface SideTraffic {
  readonly requests: number;
  readonly errors: number;
  readonly errorRate: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
}

interface MergedTraffic {
  readonly windowSeconds: number;
  readonly legacy: SideTraffic;
  readonly new: SideTraffic;
}

export function createTraffic(options: {
  readonly cutovers: readonly string[];
  readonly clock: Pick<Clock, "monotonic">;
}): Traffic {
  const { clock } = options;
  let windows = new Map(options.cutovers.map((name) => [name, createWindow(clock)]));
  return {
    recorder(cutover) {
      const window = windows.get(cutover);
      if (window === undefined) throw new Error(`the cutover ${cutover} is not configured`);
      return window;
    },
    snapshot() {
      return Object.fromEntries([...windows].map(([name, window]) => [name, window.form()]));
    },
    reconfigure(cutovers) {
      windows = new Map(cutovers.map((name) => [name, windows.get(name) ?? createWindow(clock)]));
    },
    add(counts) {
      for (const [name, side, form] of counts) windows.get(name)?.add(side, form);
    },
  };
}

interface HandedTraffic {
  /** The same one each time it is asked for a name. */
  recorder(cutover: string): TrafficRecorder;
  /** What was recorded since the last call. */
  take(): TrafficCounts;
}

/** The traffic of a process that hands its figures to another. */
export function createHandedTraffic(): HandedTraffic {
  const cutovers = new Map<string, TrafficRecorder & { readonly sides: Record<Side, SideCounts> }>();
  return {
    recorder(cutover) {
      const known = cutovers.get(cutover);
      if (known !== undefined) return known;
      const counts = { legacy: noRequests(), new: noRequests() };
      const made = {
        sides: counts,
        record: (side: Side, outcome: Outcome, seconds: number) => count(counts[side], outcome, seconds),
      };
      cutovers.set(cutover, made);
      return made;
    },
    take() {
      return [...cutovers].flatMap(([cutover, counted]) =>
        sides.flatMap((side): TrafficCounts => {
          const counts = counted.sides[side];
          if (counts.requests === 0) return [];
          const form = formOf([counts]);
          clear(counts);
          return [[cutover, side, form]];
        }),
      );
    },
  };
}

/**
 * Merges what several instances said of one cutover. A form that does not validate (of another version of the
 * program, or absent) is left out.
 */
export function mergeTraffic(forms: readonly unknown[]): MergedTraffic {
  const valid = forms.flatMap((form) => {
    const parsed = trafficForm.safeParse(form);
    return parsed.success ? [parsed.data] : [];
  });
  return {
    windowSeconds: trafficWindowSeconds,
    legacy: mergeSide(valid.map((form) => form.legacy)),
    new: mergeSide(valid.map((form) => form.new)),
  };
}

function mergeSide(forms: readonly SideForm[]): SideTraffic {
  const latencies = new Float64Array(latencyBuckets);
  const merged: SideCounts = { latencies, requests: 0, errors: 0 };
  for (const form of forms) addForm(merged, form);
  const { requests, errors } = merged;
  return {
    requests,
    errors,
    errorRate: requests === 0 ? null : errors / requests,
    p50: latencyQuantile(latencies, 0.5),
    p99: latencyQuantile(latencies, 0.99),
  };
}

interface Window extends TrafficRecorder {
  add(side: Side, form: SideForm): void;
  form(): TrafficForm;
}

function createWindow(clock: Pick<Clock, "monotonic">): Window {
  const ring = Array.from({ length: slots }, () => ({
    /** Which turn of the clock it has the requests of; -1: none yet. */
    turn: -1,
    legacy: noRequests(),
    new: noRequests(),
  }));

  function currentTurn(): number {
    return Math.floor(clock.monotonic() / slotMs);
  }

  /** The side in the slot of now, which is cleared if it still has those of an earlier turn. */
  function current(side: Side): SideCounts | undefined {
    const turn = currentTurn();
    const slot = ring[turn % slots];
    if (slot !== undefined && slot.turn !== turn) {
      slot.turn = turn;
      clear(slot.legacy);
      clear(slot.new);
    }
    return side === "legacy" ? slot?.legacy : slot?.new;
  }

  return {
    record(side, outcome, seconds) {
      const counts = current(side);
      if (counts !== undefined) count(counts, outcome, seconds);
    },
    add(side, form) {
      const counts = current(side);
      if (counts !== undefined) addForm(counts, form);
    },
    form() {
      const oldest = Math.max(currentTurn() - slots + 1, 0);
      const live = ring.filter(({ turn }) => turn >= oldest);
      return {
        windowSeconds: trafficWindowSeconds,
        legacy: formOf(live.map((slot) => slot.legacy)),
        new: formOf(live.map((slot) => slot.new)),
      };
    },
  };
}

/** The requests of one side. */
interface SideCounts {
  /** One number for each bucket of latency.ts. */
  readonly latencies: Uint32Array | Float64Array;
  requests: number;
  errors: number;
}

function noRequests(): SideCounts {
  return { latencies: new Uint32Array(latencyBuckets), requests: 0, errors: 0 };
}

function clear(counts: SideCounts): void {
  if (counts.requests === 0) return;
  counts.latencies.fill(0);
  counts.requests = 0;
  counts.errors = 0;
}

function count(counts: SideCounts, outcome: Outcome, seconds: number): void {
  if (!countsAsRequest(outcome)) return;
  const bucket = latencyBucket(seconds);
  counts.latencies[bucket] = (counts.latencies[bucket] ?? 0) + 1;
  counts.requests += 1;
  if (countsAsError(outcome)) counts.errors += 1;
}

function addForm(counts: SideCounts, { errors, latency }: SideForm): void {
  for (let i = 0; i < latency.length; i += 2) {
    const [bucket = 0, requests = 0] = [latency[i], latency[i + 1]];
    counts.latencies[bucket] = (counts.latencies[bucket] ?? 0) + requests;
    counts.requests += requests;
  }
  counts.errors += errors;
}

/** All of them together, in the sparse form. */
function formOf(all: readonly SideCounts[]): SideForm {
  const sums = new Float64Array(latencyBuckets);
  let errorSum = 0;
  for (const { latencies, requests, errors } of all) {
    if (requests === 0) continue;
    for (let bucket = 0; bucket < latencyBuckets; bucket++) {
      sums[bucket] = (sums[bucket] ?? 0) + (latencies[bucket] ?? 0);
    }
    errorSum += errors;
  }
  const latency: number[] = [];
  for (const [bucket, sum] of sums.entries()) if (sum > 0) latency.push(bucket, sum);
  return { errors: errorSum, latency };
}
