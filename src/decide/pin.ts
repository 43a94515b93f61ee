/**
 * The journey pin. PURE: keys and time come in as arguments. As a cookie value it is
 *
 *   1.SIDE.EPOCH.START.EXPIRY.ID.SIGNATURE
 *
 * SIDE is `l` or `n`; EPOCH, START and EXPIRY are base 36, the times in whole seconds since the epoch; ID is 72
 * random bits, base64url, that tell one journey from another and say nothing of the shopper; SIGNATURE is
 * HMAC-SHA-256, base64url, over the cutover's name, a zero byte and all that stands before the last dot. The pin is
 * bound to no shopper: a login in the middle of a checkout must not move it.
 *
 * A shopper whose client keeps no cookies has it in the store, as
 *
 *   SIDE.EPOCH.START.ID     new.3.1700000000.AbC_-0123xyz
 *
 * It lives for the journey's whole maximum, not for a sliding ttl: most requests of such a shopper do not read it
 * (they need not, as long as every pin equals its bucket), so none could slide it.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Side } from "../state/rules/model.ts";

export interface JourneyPin {
  /** 12 characters of base64url: random, so that journeys can be counted without an identity. */
  readonly id: string;
  readonly side: Side;
  readonly epoch: number;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** Why a pin is ignored: not of this form; not signed with one of the cutover's secrets; too old. */
export const pinFaults = ["malformed", "signature", "expired"] as const;
export type PinFault = (typeof pinFaults)[number];

export type PinReading =
  | { readonly valid: true; readonly pin: JourneyPin }
  | { readonly valid: false; readonly fault: PinFault };

/** Bytes of a journey's id. */
export const pinIdBytes = 9;

const cookieForm =
  /^1\.([ln])\.([0-9a-z]{1,11})\.([0-9a-z]{1,8})\.([0-9a-z]{1,8})\.([\w-]{12})\.([A-Za-z0-9_-]{43})$/;

export function signPin(secret: string, cutover: string, pin: JourneyPin): string {
  const side = pin.side === "new" ? "n" : "l";
  const numbers = [pin.epoch, pin.startedAt, pin.expiresAt].map((number) => number.toString(36));
  const payload = `1.${side}.${numbers.join(".")}.${pin.id}`;
  return `${payload}.${sign(secret, cutover, payload)}`;
}

/**
 * @param secrets any of which may have signed it
 * @param nowSeconds seconds since the epoch
 */
export function readPin(
  secrets: readonly string[],
  cutover: string,
  text: string,
  nowSeconds: number,
): PinReading {
  const [, side, epoch, startedAt, expiresAt, id, signature] = cookieForm.exec(text) ?? [];
  if (!side || !epoch || !startedAt || !expiresAt || !id || !signature) {
    return { valid: false, fault: "malformed" };
  }
  const payload = text.slice(0, text.length - signature.length - 1);
  if (!secrets.some((secret) => matches(signature, sign(secret, cutover, payload)))) {
    return { valid: false, fault: "signature" };
  }
  const pin: JourneyPin = {
    id,
    side: side === "n" ? "new" : "legacy",
    epoch: Number.parseInt(epoch, 36),
    startedAt: Number.parseInt(startedAt, 36),
    expiresAt: Number.parseInt(expiresAt, 36),
  };
  return nowSeconds < pin.expiresAt ? { valid: true, pin } : { valid: false, fault: "expired" };
}

function matches(signature: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

function sign(secret: string, cutover: string, payload: string): string {
  return createHmac("sha256", secret).update(`${cutover}\0${payload}`).digest("base64url");
}

/** How long a pin lives, in seconds. */
export interface PinLife {
  /** How long without a request. */
  readonly ttl: number;
  /** From the journey's start, however busy. */
  readonly maxTtl: number;
  /** After the journey's end, for confirmation pages. */
  readonly grace: number;
}

/** @param id of a journey that goes on, or a new one (see `JourneyPin`) */
export function startPin(
  life: PinLife,
  id: string,
  side: Side,
  epoch: number,
  nowSeconds: number,
): JourneyPin {
  return { id, side, epoch, startedAt: nowSeconds, expiresAt: nowSeconds + life.ttl };
}

/** The pin after a request of the journey: alive for another ttl, never past maxTtl from its start. */
export function slidePin(life: PinLife, pin: JourneyPin, nowSeconds: number): JourneyPin {
  const expiresAt = Math.min(nowSeconds + life.ttl, pin.startedAt + life.maxTtl);
  return { ...pin, expiresAt };
}

/** The pin after the journey's end: its lifetime is cut to the grace, so that sliding cannot prolong it. */
export function endPin(life: PinLife, pin: JourneyPin, nowSeconds: number): JourneyPin {
  const startedAt = Math.min(pin.startedAt, nowSeconds + life.grace - life.maxTtl);
  return { ...pin, startedAt, expiresAt: Math.min(pin.expiresAt, startedAt + life.maxTtl) };
}

const storedForm = /^(legacy|new)\.(\d{1,15})\.(\d{1,15})\.([\w-]{12})$/;

export function writeStoredPin({ side, epoch, startedAt, id }: JourneyPin): string {
  return `${side}.${epoch}.${startedAt}.${id}`;
}

/**
 * @param maxTtl the journey's maximum, in seconds
 * @returns `undefined` for what is no pin
 */
export function readStoredPin(text: string, maxTtl: number): JourneyPin | undefined {
  const [, side, epoch, startedAt, id] = storedForm.exec(text) ?? [];
  if (side === undefined || id === undefined) return undefined;
  const start = Number(startedAt);
  return { id, side: sideOf(side), epoch: Number(epoch), startedAt: start, expiresAt: start + maxTtl };
}

function sideOf(text: string): Side {
  return text === "new" ? "new" : "legacy";
}

/**
 * What a start makes of the pin in the store (start-pin.lua is the same rule):
 *
 *   none, or void by epoch       the offer
 *   begun under the offer's id   the offer: the one that began it may move it, before anything went to either side
 *   on the offer's side          the offer's times under its own id: the journey is renewed
 *   on the other side            itself, to its own maximum: so no pin differs from its bucket for longer than
 *                                one maximum after the routing last changed
 *
 * @param stored the pin that is there
 * @param offer begun now, under the epoch in force
 */
export function meetPin(stored: JourneyPin | undefined, offer: JourneyPin): JourneyPin {
  if (stored === undefined || stored.id === offer.id) return offer;
  if (stored.side === "new" && stored.epoch < offer.epoch) return offer;
  if (stored.side === offer.side) return { ...offer, id: stored.id };
  return stored.expiresAt > offer.startedAt ? stored : offer;
}
