/**
 * Addresses in an answer, as its shopper may follow them: what leads to the upstream, under any of the names and ports that
 * it may know itself by, leads to the shopper's own origin, and a path that a rule has made to the path that it was made
 * of. Everything else goes on as it is.
 */
import { resolvedDots } from "../../../decide/spelling.ts";
import type { PathMap } from "./paths.ts";

/** An upstream as it may name itself. */
export interface OwnAddress {
  /** Lower case. */
  readonly names: readonly string[];
  readonly ports: readonly string[];
}

/** Where a request was meant for, and where it went. */
export interface Here {
  readonly scheme: "http" | "https";
  /** The shopper's authority; empty where it is not known. */
  readonly host: string;
  /** Without query, as are those of the upstream. */
  readonly path: string;
  readonly upstreamPath: string;
}

const schemePorts: readonly string[] = ["", "80", "443"];

/** @param authorities of its URL, and of the Host that it is asked for where that is not the shopper's */
export function ownAddress(authorities: readonly string[]): OwnAddress {
  const parts = authorities.flatMap((authority) => authorityParts(authority) ?? []);
  return {
    names: parts.map(({ name }) => name),
    ports: [...schemePorts, ...parts.map(({ port }) => port)],
  };
}

/** @returns `undefined` with user information, which is no part of an address that a shopper may be led to */
export function authorityParts(
  authority: string,
): { readonly name: string; readonly port: string } | undefined {
  const [, name, port] = /^(\[[^\]@]*\]|[^:@]+)(?::(\d*))?$/.exec(authority) ?? [];
  return name === undefined ? undefined : { name: name.toLowerCase(), port: port ?? "" };
}

/** RFC 3986, appendix B, as far as it matters here; a backslash is one to nobody alike. */
const form = /^(?:([a-z][a-z\d+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/is;

/** What clients take out of an address, or read in ways of their own. Spaces within one they encode. */
const unclear = /[^ -[\]-~\x80-\xff]|^ | $/;

/** @returns the reference as it goes on */
export function referenceBack(
  own: OwnAddress,
  paths: PathMap | undefined,
  reference: string,
  here: Here,
): string {
  if (unclear.test(reference)) return reference;
  const [, scheme, authority, path = "", rest = ""] = form.exec(reference) ?? [];
  if (authority !== undefined)
    return originBack(own, paths, { scheme, authority, path, rest }, reference, here);
  if (scheme !== undefined || path === "" || paths === undefined) return reference;
  if (path.startsWith("/")) return `${paths.back(path) ?? path}${rest}`;
  const meant = besides(here.upstreamPath, path);
  const back = paths.back(meant) ?? meant;
  return back === besides(here.path, path) || back.startsWith("//") ? reference : `${back}${rest}`;
}

interface Absolute {
  readonly scheme: string | undefined;
  readonly authority: string;
  readonly path: string;
  readonly rest: string;
}

function originBack(
  own: OwnAddress,
  paths: PathMap | undefined,
  { scheme, authority, path, rest }: Absolute,
  reference: string,
  here: Here,
): string {
  const isWeb = scheme === undefined || /^https?$/i.test(scheme);
  const parts = authorityParts(authority);
  const shopper = authorityParts(here.host);
  if (!isWeb || parts === undefined || shopper === undefined) return reference;
  const { name, port } = parts;
  const isShoppers = name === shopper.name;
  if (!isShoppers && !own.names.includes(name)) return reference;
  if (!own.ports.includes(port) && port !== shopper.port) return reference;
  // A shop that knows its shopper's name and asks for TLS means it.
  const asksForTls =
    isShoppers && scheme?.toLowerCase() === "https" && (port === "" || port === shopper.port);
  const to = asksForTls ? { scheme: "https", host: authority } : here;
  const back = path === "" ? "" : (paths?.back(path) ?? path);
  const isSame = to.host === authority && back === path && (scheme === undefined || scheme === to.scheme);
  return isSame ? reference : `${scheme === undefined ? "" : `${to.scheme}:`}//${to.host}${back}${rest}`;
}

/** @returns the path that a relative one leads to from another (RFC 3986 §5.2.3) */
function besides(path: string, relative: string): string {
  return resolvedDots(`${path.slice(0, path.lastIndexOf("/") + 1)}${relative}`);
}

/** A quoted text, which may hold anything, or a target (RFC 8288 §3). */
const linkPart = /"(?:\\.|[^"\\])*"|<([^<>]*)>/gs;

/** @param back what becomes of one reference */
export function linkBack(link: string, back: (reference: string) => string): string {
  return link.replace(linkPart, (whole: string, target: string | undefined) =>
    target === undefined ? whole : `<${back(target)}>`,
  );
}

/** `5; url=/done`, with quotes or without, as the HTML standard reads it. */
const refreshForm = /^([\s\d.]*[;,\s]\s*(?:url\s*=\s*)?)(["']?)([^"']*)(.*)$/is;

export function refreshBack(refresh: string, back: (reference: string) => string): string {
  const [, before, quote = "", target, after = ""] = refreshForm.exec(refresh) ?? [];
  if (before === undefined || target === undefined || target === "") return refresh;
  const plain = quote === "" ? target.trimEnd() : target;
  return `${before}${quote}${back(plain)}${target.slice(plain.length)}${after}`;
}
