/**
 * Whose attempts were not answered in time, by the block in which they arrived. PURE: times come in as arguments.
 *
 * A shopper is a unit as in attempts.ts, and slow where one of his attempts of the block waits still, or waited longer, once
 * the time is over: nothing has to come for that, so that a side is seen that does not answer at all. Who left sooner, or
 * failed sooner, was not kept waiting.
 */
import { type BlockReport, type CountedSide, createAttemptsWindow } from "./attempts.ts";

interface SlowTimes {
  readonly blockMs: number;
  /** The longest that an answer may take to begin. */
  readonly sloMs: number;
  /** After a block's end, when it is looked at. */
  readonly slowAfterMs: number;
}

export interface SlowWindow {
  /** @returns whether its end is to be told */
  arrived(atMs: number, side: CountedSide, bucket: number): boolean;
  /** It is answered, or over. @param arrivedAtMs of the attempt */
  ended(atMs: number, arrivedAtMs: number, side: CountedSide, bucket: number): void;
  /** The blocks that are told of still, the oldest first; the slow are the late ones. */
  report(atMs: number): readonly BlockReport[];
  /** A step begins: who had been slow counts again. */
  renew(): void;
}

/** By bucket, how many attempts wait. */
type Waiting = Readonly<Record<CountedSide, Map<number, number>>>;

export function createSlowWindow({ blockMs, sloMs, slowAfterMs }: SlowTimes): SlowWindow {
  const window = createAttemptsWindow({ blockMs, quickAfterMs: -1, lateAfterMs: slowAfterMs });
  const waiting = new Map<number, Waiting>();

  /** Whoever waits still when everybody of the block has waited for so long was too slow. */
  function judge(atMs: number): void {
    for (const [block, sides] of waiting) {
      const endsAtMs = (block + 1) * blockMs;
      if (atMs < endsAtMs + sloMs) continue;
      waiting.delete(block);
      for (const side of ["legacy", "onNew"] as const) {
        for (const bucket of sides[side].keys()) window.failed(endsAtMs, block * blockMs, side, bucket);
      }
    }
  }

  return {
    arrived(atMs, side, bucket) {
      if (!window.arrived(atMs, side, bucket)) return false;
      const block = Math.floor(atMs / blockMs);
      let sides = waiting.get(block);
      if (sides === undefined) {
        judge(atMs);
        sides = { legacy: new Map(), onNew: new Map() };
        waiting.set(block, sides);
      }
      sides[side].set(bucket, (sides[side].get(bucket) ?? 0) + 1);
      return true;
    },
    ended(atMs, arrivedAtMs, side, bucket) {
      if (atMs - arrivedAtMs > sloMs) return;
      const sides = waiting.get(Math.floor(arrivedAtMs / blockMs));
      const attempts = sides?.[side].get(bucket);
      if (attempts === undefined) return;
      if (attempts > 1) sides?.[side].set(bucket, attempts - 1);
      else sides?.[side].delete(bucket);
    },
    report(atMs) {
      judge(atMs);
      return window.report(atMs);
    },
    renew() {
      waiting.clear();
      window.renew();
    },
  };
}
