/** The visit of a request: what its cookie says, and what the client is given with the answer. */
import {
  beginVisit,
  isUnderWay,
  renewVisit,
  type ShopperVisit,
  signVisit,
} from "../../../decide/browsing/visit.ts";
import { cookieValues } from "../../../decide/cookie.ts";
import type { RequestView } from "../../../decide/sources.ts";
import type { CompiledCutover } from "../../routes.ts";
import type { Recorded } from "../../settle.ts";
import type { Decided } from "../../witness.ts";
import { tellVisit } from "./link.ts";
import { secondsNow, setCookie } from "./own-cookie.ts";

/** @returns the first visit under way among the request's cookies of the name: others may have set namesakes */
export function visitIn(
  exchange: Recorded,
  { name, visit: compiled }: CompiledCutover,
  view: RequestView,
): ShopperVisit | undefined {
  if (compiled === undefined) return undefined;
  const { rollbacks } = exchange.context;
  for (const text of cookieValues(view.fields, view.fieldNames, compiled.cookie.name)) {
    const visit = compiled.read(text);
    if (visit && isUnderWay(visit, secondsNow(exchange), rollbacks.leastVersion(name))) return visit;
  }
  return undefined;
}

/**
 * A visit begins with the first answer of the side that the bucket says, and goes on with those that it decides itself. Not
 * with that of an owner or a journey, which would be where they are without it, nor with one that a tester, an outage or
 * the state decides: a rollback is not to be outlived. It begins on legacy for whom too much unpaid on new has sent there, who
 * would go over in the middle of it otherwise.
 *
 * @returns fields to add to the answer, flat
 */
export function visitFields(
  exchange: Recorded,
  { name, visit: compiled, link, linking }: CompiledCutover,
  by: Decided,
): string[] {
  const { decision, state, visit, mayVisit, linked } = by;
  if (compiled === undefined || !mayVisit || (exchange.status ?? 500) >= 500) return [];
  const now = secondsNow(exchange);
  const { life, cookie, secrets } = compiled;
  const next = nextVisit();
  const [secret] = secrets();
  if (next === undefined || secret === undefined) return [];
  // Of the visits of a group the store knows those of the cutover whose links count.
  if (link !== undefined && linking === name && linked !== undefined && !linked.isAdopted)
    tellVisit(exchange, name, linked, next.side);
  return setCookie(exchange, cookie, signVisit(secret, name, next), next.expiresAt - now);

  function nextVisit(): ShopperVisit | undefined {
    if (decision.reason === "bucket" || decision.reason === "exposure")
      return beginVisit(life, decision.side, state.version, now);
    if (decision.reason !== "visit" || visit === undefined) return undefined;
    return linked?.isAdopted
      ? { ...visit, version: state.version }
      : renewVisit(life, visit, state.version, now);
  }
}
