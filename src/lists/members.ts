/**
 * One part of a list: the digests that begin with one byte, sorted, 8 bytes each, nothing between them. PURE. The bytes
 * are what is stored; the words are the same for looking up, in the machine's order.
 */
import { endianness } from "node:os";
import { digestBytes } from "./digest.ts";

export const partCount = 256;

interface PartChange {
  readonly bytes: Buffer;
  /** How many more, and how many less, there are than before. */
  readonly added: number;
  readonly removed: number;
}

/**
 * @param bytes of the part
 * @param add sorted digests of the part, as hex, each once
 * @param remove the same; what is in both is added
 */
export function changedPart(bytes: Buffer, add: readonly string[], remove: readonly string[]): PartChange {
  const leaving = new Set(remove);
  const coming = bytesOfDigests(add);
  const merged = Buffer.alloc(bytes.length + coming.length);
  let [length, added, removed] = [0, 0, 0];
  let [here, there] = [0, 0];
  while (here < bytes.length || there < coming.length) {
    const order = orderOf(bytes, here, coming, there);
    const [from, at] = order <= 0 ? [bytes, here] : [coming, there];
    if (order <= 0) here += digestBytes;
    if (order >= 0) there += digestBytes;
    if (order < 0 && leaving.size > 0 && leaving.has(from.toString("hex", at, at + digestBytes))) {
      removed += 1;
      continue;
    }
    if (order > 0) added += 1;
    from.copy(merged, length, at, at + digestBytes);
    length += digestBytes;
  }
  return { bytes: merged.subarray(0, length), added, removed };
}

function bytesOfDigests(digests: readonly string[]): Buffer {
  return Buffer.from(digests.join(""), "hex");
}

/** Below 0: the first comes first, or is the only one left. */
function orderOf(one: Buffer, at: number, other: Buffer, otherAt: number): number {
  if (at >= one.length) return 1;
  if (otherAt >= other.length) return -1;
  return one.compare(other, otherAt, otherAt + digestBytes, at, at + digestBytes);
}

/**
 * For `isIn`: two words a digest, in an array that keeps nothing else alive.
 *
 * @returns `undefined` when they are not a part's bytes: whole digests of this first byte, in order, each once
 */
export function wordsOf(bytes: Buffer, part: number): Uint32Array | undefined {
  if (bytes.length % digestBytes !== 0) return undefined;
  const words = new Uint32Array(bytes.length / 4);
  const native = Buffer.from(words.buffer);
  bytes.copy(native);
  if (endianness() === "LE") native.swap32();
  let [lastHigh, lastLow] = [-1, -1];
  for (let at = 0; at < words.length; at += 2) {
    const [high = 0, low = 0] = [words[at], words[at + 1]];
    const isNext = high > lastHigh || (high === lastHigh && low > lastLow);
    if (!isNext || high >>> 24 !== part) return undefined;
    lastHigh = high;
    lastLow = low;
  }
  return words;
}

/** The digest's words, the higher first. */
export function isIn(words: Uint32Array, high: number, low: number): boolean {
  let from = 0;
  let to = words.length >>> 1;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const [h = 0, l = 0] = [words[2 * middle], words[2 * middle + 1]];
    if (h === high && l === low) return true;
    if (h < high || (h === high && l < low)) from = middle + 1;
    else to = middle;
  }
  return false;
}

/** The way back from `wordsOf`. */
export function bytesOfWords(words: Uint32Array): Buffer {
  const bytes = Buffer.from(new Uint32Array(words).buffer);
  return endianness() === "LE" ? bytes.swap32() : bytes;
}
