/**
 * Fields from one hop to the next (RFC 9110 §7.6): what belongs to a connection stays behind, what tells of the
 * way is added. Framing is never copied; who sends, frames.
 */
import { withoutCookies } from "../decide/cookie.ts";

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

/** What `Connection` may not strip: a peer could else hide who it is from the upstream (CVE-2026-33805). */
const protectedFields: ReadonlySet<string> = new Set(["host", "cookie", "authorization", "expect"]);

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
    const value = fields[2 * i + 1] ?? "";
    if (/^(?:keep-alive|close)$/i.test(value)) continue;
    found ??= new Set();
    for (const token of value.split(",")) {
      const name = token.trim().toLowerCase();
      if (!protectedFields.has(name) && !alsoProtected.has(name)) found.add(name);
    }
  }
  return found;
}

export interface ForwardedIdentity {
  readonly peerAddress: string;
  readonly peerIsTrusted: boolean;
  readonly encrypted: boolean;
  /** The authority the request is for: absolute form's or Host. */
  readonly host: string;
  /** This proxy's name in Via. */
  readonly proxyName: string;
  readonly version: string;
  readonly requestId: string;
  readonly traceparent: string;
}

/** The request's end-to-end fields, without framing, with those that tell of the way here. */
export function requestFields(
  fields: readonly string[],
  names: readonly string[],
  identity: ForwardedIdentity,
  journeyCookies: readonly string[],
  alsoProtected: ReadonlySet<string>,
): string[] {
  const dropped = nominated(fields, names, alsoProtected);
  const { peerIsTrusted } = identity;
  const out: string[] = ["Host", identity.host];
  let forwardedFor = "";
  let forwardedProto = "";
  let forwardedHost = "";
  let forwarded = "";
  let via = "";
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
        const kept = withoutCookies(value, journeyCookies);
        if (kept !== "") out.push(fields[2 * i] ?? "", kept);
        continue;
      }
    }
    if (connectionFields.has(name) || dropped?.has(name)) continue;
    if (!peerIsTrusted && name.startsWith("x-forwarded-")) continue;
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
    "Via",
    joined(via, `${identity.version} ${identity.proxyName}`),
    "X-Request-Id",
    identity.requestId,
    "traceparent",
    identity.traceparent,
  );
  return out;
}

/** RFC 7239 §4; an IPv6 address is bracketed and quoted (§6.1), as is a host with a port. */
function forwardedElement(address: string, host: string, proto: string): string {
  const node = address.includes(":") ? `"[${address}]"` : address;
  return `for=${node};host="${host.replaceAll(/[\\"]/g, "\\$&")}";proto=${proto}`;
}

/** The response's end-to-end fields, without framing. */
export function responseFields(
  fields: readonly string[],
  names: readonly string[],
  proxyName: string,
  none: ReadonlySet<string>,
): string[] {
  const dropped = nominated(fields, names, none);
  const out: string[] = [];
  let via = "";
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i] ?? "";
    if (connectionFields.has(name) || dropped?.has(name)) continue;
    const value = fields[2 * i + 1] ?? "";
    if (name === "via") via = joined(via, value);
    else out.push(fields[2 * i] ?? "", value);
  }
  out.push("Via", joined(via, `1.1 ${proxyName}`));
  return out;
}

function joined(list: string, element: string): string {
  return list === "" ? element : `${list}, ${element}`;
}
