import { expect, test } from "vitest";
import {
  latencyBucket,
  latencyBuckets,
  latencyOf,
  latencyQuantile,
} from "../../../../src/telemetry/traffic/latency.ts";

test("a bucket's middle is within 1/32 of every latency that is put into it", () => {
  for (let seconds = 0.0001; seconds < 300; seconds *= 1.0173) {
    const middle = latencyOf(latencyBucket(seconds));
    expect(Math.abs(middle - seconds) / seconds, `${seconds}`).toBeLessThanOrEqual(1 / 32);
  }
});

test("a longer latency is never in a lower bucket, and none is outside the histogram", () => {
  let before = 0;
  for (let seconds = 0.00001; seconds < 3000; seconds *= 1.01) {
    const bucket = latencyBucket(seconds);
    expect(bucket).toBeGreaterThanOrEqual(before);
    expect(bucket).toBeLessThan(latencyBuckets);
    before = bucket;
  }
  expect([latencyBucket(0), latencyBucket(86_400)]).toEqual([0, latencyBuckets - 1]);
});

test("a quantile is the smallest latency that so many are not above", () => {
  const counts = new Float64Array(latencyBuckets);
  expect(latencyQuantile(counts, 0.5)).toBeNull();
  counts[10] = 99;
  counts[20] = 1;
  expect(latencyQuantile(counts, 0.5)).toBe(latencyOf(10));
  expect(latencyQuantile(counts, 0.99)).toBe(latencyOf(10));
  expect(latencyQuantile(counts, 0.991)).toBe(latencyOf(20));
});
