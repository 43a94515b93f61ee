/**
 * Fields from one hop to the next (RFC 9110 §7.6): what belongs to a connection stays behind, what tells of the
 * way is added. Framing is never copied: each hop frames what it sends.
 */
import { type OwnCookie, withoutCookies } from "../../decide/cookie.ts";
import type { Marking } from "../destinations.ts";
import { handoverField } from "../handover/token.ts";

/** RFC 9110 §7.6.1 and, for the proxy pair, §11.7; framing is decided anew on each hop. */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-authenticate",
  "proxy-authorization",
  "content-length",
]);

/** What `Connection` may not strip: a peer could otherwise hide who it is from the upstream (CVE-2026-33805). */
const protectedFields: ReadonlySet<string> = new Set(["host", "cookie", "authorization", "expect"]);

const noNames: ReadonlySet<string> = new Set();

/**
 * The names a Connection field takes away with it.
 *
 * @param alsoProtected names that identify a shopper or an order by this configuration, lower case
 * @returns `undefined` when there are none, as in nearly every message
 */
function nominated(
  fields: readonly string[],
  names: readonly string[],
  alsoProtected: ReadonlySet<string>,
): ReadonlySet<string> | undefined {
  let found: Set<string> | undefined;
  for (let i = names.indexOf("connection"); i !== -1; i = names.indexOf("connection", i + 1)) {
    found = nominate(fields[2 * i + 1] ?? "", alsoProtected, found);
  }
  return found;
}

/** @returns the names found so far and those of the value */
function nominate(
  value: string,
  alsoProtected: ReadonlySet<string>,
  found: Set<string> | undefined,
): Set<string> | undefined {
  if (/^(?:keep-alive|close)$/i.test(value)) return found;
  const names = found ?? new Set();
  for (const token of value.split(",")) {
    const name = token.trim().toLowerCase();
    if (!protectedFields.has(name) && !alsoProtected.has(name)) names.add(name);
  }
  return names;
}

/** Only this proxy says who is handed over; a gateway behind it may take other spellings for the same. */
function isHandover(name: string): boolean {
  return name.length === handoverField.length && name.replaceAll("_", "-") === handoverField;
}

interface ForwardedIdentity {
  readonly peerAddress: string;
  readonly peerIsTrusted: boolean;
  readonly encrypted: boolean;
  /** The authority the request is for: absolute form's or Host. */
  readonly host: string;
  /** This proxy's name in Via. */
  readonly proxyName: string;
  /** What of this proxy and of the client the upstream is told besides. */
  readonly marking: Marking;
  /** The client's, as far as it is known; looked at where the marking asks for it. */
  readonly clientAddress: string;
  readonly version: string;
  readonly requestId: string;
  readonly traceparent: string;
}

/** The request's end-to-end fields, without framing, with those that tell of the way here, and without `unvouchedFields`. */
export function requestFields(
  fields: readonly string[],
  names: readonly string[],
  identity: ForwardedIdentity,
  ownCookies: readonly OwnCookie[],
  alsoProtected: ReadonlySet<string>,
  claimingFields: ReadonlySet<string>,
  unvouchedFields: ReadonlySet<string>,
): string[] {
  const dropped = nominated(fields, names, alsoProtected);
  const { peerIsTrusted, marking } = identity;
  const out: string[] = ["Host", marking.host ?? identity.host];
  let forwardedFor = "";
  let forwardedProto = "";
  let forwardedHost = "";
  let forwarded = "";
  let via = "";
  let loop = "";
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i] ?? "";
    const value = fields[2 * i + 1] ?? "";
    switch (name) {
      case "host":
      case "expect":
      case "x-request-id":
      case "traceparent":
        continue;
      case "via":
        via = joined(via, value);
        continue;
      case "cdn-loop":
        loop = joined(loop, value);
        continue;
      case "x-forwarded-for":
        if (peerIsTrusted) forwardedFor = joined(forwardedFor, value);
        continue;
      case "x-forwarded-proto":
        if (peerIsTrusted) forwardedProto = forwardedProto || value;
        continue;
      case "x-forwarded-host":
        if (peerIsTrusted) forwardedHost = forwardedHost || value;
        continue;
      case "forwarded":
        if (peerIsTrusted) forwarded = joined(forwarded, value);
        continue;
      case "cookie": {
        const shops = withoutCookies(value, ownCookies);
        const kept = marking.cookies?.toUpstream(shops) ?? shops;
        if (kept !== "") out.push(fields[2 * i] ?? "", kept);
        continue;
      }
    }
    if (connectionFields.has(name) || dropped?.has(name) || isHandover(name)) continue;
    if (marking.replaces?.(name) || (!peerIsTrusted && claims(name, claimingFields))) continue;
    if (unvouchedFields.size > 0 && unvouchedFields.has(name.replaceAll("_", "-"))) continue;
    out.push(fields[2 * i] ?? "", value);
  }
  const proto = identity.encrypted ? "https" : "http";
  out.push(
    "X-Forwarded-For",
    joined(forwardedFor, identity.peerAddress),
    "X-Forwarded-Proto",
    forwardedProto || proto,
    "X-Forwarded-Host",
    forwardedHost || identity.host,
    "Forwarded",
    joined(forwarded, forwardedElement(identity.peerAddress, identity.host, proto)),
    "X-Request-Id",
    identity.requestId,
    "traceparent",
    identity.traceparent,
  );
  if (marking.onRequest === "Via") via = joined(via, `${identity.version} ${identity.proxyName}`);
  else if (marking.onRequest === "CDN-Loop") loop = joined(loop, identity.proxyName);
  if (via !== "") out.push("Via", via);
  if (loop !== "") out.push("CDN-Loop", loop);
  for (const name of marking.clientAddress) out.push(name, identity.clientAddress);
  return out;
}

/**
 * Whether a field says what only a trusted peer may say. Gateways in front of an application (CGI, WSGI, FastCGI) make
 * one name of `X-Forwarded-For` and `X_Forwarded_For`: the second would be believed for the first.
 */
function claims(name: string, claimingFields: ReadonlySet<string>): boolean {
  if (name.startsWith("x-forwarded-") || claimingFields.has(name)) return true;
  if (!name.includes("_")) return false;
  const dashed = name.replaceAll("_", "-");
  const isOwn = dashed === "x-request-id" || connectionFields.has(dashed);
  return isOwn || dashed.startsWith("x-forwarded-") || claimingFields.has(dashed);
}

/** RFC 7239 §4; an IPv6 address is bracketed and quoted (§6.1), as is a host with a port. */
function forwardedElement(address: string, host: string, proto: string): string {
  const node = address.includes(":") ? `"[${address}]"` : address;
  const quoted = /[\\"]/.test(host) ? host.replaceAll(/[\\"]/g, "\\$&") : host;
  return `for=${node};host="${quoted}";proto=${proto}`;
}

/** What of a response's head goes on. */
export interface PassedHead {
  /** End-to-end, without framing. */
  readonly fields: string[];
  /** The body's octets, where they were declared. */
  readonly length: number | undefined;
}

/** Lengths of the names that are looked at, so that all others need not be lower-cased. */
const lookedAt: readonly boolean[] = [...connectionFields, "via"].reduce<boolean[]>((lengths, name) => {
  lengths[name.length] = true;
  return lengths;
}, []);

/**
 * One pass over a response's fields. The engine has checked its framing; what goes on of that is the number.
 *
 * @param viaName this proxy's name in Via, where it is to stand there
 */
export function responseHead(received: readonly string[], viaName: string | undefined): PassedHead {
  const fields: string[] = [];
  let via = "";
  let length: string | undefined;
  let isCoded = false;
  let dropped: Set<string> | undefined;
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i] ?? "";
    const value = received[i + 1] ?? "";
    const known = lookedAt[name.length] === true ? name.toLowerCase() : "";
    if (known === "via") via = joined(via, value);
    else if (known === "content-length") length ??= value;
    else if (known === "transfer-encoding") isCoded = true;
    else if (known === "connection") dropped = nominate(value, noNames, dropped);
    else if (known === "" || !connectionFields.has(known)) fields.push(name, value);
  }
  if (dropped !== undefined) dropFields(fields, dropped);
  if (viaName !== undefined) via = joined(via, `1.1 ${viaName}`);
  if (via !== "") fields.push("Via", via);
  const isCounted = !isCoded && length !== undefined && /^\d{1,15}$/.test(length);
  return { fields, length: isCounted ? Number(length) : undefined };
}

function dropFields(fields: string[], names: ReadonlySet<string>): void {
  let kept = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (names.has(name.toLowerCase())) continue;
    fields[kept] = name;
    fields[kept + 1] = fields[i + 1] ?? "";
    kept += 2;
  }
  fields.length = kept;
}

/** Fields that speak to shared caches alone, past Cache-Control (RFC 9213 and before it). */
const targetedCaching = /^(?:(?:[\w-]+-)?cdn-cache-control|surrogate-control|x-accel-expires)$/i;
/** A directive of Cache-Control, with its argument (RFC 9111 §5.2). */
const directive = /([^\s,="]+)(?:\s*=\s*("(?:\\.|[^"\\])*"|[^\s,"]*))?/g;
/** What lets a shared cache keep an answer, or would name the fields alone that it may not keep. */
const sharing: ReadonlySet<string> = new Set(["public", "s-maxage", "private"]);

/**
 * Makes an answer that is given a cookie its client's alone: a cache that many ask would hand the cookie to all of them.
 *
 * @param fields of the answer, flat; changed in place where a shared cache could keep it (RFC 9111 §3)
 */
export function keepFromSharedCaches(method: string, fields: string[]): void {
  const targeted = new Set<string>();
  const directives: string[] = [];
  let isExplicit = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] ?? "").toLowerCase();
    if (targetedCaching.test(name)) targeted.add(name);
    else if (name === "expires") isExplicit = true;
    else if (name === "cache-control") directives.push(...((fields[i + 1] ?? "").match(directive) ?? []));
  }
  if (targeted.size > 0) dropFields(fields, targeted);
  const names = directives.map((one) => one.replace(/\s*=.*$/s, "").toLowerCase());
  if (names.includes("no-store") || directives.some((one) => /^private$/i.test(one))) return;
  // To other methods an answer is kept only where it says so.
  const mayBeKept = method === "GET" || method === "HEAD" || isExplicit || targeted.size > 0;
  if (!mayBeKept && !names.some((name) => explicit.has(name))) return;
  const kept = directives.filter((_, index) => !sharing.has(names[index] ?? ""));
  dropFields(fields, cacheControl);
  fields.push("Cache-Control", ["private", ...kept].join(", "));
}

const explicit: ReadonlySet<string> = new Set(["public", "max-age", "s-maxage", "private"]);
const cacheControl: ReadonlySet<string> = new Set(["cache-control"]);

function joined(list: string, element: string): string {
  return list === "" ? element : `${list}, ${element}`;
}
