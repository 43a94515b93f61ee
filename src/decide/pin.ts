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
 * START is 0 once the journey has ended.
 *
 * A shopper whose client keeps no cookies has it in the store, as
 *
 *   SIDE.EPOCH.START.ID           new.3.1700000000.AbC_-0123xyz
 *   SIDE.EPOCH.START.ID.STARTS    it is reserved only: so many starts are under way, and none was answered yet
 *   SIDE.EPOCH.START.ID.ended     the journey has ended, and has its grace
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
  /** It stands for starts under way, of which none was answered yet: so many. */
  readonly reserved?: number | undefined;
  /** The journey has ended; it keeps its side for confirmation pages. */
  readonly ended?: boolean | undefined;
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
    ...(startedAt === "0" && { ended: true }),
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
  /** The longest a start without an answer has its side reserved for other starts of the shopper. */
  readonly reserve: number;
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
  if (pin.ended) return pin;
  const expiresAt = Math.min(nowSeconds + life.ttl, pin.startedAt + life.maxTtl);
  return { ...pin, expiresAt };
}

/** The pin after the journey's end: it lives for the grace, never longer than it would have, and slides no more. */
export function endPin(life: PinLife, pin: JourneyPin, nowSeconds: number): JourneyPin {
  if (pin.ended) return pin;
  const expiresAt = Math.min(pin.expiresAt, nowSeconds + life.grace);
  return { ...pin, startedAt: 0, expiresAt, ended: true };
}

const storedForm = /^(legacy|new)\.(\d{1,15})\.(\d{1,15})\.([\w-]{12})(?:\.(\d{1,9}|ended))?$/;

export function writeStoredPin({ side, epoch, startedAt, id, reserved, ended }: JourneyPin): string {
  const state = ended ? ".ended" : reserved === undefined ? "" : `.${reserved}`;
  return `${side}.${epoch}.${startedAt}.${id}${state}`;
}

/**
 * @param maxTtl the journey's maximum, in seconds
 * @returns `undefined` for what is no pin
 */
export function readStoredPin(text: string, maxTtl: number): JourneyPin | undefined {
  const [, side, epoch, startedAt, id, state] = storedForm.exec(text) ?? [];
  if (side === undefined || id === undefined) return undefined;
  const start = Number(startedAt);
  const pin = { id, side: sideOf(side), epoch: Number(epoch), startedAt: start, expiresAt: start + maxTtl };
  if (state === undefined) return pin;
  return state === "ended" ? { ...pin, ended: true } : { ...pin, reserved: Number(state) };
}

function sideOf(text: string): Side {
  return text === "new" ? "new" : "legacy";
}

/**
 * What a start that was answered makes of the pin in the store (change-pin.lua is the same rule):
 *
 *   none, reserved, ended, or void   the offer
 *   begun under the offer's id   the offer
 *   on the offer's side          the offer's times under its own id: the journey is renewed
 *   on the other side            itself, to its own maximum: so no pin differs from its bucket for longer than
 *                                one maximum after the routing last changed
 *
 * @param stored the pin that is there
 * @param offer begun now, under the epoch in force
 */
export function meetPin(stored: JourneyPin | undefined, offer: JourneyPin): JourneyPin {
  const kept = keptIn(stored, offer);
  if (kept === undefined || kept.id === offer.id) return offer;
  if (kept.side === offer.side) return { ...offer, id: kept.id };
  return kept.expiresAt > offer.startedAt ? kept : offer;
}

/**
 * What a start that is yet to be sent makes of it: a journey stays as it is, and what other starts hold is reserved by one
 * more, whatever side it is. The one that holds it first may move it, before anything went to either side.
 */
export function reservePin(stored: JourneyPin | undefined, offer: JourneyPin): JourneyPin {
  const kept = keptIn(stored, offer);
  if (kept !== undefined) return kept.expiresAt > offer.startedAt ? kept : { ...offer, reserved: 1 };
  if (stored?.reserved === undefined || isVoid(stored, offer)) return { ...offer, reserved: 1 };
  if (stored.id === offer.id) return { ...offer, reserved: stored.reserved };
  return { ...stored, reserved: stored.reserved + 1 };
}

/** What is left of it when a start that reserved it was not answered, or with a failure. @returns `undefined`: nothing */
export function releasePin(stored: JourneyPin, id: string): JourneyPin | undefined {
  if (stored.reserved === undefined || stored.id !== id) return stored;
  return stored.reserved > 1 ? { ...stored, reserved: stored.reserved - 1 } : undefined;
}

/** @returns the journey under way */
function keptIn(stored: JourneyPin | undefined, offer: JourneyPin): JourneyPin | undefined {
  if (stored === undefined || stored.reserved !== undefined || stored.ended) return undefined;
  return isVoid(stored, offer) ? undefined : stored;
}

function isVoid(stored: JourneyPin, offer: JourneyPin): boolean {
  return stored.side === "new" && stored.epoch < offer.epoch;
}
