/** The field that gives a client a cookie of the proxy's own. */
import { fieldValue } from "../../../decide/sources.ts";
import type { ExchangeContext } from "../../context.ts";
import { isBelieved, type RequestHead } from "../../inbound.ts";
import type { Recorded } from "../../settle.ts";
import type { CompiledCookie } from "./compiled-cookie.ts";

/** @param maxAge in seconds @returns the field that gives the client the cookie, flat */
export function setCookie(
  exchange: Recorded,
  { name, crossSite, secure, attributes }: CompiledCookie,
  value: string,
  maxAge: number,
): string[] {
  const isSecure = secure || isEncrypted(exchange.context, exchange.inbound.head);
  // Browsers drop a cookie that is for all sites and not Secure: as one for its own site it is of use yet.
  const sameSite = crossSite && isSecure ? "None" : "Lax";
  const last = `HttpOnly; SameSite=${sameSite}${isSecure ? "; Secure" : ""}`;
  return ["Set-Cookie", `${name}=${value}${attributes}; Max-Age=${maxAge}; ${last}`];
}

/** Since the epoch: what the cookies' times are in. */
export function secondsNow({ context }: { readonly context: Pick<ExchangeContext, "clock"> }): number {
  return Math.floor(context.clock.now() / 1000);
}

/** Whether the client speaks TLS, to this proxy or by the word of a trusted one. */
export function isEncrypted(
  context: Pick<ExchangeContext, "table" | "fieldNames">,
  { fields, peer }: Pick<RequestHead, "fields" | "peer">,
): boolean {
  if (peer.encrypted) return true;
  if (!isBelieved(context.table.trusts, peer)) return false;
  const proto = fieldValue(fields, context.fieldNames.of(fields), "x-forwarded-proto") ?? "";
  return /^[\t ]*https[\t ]*(?:,|$)/i.test(proto);
}
