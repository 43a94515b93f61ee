/** The journey cookie of a request and of its response. */
import { cookieValue } from "../decide/cookie.ts";
import { endPin, type JourneyPin, readPin, signPin, slidePin, startPin } from "../decide/pin.ts";
import type { RequestView } from "../decide/sources.ts";
import type { Side } from "../state/model.ts";
import type { CompiledCutover, CompiledJourney, CompiledRoute } from "./table.ts";

/** @returns the request's valid pin; a tampered, foreign or expired one is none */
export function pinOf(
  cutover: CompiledCutover,
  view: RequestView,
  nowSeconds: number,
): JourneyPin | undefined {
  const { journey } = cutover;
  if (journey === undefined) return undefined;
  const text = cookieValue(view.fields, view.fieldNames, journey.cookie);
  if (text === undefined) return undefined;
  const reading = readPin(journey.secrets(), cutover.name, text, nowSeconds);
  return reading.valid ? reading.pin : undefined;
}

export interface JourneyStep {
  readonly route: CompiledRoute;
  /** The pin the request carried, and whether it decided. */
  readonly pin: JourneyPin | undefined;
  /** The side that answered. */
  readonly side: Side;
  readonly pinEpoch: number;
  /** The status it answered with. */
  readonly status: number;
  readonly nowSeconds: number;
  readonly encrypted: boolean;
}

/**
 * The Set-Cookie value that the answer carries: a journey begins, goes on or ends on the side that answered.
 *
 * @returns `undefined` when nothing about the journey changes
 */
export function journeyCookie(step: JourneyStep): string | undefined {
  const { route, side, nowSeconds } = step;
  const { journey, name } = route.cutover;
  if (journey === undefined) return undefined;
  const pin = step.pin?.side === side ? step.pin : undefined;
  const next = nextPin(journey, step, pin);
  if (next === undefined || (next.expiresAt === pin?.expiresAt && next.startedAt === pin.startedAt)) {
    return undefined;
  }
  const [secret] = journey.secrets();
  if (secret === undefined) return undefined;
  const value = signPin(secret, name, next);
  const maxAge = Math.max(0, next.expiresAt - nowSeconds);
  const secure = step.encrypted ? "; Secure" : "";
  return `${journey.cookie}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}

function nextPin(
  journey: CompiledJourney,
  { route, side, pinEpoch, status, nowSeconds }: JourneyStep,
  pin: JourneyPin | undefined,
): JourneyPin | undefined {
  if (route.journey === "start") return startPin(journey.life, side, pinEpoch, nowSeconds);
  if (pin === undefined) return undefined;
  if (route.journey === "end" && status >= 200 && status < 300) return endPin(journey.life, pin, nowSeconds);
  return slidePin(journey.life, pin, nowSeconds);
}
