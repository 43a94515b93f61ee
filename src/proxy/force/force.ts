/** A request that says which side it wants, and a link that gives a browser the cookie to say so. */
import { cookieValues } from "../../decide/cookie.ts";
import { type AskedSide, forceOff, readForce, sideAsked, signForce } from "../../decide/force.ts";
import { fieldValue } from "../../decide/sources.ts";
import type { Side } from "../../state/rules/model.ts";
import type { Arrival } from "../request/arrival.ts";
import { clientOf } from "../request/client.ts";
import { setCookie } from "../request/cookies/own-cookie.ts";
import type { CompiledCutover } from "../routes.ts";
import { type Recorded, redirect } from "../settle.ts";
import type { ForceForm } from "./attempts.ts";

/** @returns the side an authorised tester asks for, by the header, else by the cookie */
export function forcedIn(exchange: Recorded, arrival: Arrival, cutover: CompiledCutover): Side | undefined {
  const { force } = cutover;
  if (force === undefined) return undefined;
  const { head, names } = arrival;
  const said = fieldValue(head.fields, names, force.header);
  if (said !== undefined && said !== "") {
    const { side } = authorised(exchange, arrival, "header", said, [cutover])[0] ?? {};
    if (side !== undefined) return side;
  }
  if (force.cookie === undefined) return undefined;
  const nowSeconds = Math.floor(exchange.context.clock.now() / 1000);
  for (const text of cookieValues(head.fields, names, force.cookie.name)) {
    const read = readForce(force.cookie.keys(), cutover.name, text);
    if (read === undefined || nowSeconds >= read.expiresAt) continue;
    for (const digest of force.hashes) if (digest.startsWith(read.digestBegins)) return read.side;
  }
  return undefined;
}

const lastsSeconds = 8 * 3600;

/**
 * Answers a link, by the same address without what it said, so that the secret stays in no address bar, no history, no
 * referrer and no shop's log.
 *
 * @returns whether the request is one: of other methods and upgrades the parameter is only left out
 */
export function answersLink(exchange: Recorded, arrival: Arrival): boolean {
  const { force: said, head, target } = arrival;
  if (said === undefined || (head.method !== "GET" && head.method !== "HEAD") || head.upgrade !== undefined)
    return false;
  const { table } = exchange.context;
  // A path that begins with two slashes would be another host (RFC 3986 §4.2; browsers take a backslash for one).
  const guard = /^\/[/\\]/.test(target.forwarded) ? "/." : "";
  const fields = ["Location", `${guard}${target.forwarded}`, "Referrer-Policy", "no-referrer"];
  if (said === forceOff) {
    for (const { force } of table.linked)
      if (force?.cookie !== undefined) fields.push(...setCookie(exchange, force.cookie, "", 0));
  } else {
    const expiresAt = Math.floor(exchange.context.clock.now() / 1000) + lastsSeconds;
    for (const { cutover, ...asked } of authorised(exchange, arrival, "link", said, table.linked)) {
      const cookie = cutover.force?.cookie;
      const [key] = cookie?.keys() ?? [];
      if (cookie === undefined || key === undefined) continue;
      fields.push(
        ...setCookie(exchange, cookie, signForce(key, cutover.name, asked, expiresAt), lastsSeconds),
      );
    }
  }
  redirect(exchange, fields);
  return true;
}

/** @returns what is asked for of those cutovers whose secret it is; counted where it is nobody's */
function authorised(
  { context }: Recorded,
  { head, names }: Arrival,
  form: ForceForm,
  said: string,
  cutovers: readonly CompiledCutover[],
): (AskedSide & { readonly cutover: CompiledCutover })[] {
  const address = clientOf(context.table.trusts, head, names).counted ?? head.peer.address;
  if (!context.force.allows(address, form)) return [];
  const asked = sideAsked(said);
  const found = asked === undefined ? [] : cutovers.filter(({ force }) => force?.hashes.has(asked.digest));
  if (asked === undefined || found.length === 0) {
    context.force.wrong(address, form);
    return [];
  }
  return found.map((cutover) => ({ ...asked, cutover }));
}
