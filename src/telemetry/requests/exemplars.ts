/**
 * Examples of what stands in a histogram: for each bucket of a side's durations the trace of the request that came there last,
 * for whoever looks at a slow bucket and wants one of its requests. Only of traces that somebody keeps: those whose
 * traceparent says that they are sampled (W3C Trace Context §3.2.2.5).
 */
import * as z from "zod";
import { type ServedSide, servedSides } from "../../proxy/witness.ts";

const traceIdDigits = 32;

/** One example: cutover, side, bucket, trace id, seconds, and when it was, in ms since the epoch. */
const exemplar = z.tuple([
  z.string(),
  z.enum(servedSides),
  z.int().min(0),
  z.string().length(traceIdDigits),
  z.number(),
  z.number(),
]);
export const exemplarList = z.array(exemplar);
type ExemplarList = z.output<typeof exemplarList>;

/** Of one bucket; the same object for good. */
export interface Exemplar {
  traceparent: string;
  seconds: number;
  /** ms since the epoch; 0: there is none. */
  atMs: number;
}

export interface CutoverExemplars {
  put(side: ServedSide, bucket: number, traceparent: string, seconds: number): void;
  /** @returns `undefined`: the bucket has none */
  of(side: ServedSide, bucket: number): Exemplar | undefined;
}

export interface Exemplars {
  of(cutover: string): CutoverExemplars;
  /** What came since the last call. */
  take(): ExemplarList;
  /** What another process has taken. */
  add(list: ExemplarList): void;
}

/** @param buckets how many a side has @param now ms since the epoch */
export function createExemplars(buckets: number, now: () => number = Date.now): Exemplars {
  const known = new Map<string, Known>();

  function of(cutover: string): Known {
    const found = known.get(cutover) ?? createCutoverExemplars(buckets, now);
    known.set(cutover, found);
    return found;
  }

  return {
    of,
    take: () =>
      [...known].flatMap(([cutover, { slots }]) =>
        servedSides.flatMap((side) =>
          slots[side].flatMap((slot, bucket): ExemplarList => {
            const { traceparent, seconds, atMs } = slot;
            if (atMs === 0) return [];
            slot.atMs = 0;
            return [[cutover, side, bucket, traceIdOf(traceparent), seconds, atMs]];
          }),
        ),
      ),
    add(list) {
      for (const [cutover, side, bucket, traceId, seconds, atMs] of list) {
        const slot = of(cutover).slots[side][bucket];
        if (slot !== undefined && slot.atMs <= atMs)
          Object.assign(slot, { traceparent: `00-${traceId}`, seconds, atMs });
      }
    },
  };
}

interface Known extends CutoverExemplars {
  readonly slots: Readonly<Record<ServedSide, readonly Exemplar[]>>;
}

function createCutoverExemplars(buckets: number, now: () => number): Known {
  const row = () =>
    Array.from({ length: buckets }, (): Exemplar => ({ traceparent: "", seconds: 0, atMs: 0 }));
  const slots = { legacy: row(), new: row(), none: row() };
  return {
    slots,
    put(side, bucket, traceparent, seconds) {
      const slot = slots[side][bucket];
      if (slot === undefined) return;
      slot.traceparent = traceparent;
      slot.seconds = seconds;
      slot.atMs = now();
    },
    of(side, bucket) {
      const slot = slots[side][bucket];
      return slot === undefined || slot.atMs === 0 ? undefined : slot;
    },
  };
}

/** @param traceparent a sound one, of version 00 */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 3 + traceIdDigits);
}

/** Whether somebody keeps the trace: the lowest bit of its flags. */
export function isSampled(traceparent: string): boolean {
  return traceparent.length > 0 && "13579bdf".includes(traceparent.charAt(traceparent.length - 1));
}
