/**
 * A member of a list as the first 8 bytes of its SHA-256: what is kept of it, everywhere. Two members of one digest are
 * met once in some 10^12 questions to a list of ten million.
 */
import { createHash } from "node:crypto";

/** Bytes of a digest. */
export const digestBytes = 8;

/** @param member a byte string: one char a byte (latin1) @returns as 16 lower-case hex digits */
export function digestOf(member: string): string {
  return hashOf(member).toString("hex", 0, digestBytes);
}

/** Which of the 256 parts of a list a digest is in: its first byte. @param digest as hex */
export function partOf(digest: string): number {
  return Number.parseInt(digest.slice(0, 2), 16);
}

export function hashOf(member: string): Buffer {
  return createHash("sha256").update(member, "latin1").digest();
}
