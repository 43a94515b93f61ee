/** The journey of a request: the pin it carries, and what becomes of it with the answer. */
import { cookieValues } from "../../../decide/cookie.ts";
import { decide } from "../../../decide/decide.ts";
import {
  endPin,
  type JourneyPin,
  type PinFault,
  type PinLife,
  slidePin,
  startPin,
} from "../../../decide/pin.ts";
import type { RequestView } from "../../../decide/sources.ts";
import type { OwnerKey } from "../../../ownership/port.ts";
import type { CompiledCutover, CompiledRoute } from "../../routes.ts";
import { type Recorded, recordJourney, recordNotice } from "../../settle.ts";
import type { Decided, Meaning, NamedShopper } from "../../witness.ts";
import type { CompiledJourney } from "./compiled.ts";
import { secondsNow, setCookie } from "./own-cookie.ts";

/**
 * @returns the first valid pin among the request's cookies of the name: others may have set namesakes; one that is
 * tampered with, foreign or expired counts as none
 */
export function pinOf(
  exchange: Recorded,
  cutover: CompiledCutover,
  view: RequestView,
): JourneyPin | undefined {
  const { journey } = cutover;
  if (journey === undefined) return undefined;
  let fault: PinFault | undefined;
  for (const text of cookieValues(view.fields, view.fieldNames, journey.cookie.name)) {
    const reading = journey.pins.read(text, secondsNow(exchange));
    if (reading.valid) return reading.pin;
    fault ??= reading.fault;
  }
  if (fault !== undefined) recordNotice(exchange, { kind: "ignored_pin", fault });
  return undefined;
}

/**
 * The journey begins, goes on or ends on the side that answered.
 *
 * @param meaning what the answer does
 * @returns fields to add to the answer, flat
 */
export function journeyFields(
  exchange: Recorded,
  { cutover }: CompiledRoute,
  by: Decided,
  { starts, ends, keys }: Meaning,
): string[] {
  const { journey } = cutover;
  if (journey === undefined) return [];
  const { decision, shopper, carried, pin: valid } = by;
  const pin = valid?.side === decision.side ? valid : undefined;
  if (starts && !ends) return begunFields(exchange, cutover, journey, by, pin);
  if (!carried) {
    if (ends && shopper !== undefined) endStored(exchange, cutover.name, shopper, by, keys, journey.life);
    else if (pin !== undefined && pin.reserved === undefined && !pin.ended)
      recordJourney(exchange, pin, "seen");
    return [];
  }
  if (pin === undefined) return [];
  const now = secondsNow(exchange);
  const next = ends ? endPin(journey.life, pin, now) : slidePin(journey.life, pin, now);
  if (!pin.ended) {
    recordJourney(exchange, { ...next, startedAt: pin.startedAt, ended: undefined }, ends ? "end" : "seen");
    if (ends && shopper !== undefined) endStored(exchange, cutover.name, shopper, by, keys, journey.life);
    else keepStored(exchange, cutover.name, by, journey.life, next);
  }
  // Most requests come within a second of the one before: nothing has moved.
  const isSame = next.expiresAt === pin.expiresAt && next.startedAt === pin.startedAt;
  return isSame ? [] : pinFields(exchange, cutover, next, now);
}

/** What else a decision may go by, were there no journey. */
const unbound = { owner: undefined, journey: undefined, forced: undefined, stale: false } as const;

/** A start was answered: the journey begins with it, or is renewed. */
function begunFields(
  exchange: Recorded,
  cutover: CompiledCutover,
  { life }: CompiledJourney,
  by: Decided,
  shown: JourneyPin | undefined,
): string[] {
  const { decision, state, bucket, cohort, after, shopper, carried, begun } = by;
  const { context } = exchange;
  exchange.hasBegun = true;
  const now = secondsNow(exchange);
  // One that has ended is over: this is another journey on its side.
  const pin = shown?.ended ? undefined : shown;
  const id = pin?.id ?? begun ?? context.ids.journeyId();
  const isNew = pin === undefined || pin.reserved !== undefined;
  // What is on new after a rollback is to drain, also where each request is a start.
  const drains = !isNew && state.state === "rolled_back" && decision.side === "new";
  const next = drains ? slidePin(life, pin, now) : startPin(life, id, decision.side, state.pinEpoch, now);
  const longest = { ...next, expiresAt: next.startedAt + life.maxTtl };
  // A pin nobody keeps is no journey yet: a client that takes the cookie will show it.
  const keepsNone = shopper?.keepsNone === true && !carried;
  if (!keepsNone || pin !== undefined || begun !== undefined) {
    recordJourney(exchange, keepsNone ? longest : next, isNew ? "start" : "seen");
  }
  // Nor is what is in the store, where it would begin on the other side now: it is looked up for one maximum only.
  const differs = decide(state, { ...unbound, cohort, bucket, after }).side !== decision.side;
  if (carried && pin !== undefined) keepStored(exchange, cutover.name, by, life, next);
  else if (shopper !== undefined && (pin !== undefined || begun !== undefined)) {
    if (pin !== undefined) noticeMissingCookie(exchange, pin, life, shopper);
    if (isNew || !differs) void context.pins.start(cutover.name, shopper.name, longest, life.maxTtl);
  }
  return pinFields(exchange, cutover, next, now);
}

/** What a start held for its shopper is given back, when its answer has begun no journey. */
export function giveBackJourney({ context }: Recorded, cutover: string, by: Decided): void {
  const { shopper, begun } = by;
  if (shopper !== undefined && begun !== undefined) void context.pins.release(cutover, shopper.name, begun);
}

/**
 * A cookie ends its own journey; and so does the shopper, where nobody else can have named him. Else it takes an order
 * that the journey's own start has made: who names somebody and pays an order of his own ends nothing.
 */
function endStored(
  exchange: Recorded,
  cutover: string,
  shopper: NamedShopper,
  { pin, carried, keys }: Decided,
  answered: readonly OwnerKey[],
  life: PinLife,
): void {
  const { pins } = exchange.context;
  const orders = [...keys, ...answered].flatMap(({ key, claimed }) => (claimed ? [] : key));
  const told = shopper.isVouched ? undefined : { orders };
  const by = carried && pin !== undefined ? { id: pin.id } : told;
  void pins.end(cutover, shopper.name, life.grace, life.maxTtl, by).then((ended) => {
    if (ended === undefined || carried) return;
    recordJourney(exchange, ended, "end");
    noticeMissingCookie(exchange, ended, life, shopper);
  });
}

/**
 * The store's copy of a pin ends with its cookie once the client has shown that it keeps that: told of when it is first
 * shown, and then four times a ttl at most, so that few requests have to tell.
 */
function keepStored(
  { context }: Recorded,
  cutover: string,
  { shopper, pin }: Decided,
  { ttl }: PinLife,
  next: JourneyPin,
): void {
  if (shopper === undefined || pin === undefined || next.expiresAt === pin.expiresAt) return;
  const movedAt = next.expiresAt - ttl;
  const movedBefore = pin.expiresAt - ttl;
  const quarter = ttl / 4;
  const isFirst = movedBefore === pin.startedAt && next.startedAt === pin.startedAt;
  if (!isFirst && Math.floor(movedAt / quarter) === Math.floor(movedBefore / quarter)) return;
  void context.pins.keep(
    cutover,
    shopper.name,
    next,
    next.expiresAt - Math.floor(context.clock.now() / 1000),
  );
}

/** How long requests may come yet that were sent before the cookie was there, in seconds. */
const parallelSeconds = 10;

/** The start of the journey was answered with a cookie that would still be good, and here is none. */
function noticeMissingCookie(
  exchange: Recorded,
  { startedAt }: JourneyPin,
  { ttl }: PinLife,
  { keepsNone }: NamedShopper,
): void {
  const age = secondsNow(exchange) - startedAt;
  if (age > parallelSeconds && age < ttl) recordNotice(exchange, { kind: "missing_cookie", keepsNone });
}

/** @returns the field that gives the client the pin, flat; none where nothing can sign it */
function pinFields(
  exchange: Recorded,
  { journey }: CompiledCutover,
  pin: JourneyPin,
  nowSeconds: number,
): string[] {
  const text = journey?.pins.sign(pin);
  if (journey === undefined || text === undefined) return [];
  return setCookie(exchange, journey.cookie, text, Math.max(0, pin.expiresAt - nowSeconds));
}
