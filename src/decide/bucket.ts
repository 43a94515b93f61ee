/**
 * A shopper's fixed place among 100,000, by MurmurHash3_x86_32 (Austin Appleby, public domain; vectors in
 * test/unit/decide/bucket.test.ts). PURE.
 *
 * Values are byte strings: one char a byte (latin1), as the bytes were received.
 */

const bucketCount = 100_000;

const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

/**
 * MurmurHash3_x86_32 of a byte string.
 *
 * @returns unsigned 32-bit integer
 */
export function murmur3(bytes: string, seed: number): number {
  const length = bytes.length;
  const tail = length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < tail; i += 4) {
    const block =
      (bytes.charCodeAt(i) & 0xff) |
      ((bytes.charCodeAt(i + 1) & 0xff) << 8) |
      ((bytes.charCodeAt(i + 2) & 0xff) << 16) |
      ((bytes.charCodeAt(i + 3) & 0xff) << 24);
    hash ^= scramble(block);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= tail; i -= 1) rest = (rest << 8) | (bytes.charCodeAt(i) & 0xff);
  if (length > tail) hash ^= scramble(rest);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const mixed = Math.imul(block, c1);
  return Math.imul((mixed << 15) | (mixed >>> 17), c2);
}

/**
 * @param saltPrefix the byte string of `salt + ":"` (see `saltPrefix`)
 * @param shopper the shopper's identity as received, a byte string
 * @returns the bucket, 0–99999
 */
export function bucketOf(saltPrefix: string, shopper: string): number {
  return Math.floor((murmur3(saltPrefix + shopper, 0) * bucketCount) / 4_294_967_296);
}

/** The byte string that goes before the shopper: UTF-8 of the salt and a colon. */
export function saltPrefix(salt: string): string {
  return bytesOf(`${salt}:`);
}

/** A text as its UTF-8 byte string. */
export function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
