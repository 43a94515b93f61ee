/** The request target and the authority it is for (RFC 9112 §3.2). */
import { isAmbiguousPath } from "../../decide/spelling.ts";
import { type Refusal, refusals } from "../refusal.ts";

export interface Target {
  /** What goes upstream: origin form, or `*`. */
  readonly forwarded: string;
  /** From the leading slash up to, without, the `?`; `*` for OPTIONS *. */
  readonly path: string;
  /** What follows the `?`; empty without one. */
  readonly query: string;
  /** The authority of an absolute-form target: it wins over Host (RFC 9112 §3.2.2). */
  readonly authority: string | undefined;
}

const absoluteForm = /^https?:\/\/([^/?]+)(.*)$/i;
/** RFC 3986 §3.2.2 without user information; a Host may be empty (RFC 9110 §7.2). */
export const soundHost = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::\d{0,5})?$/;
/** Most bytes of a request's head (431 above it) and of its target (414; RFC 9112 §3 recommends to take 8000). */
export interface HeadLimits {
  readonly headBytes: number;
  readonly targetBytes: number;
}

/** @returns whether a packet that the parser gave up begins with a request whose target is too long */
export function hasLongTarget(packet: Buffer | undefined, mostBytes: number): boolean {
  const [, target = ""] = /^[!-~]+ +([!-~]*)/.exec(packet?.toString("latin1") ?? "") ?? [];
  return target.length > mostBytes;
}

/** There are no control characters, spaces or fragments in a target; bytes above 0x7e must have been encoded. */
const clean = /^[!-~]+$/;

/**
 * @param mostBytes refused above it
 * @returns the target's parts, or the refusal it earns
 */
export function parseTarget(method: string, target: string, mostBytes: number): Target | Refusal {
  if (target.length > mostBytes) return refusals.targetTooLong;
  if (target === "*") {
    return method === "OPTIONS"
      ? { forwarded: "*", path: "*", query: "", authority: undefined }
      : refusals.malformed;
  }
  let origin = target;
  let authority: string | undefined;
  if (!target.startsWith("/")) {
    const [, host, rest] = absoluteForm.exec(target) ?? [];
    if (host === undefined || rest === undefined || !soundHost.test(host)) return refusals.malformed;
    authority = host;
    // RFC 9112 §3.2.4: the last proxy before an origin makes it the asterisk form again.
    if (rest === "" && method === "OPTIONS") return { forwarded: "*", path: "*", query: "", authority };
    origin = rest.startsWith("/") ? rest : `/${rest}`;
  }
  if (!clean.test(origin) || origin.includes("#")) return refusals.malformed;
  const question = origin.indexOf("?");
  const path = question === -1 ? origin : origin.slice(0, question);
  const query = question === -1 ? "" : origin.slice(question + 1);
  return { forwarded: origin, path, query, authority };
}

/** What clients take out of an address, or read in ways of their own. Spaces and bytes above 0x7e they encode. */
const unclear = /[^ -~\x80-\xff]|^ | $/;
const reference = /^(?:https?:)?(?:\/\/([^/?#]*))?([^?#]*)/i;

/**
 * @param location as an answer has it (RFC 9110 §10.2.2)
 * @param hosts authorities that the request was for
 * @param path the request's, which a relative reference begins from (RFC 3986 §5.2)
 * @returns the path it leads to; `undefined` when that is on another host, or may be read as another path
 */
export function pathOfLocation(location: string, hosts: readonly string[], path: string): string | undefined {
  if (location === "" || unclear.test(location)) return undefined;
  const [, authority, to = ""] = reference.exec(location) ?? [];
  const isOwn = (to: string) =>
    soundHost.test(to) && hosts.some((host) => authorityName(to) === authorityName(host));
  if (authority !== undefined && !isOwn(authority)) return undefined;
  // `https:orders/7` and `mailto:x` alike: what has a scheme and no authority is nothing to rely on.
  if (authority === undefined && /^[^/?#]*:/.test(location)) return undefined;
  const isWhole = to.startsWith("/") || authority !== undefined;
  const whole = isWhole ? to : `${path.slice(0, path.lastIndexOf("/") + 1)}${to}`;
  return isAmbiguousPath(whole) ? undefined : whole;
}

/** @returns the host alone, lower case */
export function authorityName(authority: string): string {
  return authority.replace(/:\d*$/, "").toLowerCase();
}

export function isRefusal(value: Target | Refusal): value is Refusal {
  return "status" in value;
}
