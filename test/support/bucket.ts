/**
 * MurmurHash3_x86_32 a second time, to judge the proxy by: from the algorithm's published description (Austin
 * Appleby, MurmurHash3.cpp), on buffers and BigInt, sharing no line with the proxy's own.
 */

const word = 0xffff_ffffn;

const times = (a: bigint, b: bigint) => (a * b) & word;
const rotl = (value: bigint, by: bigint) => ((value << by) | (value >> (32n - by))) & word;

export function murmur3x86of32(bytes: Buffer, seed: number): number {
  const c1 = 0xcc9e_2d51n;
  const c2 = 0x1b87_3593n;
  const blocks = Math.floor(bytes.length / 4);
  let h1 = BigInt(seed);
  for (let block = 0; block < blocks; block++) {
    let k1 = BigInt(bytes.readUInt32LE(4 * block));
    k1 = times(rotl(times(k1, c1), 15n), c2);
    h1 = (rotl(h1 ^ k1, 13n) * 5n + 0xe654_6b64n) & word;
  }
  const tail = bytes.subarray(4 * blocks);
  if (tail.length > 0) {
    const k1 = BigInt(tail.readUIntLE(0, tail.length));
    h1 ^= times(rotl(times(k1, c1), 15n), c2);
  }
  h1 ^= BigInt(bytes.length);
  h1 = times(h1 ^ (h1 >> 16n), 0x85eb_ca6bn);
  h1 = times(h1 ^ (h1 >> 13n), 0xc2b2_ae35n);
  return Number(h1 ^ (h1 >> 16n));
}

/** 0–99999. */
export function expectedBucket(salt: string, shopper: string): number {
  const hash = murmur3x86of32(Buffer.from(`${salt}:${shopper}`, "utf8"), 0);
  return Number((BigInt(hash) * 100_000n) >> 32n);
}

/** @param percent at most 3 decimals */
export function expectedSide(salt: string, shopper: string, percent: number): "legacy" | "new" {
  return expectedBucket(salt, shopper) < Math.round(percent * 1000) ? "new" : "legacy";
}

/** The first `count` of the shoppers `PREFIX-0`, `PREFIX-1`, … whose buckets are wanted. */
export function shoppersOfBuckets(
  salt: string,
  prefix: string,
  isWanted: (bucket: number) => boolean,
  count: number,
): string[] {
  const found: string[] = [];
  for (let number = 0; found.length < count; number++) {
    if (number > 5_000_000) throw new Error("no shopper has such a bucket");
    const shopper = `${prefix}-${number}`;
    if (isWanted(expectedBucket(salt, shopper))) found.push(shopper);
  }
  return found;
}
