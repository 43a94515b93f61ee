/**
 * Who comes with no name: a visitor, who is given one that means nothing, decided by at once and kept in a cookie of the
 * proxy's own. A shop's session cookie is no such name: most shops renew a session they do not know, so that whoever goes
 * over to the other side is somebody else there.
 */
import { decisionField } from "../../../decide/sentence.ts";
import { fieldValue, type RequestView } from "../../../decide/sources.ts";
import { sideFields } from "../../handover/handover.ts";
import type { CompiledRoute } from "../../routes.ts";
import type { Recorded } from "../../settle.ts";
import type { Decided, Meaning } from "../../witness.ts";
import type { CompiledVisitor } from "./compiled.ts";
import { journeyFields } from "./journey.ts";
import { linkFields } from "./link.ts";
import { setCookie } from "./own-cookie.ts";
import { visitFields } from "./visit.ts";

/**
 * Whether the client may keep a cookie that it is given now: a browser that opens a page, of which one at a time does.
 * Callbacks, preflights and what scripts and programs fetch stay anonymous, unless all that a browser sends counts.
 */
export function mayBecomeVisitor({ onAny }: CompiledVisitor, method: string, view: RequestView): boolean {
  const { fields, fieldNames } = view;
  if (method === "OPTIONS" || method === "TRACE") return false;
  const mode = fieldValue(fields, fieldNames, "sec-fetch-mode");
  if (mode !== undefined) return onAny || mode.trim() === "navigate";
  const accept = fieldValue(fields, fieldNames, "accept") ?? "";
  if (method === "GET" && /\btext\/html\b/i.test(accept)) return true;
  return onAny && (method === "GET" || method === "HEAD" || isOfBrowser(fieldNames));
}

/** Of an unsafe method: a provider's callback has neither. */
function isOfBrowser(fieldNames: readonly string[]): boolean {
  return fieldNames.includes("origin") || fieldNames.includes("cookie");
}

/**
 * What an answer is given: cookies, of its journey, of the visit, of a login, of a visitor who was named on this request,
 * and of the side that served him; and where that is asked for how it was decided.
 *
 * @param meaning what the answer does
 * @returns fields to add to it, flat
 */
export function addedFields(
  exchange: Recorded,
  route: CompiledRoute,
  by: Decided,
  meaning: Meaning,
): string[] {
  const fields = journeyFields(exchange, route, by, meaning);
  if (route.cutover.visit !== undefined) fields.push(...visitFields(exchange, route.cutover, by));
  if (route.cutover.link !== undefined) fields.push(...linkFields(exchange, route.cutover, by, meaning));
  const { visitor, decisionHeader: name } = exchange.context.table;
  if (by.visitor !== undefined) fields.push(...setCookie(exchange, visitor.cookie, by.visitor, visitor.ttl));
  if (route.cutover.handover !== undefined) fields.push(...sideFields(exchange, route, by));
  if (name !== undefined) fields.push(name, decisionField(route.cutover.name, by.decision, by.state.version));
  return fields;
}
