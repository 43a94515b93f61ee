/** Names for a request: passed on when the sender gave a sound one, else made. */
import { randomBytes } from "node:crypto";
import { pinIdBytes } from "../../decide/pin.ts";
import { fieldValue } from "../../decide/sources.ts";

export interface Ids {
  /** @param inbound the sender's X-Request-Id; kept when it is 1–128 of A–Z a–z 0–9 . _ - */
  requestId(inbound: string | undefined): string;
  /** @param inbound the sender's traceparent; kept when it is of version 00 (W3C Trace Context §3.2) */
  traceparent(inbound: string | undefined): string;
  /** The id of a journey that begins: random, base64url. */
  journeyId(): string;
  /** What a visitor is called who has no other name: 128 random bits, base64url. */
  visitorId(): string;
}

/** What a request is called, by whoever sent it or by this proxy. */
export interface NamedRequest {
  readonly requestId: string;
  /** Of its trace (W3C Trace Context), as its upstream is told. */
  readonly traceparent: string;
  /** The traceparent that it came with, sound or not. */
  readonly parent?: string | undefined;
}

/** @param names those of the head's fields, lower case */
export function namedBy(
  { ids }: { readonly ids: Pick<Ids, "requestId" | "traceparent"> },
  { fields }: { readonly fields: readonly string[] },
  names: readonly string[],
): NamedRequest {
  const parent = fieldValue(fields, names, "traceparent");
  return {
    requestId: ids.requestId(fieldValue(fields, names, "x-request-id")),
    traceparent: ids.traceparent(parent),
    parent,
  };
}

const soundId = /^[A-Za-z0-9._-]{1,128}$/;
const soundTraceparent = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** @returns whether it is of version 00 and well formed, so that its parts stand at their places */
export function isSoundTraceparent(text: string): boolean {
  return soundTraceparent.test(text);
}

/** Bytes that are asked for at once: for a few of them it costs as much. */
const poolSize = 24 * 256;

/** Ids are unique, not secret: a request id is a random prefix and a count. */
export function createIds(): Ids {
  const prefix = randomBytes(9).toString("base64url");
  let count = 0;
  let bytes = Buffer.alloc(0);
  let taken = 0;
  const text = (size: number): string => {
    if (taken + size > bytes.length) {
      bytes = randomBytes(poolSize);
      taken = 0;
    }
    taken += size;
    return bytes.toString("base64url", taken - size, taken);
  };
  let pool = "";
  let at = 0;
  const hex = (digits: number): string => {
    if (at + digits > pool.length) {
      pool = randomBytes(poolSize).toString("hex");
      at = 0;
    }
    at += digits;
    return pool.slice(at - digits, at);
  };
  return {
    requestId(inbound) {
      if (inbound !== undefined && soundId.test(inbound)) return inbound;
      count += 1;
      return `${prefix}-${count.toString(36)}`;
    },
    traceparent(inbound) {
      if (inbound !== undefined && soundTraceparent.test(inbound)) return inbound;
      return `00-${hex(32)}-${hex(16)}-00`;
    },
    journeyId: () => text(pinIdBytes),
    visitorId: () => text(16),
  };
}
