/** Sets of buckets, written as short as may be: as numbers while they are few, else one bit for each that there is. PURE. */
import * as z from "zod";

const bucketCount = 100_000;
/** Beyond so many, the bits are shorter. */
const mostNumbers = 2500;

export const keptBucketsSchema = z.union([
  z
    .array(
      z
        .int()
        .min(0)
        .max(bucketCount - 1),
    )
    .max(mostNumbers)
    .readonly(),
  z.base64().length(4 * Math.ceil(bucketCount / 8 / 3)),
]);
export type KeptBuckets = z.output<typeof keptBucketsSchema>;

export function keptBuckets(buckets: ReadonlySet<number>): KeptBuckets {
  if (buckets.size <= mostNumbers) return [...buckets];
  const bits = Buffer.alloc(Math.ceil(bucketCount / 8));
  for (const bucket of buckets) {
    const byte = bucket >> 3;
    bits[byte] = (bits[byte] ?? 0) | (1 << (bucket & 7));
  }
  return bits.toString("base64");
}

export function bucketsFrom(kept: KeptBuckets): Set<number> {
  if (typeof kept !== "string") return new Set(kept);
  const bits = Buffer.from(kept, "base64");
  const buckets = new Set<number>();
  for (let bucket = 0; bucket < bucketCount; bucket += 1) {
    if (((bits[bucket >> 3] ?? 0) & (1 << (bucket & 7))) !== 0) buckets.add(bucket);
  }
  return buckets;
}
