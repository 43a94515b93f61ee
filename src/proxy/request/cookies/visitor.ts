/**
 * Who comes with no name: a visitor, who is given one that means nothing, decided by at once and kept in a cookie of the
 * proxy's own. A shop's session cookie is no such name: most shops renew a session they do not know, so that whoever goes
 * over to the other side is somebody else there.
 */
import { decisionField } from "../../../decide/sentence.ts";
import { fieldValue, type RequestView } from "../../../decide/sources.ts";
import { sideFields } from "../../handover/handover.ts";
import type { CompiledCutover, CompiledRoute } from "../../routes.ts";
import type { Recorded } from "../../settle.ts";
import type { Decided, Meaning } from "../../witness.ts";
import type { CompiledVisitor } from "./compiled.ts";
import { journeyFields } from "./journey.ts";
import { linkFields, linkingOf } from "./link.ts";
import { setCookie } from "./own-cookie.ts";
import { visitFields } from "./visit.ts";

/** Methods whose requests bring a browser's `SameSite=Lax` cookies when another site's page sends for a page here. */
const bringLax: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Whether the client may keep a cookie that it is given now: a browser that opens a page, of which one at a time does.
 * Callbacks, preflights and what scripts and programs fetch stay anonymous, unless all that a browser sends counts.
 */
function mayBecomeVisitor({ onAny }: CompiledVisitor, method: string, view: RequestView): boolean {
  const { fields, fieldNames } = view;
  if (hidesCookies(method, view)) return false;
  const mode = fieldValue(fields, fieldNames, "sec-fetch-mode");
  if (mode !== undefined) return onAny || mode.trim() === "navigate";
  const accept = fieldValue(fields, fieldNames, "accept") ?? "";
  if (method === "GET" && /\btext\/html\b/i.test(accept)) return true;
  return onAny && (method === "GET" || method === "HEAD" || isOfBrowser(fieldNames));
}

/** @returns a new name for whom nothing names, where the client may keep it */
export function visitorOf(
  { context }: Recorded,
  { visits }: CompiledCutover,
  method: string,
  view: RequestView,
): string | undefined {
  return visits && mayBecomeVisitor(context.table.visitor, method, view)
    ? context.ids.visitorId()
    : undefined;
}

/** Whether the client shows that it keeps cookies, or opens a page. */
export function mayKeepCookie(visitor: CompiledVisitor, method: string, view: RequestView): boolean {
  if (hidesCookies(method, view)) return false;
  return view.fieldNames.includes("cookie") || mayBecomeVisitor(visitor, method, view);
}

/**
 * Whether a browser that has cookies of ours may send none of them: with a preflight, and with a form that another site's
 * page posts, as the bank's is on the way back from 3-D Secure. What is given in answer would take their place.
 */
function hidesCookies(method: string, { fields, fieldNames }: RequestView): boolean {
  if (method === "OPTIONS" || method === "TRACE") return true;
  if (bringLax.has(method)) return false;
  return fieldValue(fields, fieldNames, "sec-fetch-site")?.trim() === "cross-site";
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
  const linking = linkingOf(exchange.context.table, route.cutover);
  if (linking.link !== undefined) fields.push(...linkFields(exchange, linking, by, meaning));
  const { visitor, decisionHeader: name } = exchange.context.table;
  if (by.visitor !== undefined) fields.push(...setCookie(exchange, visitor.cookie, by.visitor, visitor.ttl));
  if (route.cutover.handover !== undefined) fields.push(...sideFields(exchange, route, by));
  if (name !== undefined) fields.push(name, decisionField(route.cutover.name, by.decision, by.state.version));
  return fields;
}
