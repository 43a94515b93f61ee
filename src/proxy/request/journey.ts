/** The journey of a request: the pin it carries, and what becomes of it with the answer. */
import { cookieValues } from "../../decide/cookie.ts";
import { decide } from "../../decide/decide.ts";
import {
  endPin,
  type JourneyPin,
  type PinFault,
  type PinLife,
  signPin,
  slidePin,
  startPin,
} from "../../decide/pin.ts";
import { fieldValue, type RequestView } from "../../decide/sources.ts";
import { isBelieved } from "../inbound.ts";
import type { CompiledCutover, CompiledJourney, CompiledRoute } from "../routes.ts";
import { type Recorded, recordJourney, recordNotice } from "../settle.ts";
import type { Decided, Meaning } from "../witness.ts";

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
  for (const text of cookieValues(view.fields, view.fieldNames, journey.cookie)) {
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
  { starts, ends }: Meaning,
): string[] {
  const { journey } = cutover;
  if (journey === undefined) return [];
  const { decision, cookieless, pin: valid } = by;
  const pin = valid?.side === decision.side ? valid : undefined;
  if (starts && !ends) return begunFields(exchange, cutover, journey, by, pin);
  if (cookieless !== undefined) {
    if (ends) endStored(exchange, cutover.name, cookieless, journey.life);
    else if (pin !== undefined && pin.reserved === undefined) recordJourney(exchange, pin, "seen");
    return [];
  }
  if (pin === undefined) return [];
  const now = secondsNow(exchange);
  const next = ends ? endPin(journey.life, pin, now) : slidePin(journey.life, pin, now);
  if (!pin.ended)
    recordJourney(exchange, { ...next, startedAt: pin.startedAt, ended: undefined }, ends ? "end" : "seen");
  // Most requests come within a second of the one before: nothing has moved.
  const isSame = next.expiresAt === pin.expiresAt && next.startedAt === pin.startedAt;
  return isSame ? [] : setCookie(exchange, cutover, next, now);
}

/** What else a decision may go by, were there no journey. */
const unbound = { owner: undefined, journey: undefined, forced: undefined, stale: false } as const;

/** A start was answered: the journey begins with it, or is renewed. */
function begunFields(
  exchange: Recorded,
  cutover: CompiledCutover,
  { life }: CompiledJourney,
  { decision, state, bucket, cookieless, begun }: Decided,
  shown: JourneyPin | undefined,
): string[] {
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
  const told = cookieless === undefined ? next : { ...next, expiresAt: next.startedAt + life.maxTtl };
  // A pin nobody keeps is no journey yet: a client that takes the cookie will show it.
  if (cookieless === undefined || pin !== undefined || begun !== undefined) {
    recordJourney(exchange, told, isNew ? "start" : "seen");
    // Nor is what is in the store, where it would begin on the other side now: it is looked up for one maximum only.
    const differs = decide(state, { ...unbound, bucket }).side !== decision.side;
    if (cookieless !== undefined && (isNew || !differs))
      void context.pins.start(cutover.name, cookieless, told, life.maxTtl);
  }
  return setCookie(exchange, cutover, next, now);
}

/** What a start held for its shopper is given back, when its answer has begun no journey. */
export function giveBackJourney({ context }: Recorded, cutover: string, by: Decided): void {
  const { cookieless, begun } = by;
  if (cookieless !== undefined && begun !== undefined) void context.pins.release(cutover, cookieless, begun);
}

function endStored(exchange: Recorded, cutover: string, shopper: string, { grace, maxTtl }: PinLife): void {
  void exchange.context.pins.end(cutover, shopper, grace, maxTtl).then((ended) => {
    if (ended !== undefined) recordJourney(exchange, ended, "end");
  });
}

/** @returns the field that gives the client the pin, flat; none where nothing can sign it */
function setCookie(
  exchange: Recorded,
  { name, journey }: CompiledCutover,
  pin: JourneyPin,
  nowSeconds: number,
): string[] {
  const [secret] = journey?.secrets() ?? [];
  if (journey === undefined || secret === undefined) return [];
  const value = signPin(secret, name, pin);
  const maxAge = Math.max(0, pin.expiresAt - nowSeconds);
  const isSecure = journey.secure || isEncrypted(exchange);
  // Browsers drop a cookie that is for all sites and not Secure: as one for its own site it is of use yet.
  const sameSite = journey.crossSite && isSecure ? "None" : "Lax";
  return [
    "Set-Cookie",
    `${journey.cookie}=${value}${journey.attributes}; Max-Age=${maxAge}; HttpOnly; SameSite=${sameSite}${isSecure ? "; Secure" : ""}`,
  ];
}

/** Whether the client speaks TLS, to this proxy or by the word of a trusted one. */
function isEncrypted({ context, inbound }: Recorded): boolean {
  const { fields, peer } = inbound.head;
  if (peer.encrypted) return true;
  if (!isBelieved(context.table.trusts, peer)) return false;
  const proto = fieldValue(fields, context.fieldNames.of(fields), "x-forwarded-proto") ?? "";
  return /^[\t ]*https[\t ]*(?:,|$)/i.test(proto);
}

function secondsNow({ context }: Recorded): number {
  return Math.floor(context.clock.now() / 1000);
}
