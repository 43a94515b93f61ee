/**
 * A member of a list as the first 8 bytes of its SHA-256: what is kept of it, everywhere. Two members of one digest are
 * met once in some 10^12 questions to a list of ten million.
 */
import { hash } from "node:crypto";

/** Bytes of a digest. */
export const digestBytes = 8;

const ascii = /^[\0-\x7f]*$/;

/** @param member a byte string: one char a byte (latin1) @returns as 16 lower-case hex digits */
export function digestOf(member: string): string {
  // A text is hashed as UTF-8, which of ASCII is the same; a buffer costs three times as much.
  return hash("sha256", ascii.test(member) ? member : Buffer.from(member, "latin1"), "hex").slice(0, 16);
}

/** Which of the 256 parts of a list a digest is in: its first byte. @param digest as hex */
export function partOf(digest: string): number {
  return Number.parseInt(digest.slice(0, 2), 16);
}

/** The digest's words, the higher first, as numbers. */
export function highOf(digest: string): number {
  return Number.parseInt(digest.slice(0, 8), 16);
}

export function lowOf(digest: string): number {
  return Number.parseInt(digest.slice(8), 16);
}
