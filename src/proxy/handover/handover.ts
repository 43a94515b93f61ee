/**
 * A shopper whose cookie, or visit, says that the other side served him last is handed over: the request that goes to this
 * one says so in a signed field, until an answer of this side below 500 has given him a cookie that names it. Several
 * requests at once each have it.
 *
 * Only a shopper whom nobody else can have named is handed over, as his cart and his login go with him, and only where he
 * goes over himself: not where an order takes one request to its owner, nor for the time of an outage.
 */
import { cookieValues } from "../../decide/cookie.ts";
import type { Reason } from "../../decide/decide.ts";
import { longestText } from "../../decide/sources.ts";
import type { Side } from "../../state/rules/model.ts";
import { setCookie } from "../request/cookies/own-cookie.ts";
import type { CompiledRoute } from "../routes.ts";
import type { Recorded } from "../settle.ts";
import type { ForwardRequest } from "../upstream/port.ts";
import type { Decided, NamedShopper } from "../witness.ts";
import type { CompiledHandover } from "./compiled.ts";
import { handoverField, signHandover } from "./token.ts";

/** Reasons that say nothing of where the shopper is. */
const elsewhere: ReadonlySet<Reason> = new Set(["owner", "anonymous", "stale", "fallback"]);

/** @returns the request as it is sent, with the field where its shopper is handed over */
export function withHandover(
  exchange: Recorded,
  route: CompiledRoute | undefined,
  by: Decided | undefined,
  request: ForwardRequest,
): ForwardRequest {
  const handover = route?.cutover.handover;
  if (route === undefined || handover === undefined || by === undefined) return request;
  const shopper = goer(exchange, by);
  const before = shopper && (lastSide(exchange, handover) ?? by.visit?.side);
  const name = shopper && textOf(shopper.name);
  const { side } = by.decision;
  if (before === undefined || before === side || name === undefined) return request;
  const { clock, ids } = exchange.context;
  const at = request.fields.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === "host");
  const host = request.fields[at + 1] ?? "";
  const [path = ""] = request.target.split("?", 1);
  const told = {
    cutover: route.cutover.name,
    before,
    shopper: name,
    issuedAt: Math.floor(clock.now() / 1000),
    nonce: ids.visitorId(),
  };
  const asked = { method: request.method, host, path };
  const value = signHandover(handover.secret, handover.audiences[side], told, asked);
  return { ...request, fields: [...request.fields, handoverField, value] };
}

/** @returns fields that tell the client which side has served it, flat; none where it knows, or keeps no cookies */
export function sideFields(
  exchange: Recorded,
  { cutover: { handover } }: CompiledRoute,
  by: Decided,
): string[] {
  if (handover === undefined || goer(exchange, by) === undefined || (exchange.status ?? 500) >= 500)
    return [];
  const { side } = by.decision;
  if (lastSide(exchange, handover) === side) return [];
  return setCookie(exchange, handover.cookie, handover.values[side], handover.ttl);
}

/** @returns the shopper, where the decision is about him and he is who he says */
function goer({ method }: Recorded, { decision, shopper, visitor }: Decided): NamedShopper | undefined {
  if (method === "OPTIONS" || shopper === undefined || elsewhere.has(decision.reason)) return undefined;
  const keepsCookies = !shopper.keepsNone || visitor !== undefined;
  return shopper.isVouched && keepsCookies ? shopper : undefined;
}

/** @returns the side that served the client last, as far as its cookie says */
function lastSide({ context, inbound }: Recorded, { cookie, sideOf }: CompiledHandover): Side | undefined {
  const { fields } = inbound.head;
  for (const value of cookieValues(fields, context.fieldNames.of(fields), cookie.name)) {
    const side = sideOf(value);
    if (side !== undefined) return side;
  }
  return undefined;
}

/** @returns a shopper's bytes as text; `undefined` for those of no text, which could be read as another's, and too long ones */
function textOf(bytes: string): string | undefined {
  if (bytes.length > longestText) return undefined;
  if (!/[^\0-\x7f]/.test(bytes)) return bytes;
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  return Buffer.from(text).toString("latin1") === bytes ? text : undefined;
}
