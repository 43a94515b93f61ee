/** Reads a request's head: which authority the request is for, and which route it is on. */
import { withoutForce } from "../../decide/force.ts";
import type { Asks, Match } from "../../decide/route.ts";
import { fieldValue } from "../../decide/sources.ts";
import { isAmbiguousPath, trimmedPath } from "../../decide/spelling.ts";
import { holdsByHead } from "../../decide/when/when.ts";
import type { RequestHead } from "../inbound.ts";
import { type Refusal, refusals } from "../refusal.ts";
import { mayBeUnclear } from "../relay/rewrite/paths.ts";
import type { CompiledRoute, Table } from "../routes.ts";
import { type FixedRoute, type HostRouting, isMoving, routingFor } from "./routing.ts";
import { isRefusal, parseTarget, soundHost, type Target } from "./target.ts";

export interface Arrival {
  readonly head: RequestHead;
  /** The names of the head's fields, lower case. */
  readonly names: readonly string[];
  readonly target: Target;
  /** The authority the request is for. */
  readonly host: string;
  /** What a tester's link says; its target is without it. */
  readonly force: string | undefined;
  readonly match: Match<CompiledRoute> | undefined;
  /** The routes that come before, where the body has to tell whether it is on one of them; in the order of asking. */
  readonly choices: readonly Match<CompiledRoute>[] | undefined;
  /** Where it goes that is on no cutover's route. */
  readonly elsewhere: FixedRoute;
  /** The cutover of a route that the path is not on, but for some server behind the proxy may be. */
  readonly near: CompiledRoute | undefined;
}

/** @returns the arrival, or the refusal its head earns */
export function readArrival(
  table: Table,
  head: RequestHead,
  names: readonly string[],
  proxyName: string,
): Arrival | Refusal {
  // The parser of Node 20.19 knows a method (QUERY) that it has no name for.
  if (head.method === "" || !isFramedSoundly(head, names)) return refusals.malformed;
  const whole = parseTarget(head.method, head.target, table.headLimits.targetBytes);
  if (isRefusal(whole)) return whole;
  const { target, force } = table.linked.length === 0 ? { target: whole, force: undefined } : unforced(whole);
  const host = hostOf(target, head, names);
  if (host === undefined) return refusals.host;
  if (head.method === "TRACE" || head.method === "CONNECT") return refusals.method;
  if (wasHere(table.loopFields, head, names, proxyName)) return refusals.loop;
  if (head.method === "OPTIONS" && hopsLeft(head, names) === 0) return refusals.lastHop;
  const asks = table.asksMore ? asksOf(head, names, target) : undefined;
  const routed = routeOf(table, host, head.method, target.path, requestedMethod(head, names), asks);
  if (routed === "ambiguous") return refusals.ambiguousPath;
  const { match, choices, elsewhere, near } = routed;
  if (
    table.mapsPaths &&
    mayBeUnclear(target.path) &&
    [...(choices ?? []), match].some((one) => isUnclear(one, elsewhere, target.path))
  )
    return refusals.ambiguousPath;
  return { head, names, target, host, force, match, choices, elsewhere, near };
}

/** What the head tells of a route's `when`. A preflight goes where anything goes that it may be for. */
function asksOf({ method, fields, framing }: RequestHead, names: readonly string[], { query }: Target): Asks {
  const head = { fields, fieldNames: names, query, hasBody: framing.kind !== "none" };
  const isPreflight = method === "OPTIONS" && names.includes("access-control-request-method");
  return isPreflight
    ? ({ query: tests }) => tests === undefined || holdsByHead({ query: tests }, head)
    : (when) => holdsByHead(when, head);
}

/** Whether an upstream may read what becomes of the path as something that no rule would make of it. */
function isUnclear(match: Arrival["match"], elsewhere: FixedRoute, path: string): boolean {
  const { legacy, new: fresh } = match?.value.destinations ?? {
    legacy: elsewhere.destination,
    new: undefined,
  };
  return [legacy, fresh].some((destination) => destination?.rewriting?.paths?.isUnclear(path) === true);
}

/** A tester's secret goes on to nobody. */
function unforced(whole: Target): Pick<Arrival, "target" | "force"> {
  const { query, force } = withoutForce(whole.query);
  if (force === undefined) return { target: whole, force };
  return {
    target: { ...whole, query, forwarded: query === "" ? whole.path : `${whole.path}?${query}` },
    force,
  };
}

/** @returns the method that a CORS preflight asks for (Fetch, §3.2.2) */
function requestedMethod({ method, fields }: RequestHead, names: readonly string[]): string | undefined {
  return method === "OPTIONS" ? fieldValue(fields, names, "access-control-request-method") : undefined;
}

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

type Routed = Pick<Arrival, "match" | "choices" | "elsewhere" | "near">;

/**
 * The route of a request. A path that matches as it stands is on that route; one that does without a trailing slash and
 * `;params`, as every server reads it, is too. What only some servers would take for a cutover's path is refused, unless
 * it changes nothing. A fixed route has of all this what no cutover's route has.
 *
 * @param host the authority that it is for
 * @param requested the method that a preflight asks for
 * @param asks what is known of a route's `when`; without it nothing is
 */
export function routeOf(
  table: Pick<Table, "router" | "fallthrough" | "hosts" | "paths">,
  host: string,
  method: string,
  path: string,
  requested: string | undefined,
  asks?: Asks,
): Routed | "ambiguous" {
  const routing = routingFor(table, host);
  const { router } = routing;
  const find = (text: string) =>
    requested === undefined ? router.match(method, text, asks) : asked(router, requested, text, asks);
  const match = find(path);
  if (isAmbiguousPath(path)) {
    const meets = isMoved(match) || router.mayMeet(requested ?? method, path, asks) !== undefined;
    const isRefused = (meets ? table.paths.onRoutes : table.paths.elsewhere) === "refuse";
    return isRefused ? "ambiguous" : placed(routing, match, undefined);
  }
  if (isMoved(match)) return placed(routing, match, undefined);
  const trimmed = trimmedPath(path);
  const found = trimmed === path ? undefined : find(trimmed);
  if (isMoved(found) || (match === undefined && found !== undefined)) {
    const { trailingSlash, params } = found.value.spelling;
    const isRefused =
      (params === "refuse" && path.includes(";")) || (trailingSlash === "refuse" && path.endsWith("/"));
    return isRefused ? "ambiguous" : placed(routing, found, undefined);
  }
  const near = router.mayMeet(requested ?? method, path, asks);
  return near === undefined || safeMethods.has(method) ? placed(routing, match, near) : "ambiguous";
}

type Found = Match<CompiledRoute | FixedRoute>;

function isMoved(found: Found | undefined): found is Match<CompiledRoute> {
  return found !== undefined && isMoving(found.value);
}

function placed(
  { fallthrough }: HostRouting<CompiledRoute>,
  found: Found | undefined,
  near: CompiledRoute | undefined,
): Routed {
  const choices: Match<CompiledRoute>[] = [];
  let last = found;
  for (; last?.when !== undefined; last = last.next) if (isMoved(last)) choices.push(last);
  const asked = choices.length === 0 ? undefined : choices;
  if (isMoved(last)) return { match: last, choices: asked, elsewhere: fallthrough, near };
  const fixed = last?.value;
  const elsewhere = fixed?.cutover === undefined ? (fixed ?? fallthrough) : fallthrough;
  return { match: undefined, choices: asked, elsewhere, near };
}

/** A preflight is for the route that it asks for, and makes nothing there. */
function asked(
  router: HostRouting<CompiledRoute>["router"],
  requested: string,
  path: string,
  asks: Asks | undefined,
): Found | undefined {
  const found = router.preflight(requested, path, asks) ?? router.match("OPTIONS", path, asks);
  if (!isMoved(found)) return found;
  return { ...found, value: found.value.preflight ?? found.value };
}

/**
 * The only transfer coding that is understood is chunked, alone, and not in HTTP/1.0, where the next hop may not know
 * it (RFC 9112 §6.1). A length is a number that can be counted to.
 */
function isFramedSoundly({ fields, version, framing }: RequestHead, names: readonly string[]): boolean {
  const at = names.indexOf("transfer-encoding");
  if (at === -1) return framing.kind !== "sized" || Number.isSafeInteger(framing.length);
  if (version === "1.0") return false;
  const isAlone = !names.includes("content-length") && !names.includes("transfer-encoding", at + 1);
  return isAlone && /^chunked$/i.test(fields[2 * at + 1] ?? "");
}

/** RFC 9112 §3.2: one Host field exactly, in HTTP/1.0 none is tolerated; an absolute form's authority wins. */
function hostOf(target: Target, head: RequestHead, names: readonly string[]): string | undefined {
  const first = names.indexOf("host");
  if (first === -1) return head.version === "1.0" ? (target.authority ?? "") : undefined;
  if (names.indexOf("host", first + 1) !== -1) return undefined;
  const host = head.fields[2 * first + 1] ?? "";
  return soundHost.test(host) ? (target.authority ?? host) : undefined;
}

/** Whether any Via (RFC 9110 §7.6.3) names this proxy, or where it names itself so any CDN-Loop (RFC 8586). */
function wasHere(
  by: readonly string[],
  { fields }: RequestHead,
  names: readonly string[],
  proxyName: string,
): boolean {
  for (const name of by) {
    for (let i = names.indexOf(name); i !== -1; i = names.indexOf(name, i + 1)) {
      if (fields[2 * i + 1]?.includes(proxyName)) return true;
    }
  }
  return false;
}

/** @returns how many more hops the request may take (RFC 9110 §7.6.2); `undefined` when it does not say */
export function hopsLeft({ fields }: RequestHead, names: readonly string[]): number | undefined {
  const text = fieldValue(fields, names, "max-forwards");
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
