/** The journey of a request: the pin it carries, and what becomes of it with the answer. */
import { cookieValue } from "../../decide/cookie.ts";
import {
  endPin,
  type JourneyPin,
  type PinFault,
  readPin,
  signPin,
  slidePin,
  startPin,
} from "../../decide/pin.ts";
import type { RequestView } from "../../decide/sources.ts";
import type { JourneyEvent, Notebook, Pins } from "../../ownership/port.ts";
import type { CompiledCutover } from "../routes.ts";
import type { Decided } from "./owner-lookup.ts";

/**
 * @param onIgnored hears of a pin that is tampered with, foreign or expired: it counts as none
 * @returns the valid pin in the request's cookie
 */
export function pinOf(
  cutover: CompiledCutover,
  view: RequestView,
  nowSeconds: number,
  onIgnored: (cutover: string, fault: PinFault) => void,
): JourneyPin | undefined {
  const { journey } = cutover;
  if (journey === undefined) return undefined;
  const text = cookieValue(view.fields, view.fieldNames, journey.cookie);
  if (text === undefined) return undefined;
  const reading = readPin(journey.secrets(), cutover.name, text, nowSeconds);
  if (reading.valid) return reading.pin;
  onIgnored(cutover.name, reading.fault);
  return undefined;
}

export interface JourneyContext {
  readonly pins: Pick<Pins, "end">;
  readonly journeys?: Pick<Notebook, "seen"> | undefined;
  readonly newId: () => string;
}

/**
 * The journey begins, goes on or ends on the side that answered.
 *
 * @param encrypted whether the client came over TLS
 * @returns fields to add to the answer, flat
 */
export function journeyFields(
  { pins, journeys, newId }: JourneyContext,
  { route, decision, state, cookieless, ...decided }: Decided,
  status: number,
  nowSeconds: number,
  encrypted: boolean,
): string[] {
  const { cutover } = route;
  const { name, journey } = cutover;
  if (journey === undefined) return [];
  const { life } = journey;
  const pin = decided.pin?.side === decision.side ? decided.pin : undefined;
  const given = (next: JourneyPin): string[] => {
    const cookie = setCookie(cutover, next, nowSeconds, encrypted);
    return cookie === undefined ? [] : ["Set-Cookie", cookie];
  };
  const tell = (next: JourneyPin, event: JourneyEvent) => journeys?.seen(name, next, event);

  if (route.journey === "start") {
    const id = pin?.id ?? decided.begun ?? newId();
    const next = startPin(life, id, decision.side, state.pinEpoch, nowSeconds);
    const told = cookieless === undefined ? next : { ...next, expiresAt: next.startedAt + life.maxTtl };
    // A pin nobody keeps is no journey yet: a client that takes the cookie will show it.
    const isKept = cookieless === undefined || pin !== undefined || decided.begun !== undefined;
    if (isKept) tell(told, pin === undefined ? "start" : "seen");
    return given(next);
  }
  const ends = route.journey === "end" && status >= 200 && status < 300;
  if (cookieless !== undefined) {
    if (!ends) {
      if (pin !== undefined) tell(pin, "seen");
      return [];
    }
    void pins.end(name, cookieless, life.grace, life.maxTtl).then((ended) => {
      if (ended !== undefined) tell(ended, "end");
    });
    return [];
  }
  if (pin === undefined) return [];
  const next = ends ? endPin(life, pin, nowSeconds) : slidePin(life, pin, nowSeconds);
  tell(next, ends ? "end" : "seen");
  // Most requests come within a second of the one before: nothing has moved.
  return next.expiresAt === pin.expiresAt && next.startedAt === pin.startedAt ? [] : given(next);
}

/** @returns the Set-Cookie value that gives the client the pin; `undefined` when nothing can sign it */
function setCookie(
  cutover: CompiledCutover,
  pin: JourneyPin,
  nowSeconds: number,
  encrypted: boolean,
): string | undefined {
  const [secret] = cutover.journey?.secrets() ?? [];
  if (cutover.journey === undefined || secret === undefined) return undefined;
  const value = signPin(secret, cutover.name, pin);
  const maxAge = Math.max(0, pin.expiresAt - nowSeconds);
  const secure = encrypted ? "; Secure" : "";
  return `${cutover.journey.cookie}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}
