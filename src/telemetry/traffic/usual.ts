/**
 * How long the answers of a route usually take on a side, by the last hour: what a wait is held against before it is called
 * too long. A payment of 6 to 20 s is no alarm where payments take that; so it is told by route, and not by the side, whose
 * carts answer at once. Only answers count: what a hang has cost must not make the next one look usual.
 *
 * 12 slots of 5 min by completion time; a slot is cleared when its turn comes again. Latencies in four buckets an octave.
 */
import type { Clock } from "../../base/clock.ts";
import { latencyBuckets, latencyOf } from "./latency.ts";

const slotMs = 300_000;
const slots = 12;
const bucketsInOneLog2 = 2;
const coarseBuckets = (latencyBuckets >> bucketsInOneLog2) + 1;
/** Fewer tell nothing of the slowest of 100. */
const fewest = 10;

/** @param bucket of latency.ts */
export function coarse(bucket: number): number {
  return bucket >> bucketsInOneLog2;
}

/** Counts by coarse bucket. */
export function noAnswers(): Uint32Array {
  return new Uint32Array(coarseBuckets);
}

export interface Usual {
  add(nowMs: number, coarseBucket: number, answers: number): void;
  /** The 99th percentile in seconds, rounded up to its bucket; null while there are too few. */
  p99(): number | null;
}

export function createUsual({ monotonic }: Pick<Clock, "monotonic">): Usual {
  const ring = Array.from({ length: slots }, () => ({ turn: -1, counts: noAnswers() }));
  /** Of all slots together: it is asked of each route each second. */
  const sums = noAnswers();
  let total = 0;

  function clear(slot: (typeof ring)[number]): void {
    for (const [bucket, count] of slot.counts.entries()) {
      sums[bucket] = (sums[bucket] ?? 0) - count;
      total -= count;
    }
    slot.counts.fill(0);
  }

  return {
    add(nowMs, bucket, answers) {
      const turn = Math.floor(nowMs / slotMs);
      const slot = ring[turn % slots];
      if (slot === undefined) return;
      if (slot.turn !== turn) {
        clear(slot);
        slot.turn = turn;
      }
      slot.counts[bucket] = (slot.counts[bucket] ?? 0) + answers;
      sums[bucket] = (sums[bucket] ?? 0) + answers;
      total += answers;
    },
    p99() {
      const oldest = Math.floor(monotonic() / slotMs) - slots + 1;
      for (const slot of ring) {
        if (slot.turn < 0 || slot.turn >= oldest) continue;
        clear(slot);
        slot.turn = -1;
      }
      if (total < fewest) return null;
      let left = total - Math.ceil(0.99 * total);
      let bucket = coarseBuckets - 1;
      for (; bucket > 0; bucket--) {
        left -= sums[bucket] ?? 0;
        if (left < 0) break;
      }
      const last = Math.min(((bucket + 1) << bucketsInOneLog2) - 1, latencyBuckets - 1);
      return latencyOf(last);
    },
  };
}
