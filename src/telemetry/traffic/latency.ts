/**
 * A compact histogram of latencies, log-linear: each octave of microseconds is cut into 16 buckets of equal
 * width, so a bucket's middle is within 1/32 (3.2 %) of whatever was put into it. Finding the bucket is a
 * count of leading zeros and a shift. From 0.1 ms to 300 s; what lies outside goes to the nearest end.
 */
const bucketsPerOctaveLog2 = 4;
const lowestMicros = 100;
const highestMicros = 300_000_000;
const firstPosition = positionOf(lowestMicros);

export const latencyBuckets = positionOf(highestMicros) - firstPosition + 1;

export function latencyBucket(seconds: number): number {
  const micros = Math.round(seconds * 1e6);
  return positionOf(Math.min(Math.max(micros, lowestMicros), highestMicros)) - firstPosition;
}

/** The middle of a bucket, in seconds. */
export function latencyOf(bucket: number): number {
  const position = bucket + firstPosition;
  const shift = (position >> bucketsPerOctaveLog2) - 1;
  const place = position - (shift << bucketsPerOctaveLog2);
  return ((place + 0.5) * 2 ** shift) / 1e6;
}

/**
 * The q-quantile by nearest rank: the smallest latency that at least q of all are not above.
 * @param counts one number a bucket @returns seconds; null when all are 0
 */
export function latencyQuantile(counts: Float64Array, q: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  const bucket = counts.findIndex((count) => {
    seen += count;
    return seen >= rank;
  });
  return latencyOf(bucket);
}

/** @param micros a whole number of at least 16 @returns its octave and, in the lowest bits, the place within it */
function positionOf(micros: number): number {
  const shift = 31 - Math.clz32(micros) - bucketsPerOctaveLog2;
  return (shift << bucketsPerOctaveLog2) + (micros >> shift);
}
