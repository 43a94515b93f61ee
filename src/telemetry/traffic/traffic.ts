/**
 * Rolling figures of each side's traffic over the last minute, for people (`status`, the console); the guard and
 * Prometheus have their own. The window is 12 slots of 5 s by completion time, so it covers the last 55 to 60 s:
 * the slot in progress and the 11 before it. Counting a request is one clock reading and one histogram bucket;
 * a slot is cleared when its turn comes again.
 *
 * What counts as a request and as an error is outcome.ts's; latencies are those of the requests that count.
 * Each instance publishes its figures in a sparse form with its lease (InstanceRecord.traffic); whoever answers
 * `status` merges the forms of all live instances, the sums exactly, the quantiles from the merged histograms.
 */
import { z } from "zod";
import type { SideTraffic } from "../../admin/api/schemas.ts";
import type { Clock } from "../../base/clock.ts";
import { countsAsError, countsAsRequest, type Outcome } from "../../proxy/outcome.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import { latencyBucket, latencyBuckets, latencyQuantile } from "./latency.ts";

const slotMs = 5000;
const slots = 12;
export const trafficWindowSeconds = (slotMs * slots) / 1000;

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
  /** Adds what was recorded elsewhere (traffic-increments.ts), as of now. */
  add(increments: TrafficIncrements): void;
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
/** What was recorded of a side since the last time it was taken. */
export const trafficIncrements = z.array(z.tuple([z.string(), z.enum(sides), sideForm]));
export type TrafficIncrements = z.output<typeof trafficIncrements>;
export type TrafficForm = z.output<typeof trafficForm>;

export interface MergedTraffic {
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
    add(increments) {
      for (const [name, side, form] of increments) windows.get(name)?.add(side, form);
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
  const counts = new Float64Array(latencyBuckets);
  let requests = 0;
  let errors = 0;
  for (const form of forms) {
    errors += form.errors;
    for (let i = 0; i < form.latency.length; i += 2) {
      const count = form.latency[i + 1] ?? 0;
      add(counts, form.latency[i] ?? 0, count);
      requests += count;
    }
  }
  return {
    requests,
    errors,
    errorRate: requests === 0 ? null : errors / requests,
    p50: latencyQuantile(counts, 0.5),
    p99: latencyQuantile(counts, 0.99),
  };
}

interface Window extends TrafficRecorder {
  add(side: Side, form: SideForm): void;
  form(): TrafficForm;
}

function createWindow(clock: Pick<Clock, "monotonic">): Window {
  const perSlot = sides.length * latencyBuckets;
  /** [slot][side][bucket]. */
  const latencies = new Uint32Array(slots * perSlot);
  /** [slot][side]. */
  const errors = new Uint32Array(slots * sides.length);
  /** Which turn of the clock a slot holds; -1: none yet. */
  const turns = new Float64Array(slots).fill(-1);

  function currentTurn(): number {
    return Math.floor(clock.monotonic() / slotMs);
  }

  /** The slot of now, cleared if it still holds an earlier turn. */
  function currentSlot(): number {
    const turn = currentTurn();
    const slot = turn % slots;
    if (turns[slot] !== turn) {
      turns[slot] = turn;
      latencies.fill(0, slot * perSlot, (slot + 1) * perSlot);
      errors.fill(0, slot * sides.length, (slot + 1) * sides.length);
    }
    return slot;
  }

  function sideOf(side: number, live: readonly number[]): SideForm {
    const sums = new Float64Array(latencyBuckets);
    let errorSum = 0;
    for (const slot of live) {
      const first = slot * perSlot + side * latencyBuckets;
      for (let bucket = 0; bucket < latencyBuckets; bucket++)
        add(sums, bucket, latencies[first + bucket] ?? 0);
      errorSum += errors[slot * sides.length + side] ?? 0;
    }
    const latency: number[] = [];
    for (const [bucket, count] of sums.entries()) if (count > 0) latency.push(bucket, count);
    return { errors: errorSum, latency };
  }

  return {
    record(side, outcome, seconds) {
      if (!countsAsRequest(outcome)) return;
      const place = currentSlot() * sides.length + (side === "legacy" ? 0 : 1);
      add(latencies, place * latencyBuckets + latencyBucket(seconds), 1);
      if (countsAsError(outcome)) add(errors, place, 1);
    },
    add(side, { errors: more, latency }) {
      const place = currentSlot() * sides.length + (side === "legacy" ? 0 : 1);
      for (let i = 0; i < latency.length; i += 2) {
        add(latencies, place * latencyBuckets + (latency[i] ?? 0), latency[i + 1] ?? 0);
      }
      add(errors, place, more);
    },
    form() {
      const oldest = currentTurn() - slots + 1;
      const live = [...turns.keys()].filter((slot) => (turns[slot] ?? -1) >= Math.max(oldest, 0));
      return { windowSeconds: trafficWindowSeconds, legacy: sideOf(0, live), new: sideOf(1, live) };
    },
  };
}

function add(counts: Float64Array | Uint32Array, index: number, amount: number): void {
  counts[index] = (counts[index] ?? 0) + amount;
}
