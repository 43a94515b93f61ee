/** The journey of a request: the pin it carries, and what becomes of it with the answer. */
import { cookieValues } from "../../decide/cookie.ts";
import { endPin, type JourneyPin, type PinFault, signPin, slidePin, startPin } from "../../decide/pin.ts";
import { fieldValue, type RequestView } from "../../decide/sources.ts";
import type { CompiledCutover, CompiledRoute } from "../routes.ts";
import { type Recorded, recordJourney, recordNotice } from "../settle.ts";
import type { Decided } from "../witness.ts";

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
 * @returns fields to add to the answer, flat
 */
export function journeyFields(
  exchange: Recorded,
  { cutover, journey: step }: CompiledRoute,
  { decision, state, cookieless, begun, pin: valid }: Decided,
  status: number,
): string[] {
  const { name, journey } = cutover;
  if (journey === undefined) return [];
  const { context } = exchange;
  const { life } = journey;
  const now = secondsNow(exchange);
  const pin = valid?.side === decision.side ? valid : undefined;

  if (step === "start") {
    const id = pin?.id ?? begun ?? context.ids.journeyId();
    const next = startPin(life, id, decision.side, state.pinEpoch, now);
    const told = cookieless === undefined ? next : { ...next, expiresAt: next.startedAt + life.maxTtl };
    // A pin nobody keeps is no journey yet: a client that takes the cookie will show it.
    const isKept = cookieless === undefined || pin !== undefined || begun !== undefined;
    if (isKept) recordJourney(exchange, told, pin === undefined ? "start" : "seen");
    return setCookie(exchange, cutover, next, now);
  }
  const ends = step === "end" && status >= 200 && status < 300;
  if (cookieless !== undefined) {
    if (!ends) {
      if (pin !== undefined) recordJourney(exchange, pin, "seen");
      return [];
    }
    void context.pins.end(name, cookieless, life.grace, life.maxTtl).then((ended) => {
      if (ended !== undefined) recordJourney(exchange, ended, "end");
    });
    return [];
  }
  if (pin === undefined) return [];
  const next = ends ? endPin(life, pin, now) : slidePin(life, pin, now);
  recordJourney(exchange, next, ends ? "end" : "seen");
  // Most requests come within a second of the one before: nothing has moved.
  const isSame = next.expiresAt === pin.expiresAt && next.startedAt === pin.startedAt;
  return isSame ? [] : setCookie(exchange, cutover, next, now);
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
  if (!context.table.trusts(peer.address)) return false;
  const proto = fieldValue(fields, context.fieldNames.of(fields), "x-forwarded-proto") ?? "";
  return /^[\t ]*https[\t ]*(?:,|$)/i.test(proto);
}

function secondsNow({ context }: Recorded): number {
  return Math.floor(context.clock.now() / 1000);
}
