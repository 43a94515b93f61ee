/** The journey of a request: the pin it carries, and what becomes of it with the answer. */
import { cookieValue } from "../decide/cookie.ts";
import {
  endPin,
  type JourneyPin,
  type PinFault,
  readPin,
  signPin,
  slidePin,
  startPin,
} from "../decide/pin.ts";
import type { RequestView } from "../decide/sources.ts";
import type { JourneyEvent } from "../ownership/port.ts";
import type { Side } from "../state/model.ts";
import type { CompiledCutover, CompiledRoute } from "./table.ts";

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

export interface JourneyStep {
  readonly route: CompiledRoute;
  /** The valid pin of the request, whether or not it decided. */
  readonly pin: JourneyPin | undefined;
  /** The side that answered. */
  readonly side: Side;
  readonly pinEpoch: number;
  /** The status it answered with. */
  readonly status: number;
  readonly nowSeconds: number;
}

export interface NextStep {
  readonly event: JourneyEvent;
  readonly pin: JourneyPin;
  /** Whether the pin's times changed, so that the client must be given it anew. */
  readonly changed: boolean;
}

/** @returns how the journey begins, goes on or ends on the side that answered; `undefined` when there is none */
export function nextStep(step: JourneyStep, newId: () => string): NextStep | undefined {
  const { route, side, pinEpoch, status, nowSeconds } = step;
  const { journey } = route.cutover;
  if (journey === undefined) return undefined;
  const { life } = journey;
  const pin = step.pin?.side === side ? step.pin : undefined;
  if (route.journey === "start") {
    const next = startPin(life, pin?.id ?? newId(), side, pinEpoch, nowSeconds);
    return { event: pin === undefined ? "start" : "seen", pin: next, changed: true };
  }
  if (pin === undefined) return undefined;
  const ends = route.journey === "end" && status >= 200 && status < 300;
  const next = ends ? endPin(life, pin, nowSeconds) : slidePin(life, pin, nowSeconds);
  const changed = next.expiresAt !== pin.expiresAt || next.startedAt !== pin.startedAt;
  return { event: ends ? "end" : "seen", pin: next, changed };
}

/** @returns the Set-Cookie value that gives the client the pin; `undefined` when nothing can sign it */
export function setCookie(
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
