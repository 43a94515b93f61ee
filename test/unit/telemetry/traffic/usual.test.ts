import * as fc from "fast-check";
import { expect, test } from "vitest";
import { latencyBuckets, latencyOf } from "../../../../src/telemetry/traffic/latency.ts";
import { createUsual, noAnswers } from "../../../../src/telemetry/traffic/usual.ts";

const slotMs = 300_000;
const buckets = noAnswers().length;

interface Answered {
  readonly afterMs: number;
  readonly bucket: number;
  readonly answers: number;
}

/** By all that was told of, counted anew. */
function counted(told: readonly (Answered & { readonly turn: number })[], nowMs: number): number | null {
  const oldest = Math.floor(nowMs / slotMs) - 11;
  const live = told.filter(({ turn }) => turn >= oldest);
  const all = live.reduce((sum, { answers }) => sum + answers, 0);
  if (all < 10) return null;
  const slowest = all - Math.ceil(0.99 * all);
  const above = (bucket: number) =>
    live.reduce((sum, one) => (one.bucket >= bucket ? sum + one.answers : sum), 0);
  let bucket = buckets - 1;
  while (bucket > 0 && above(bucket) <= slowest) bucket -= 1;
  return latencyOf(Math.min(((bucket + 1) << 2) - 1, latencyBuckets - 1));
}

test("what is usual is told of the last hour's answers, whenever they came and however often it is asked", () => {
  const step = fc.record({
    afterMs: fc.oneof(fc.nat({ max: 60_000 }), fc.nat({ max: 90 * 60_000 })),
    bucket: fc.nat({ max: buckets - 1 }),
    answers: fc.integer({ min: 1, max: 200 }),
    isAsked: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let nowMs = 0;
      const usual = createUsual({ monotonic: () => nowMs });
      const told: (Answered & { readonly turn: number })[] = [];
      for (const { isAsked, ...one } of steps) {
        nowMs += one.afterMs;
        usual.add(nowMs, one.bucket, one.answers);
        told.push({ ...one, turn: Math.floor(nowMs / slotMs) });
        if (isAsked) expect(usual.p99()).toBe(counted(told, nowMs));
      }
      nowMs += steps.length % 2 === 0 ? 1 : 61 * 60_000;
      expect(usual.p99()).toBe(counted(told, nowMs));
    }),
    { seed: 16, numRuns: 500 },
  );
});
