/**
 * A cookie that an upstream sets, as its shopper's browser will keep it and send it along: for the shopper's host, on the
 * paths that shoppers see, and not Secure where shoppers have no TLS. Its name and value are not touched.
 */
import type { PathMap } from "./paths.ts";
import { authorityParts, type Here, type OwnAddress } from "./references.ts";

interface Attribute {
  /** As it was received, without the semicolon before it. */
  readonly text: string;
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

/** @param keepsSecure whether the shopper has TLS, or may have */
export function cookieBack(
  own: OwnAddress,
  paths: PathMap | undefined,
  cookie: string,
  here: Here,
  keepsSecure: boolean,
): string {
  const [pair = "", ...texts] = cookie.split(";");
  const attributes = texts.map(attributeOf);
  const isHostOnly = /^\s*__Host-/i.test(pair);
  const dropsSecure =
    !keepsSecure &&
    !/^\s*__(?:Host|Secure|Http)-/i.test(pair) &&
    attributes.some(({ name }) => name === "secure");
  const texted = attributes.flatMap(({ text, name, value }): string[] => {
    switch (name) {
      case "domain":
        return isForeign(own, value, here.host) ? [] : [text];
      case "path": {
        const back =
          paths === undefined || isHostOnly || !value.startsWith("/") ? value : paths.cookiePath(value);
        return [back === value ? text : ` Path=${back}`];
      }
      case "secure":
      case "partitioned":
        return dropsSecure ? [] : [text];
      case "samesite":
        // Browsers drop it without Secure.
        return [dropsSecure && /^none$/i.test(value) ? " SameSite=Lax" : text];
      default:
        return [text];
    }
  });
  const path =
    isHostOnly || attributes.some(({ name, value }) => name === "path" && value.startsWith("/"))
      ? undefined
      : impliedPath(paths, here);
  return [pair, ...texted, ...(path === undefined ? [] : [` Path=${path}`])].join(";");
}

function attributeOf(text: string): Attribute {
  const equals = text.indexOf("=");
  const name = (equals === -1 ? text : text.slice(0, equals)).trim().toLowerCase();
  return { text, name, value: equals === -1 ? "" : text.slice(equals + 1).trim() };
}

/** Whether it is for the upstream's own name, and no browser would keep it from the shopper's. */
function isForeign(own: OwnAddress, domain: string, host: string): boolean {
  const wide = domain.replace(/^\./, "").toLowerCase();
  const covers = (name: string) => name === wide || name.endsWith(`.${wide}`);
  return wide !== "" && !covers(authorityParts(host)?.name ?? "") && own.names.some(covers);
}

/** @returns the path that a cookie without one is meant for (RFC 6265 §5.1.4), where browsers would take another */
function impliedPath(paths: PathMap | undefined, { path, upstreamPath }: Here): string | undefined {
  if (paths === undefined || path === upstreamPath) return undefined;
  const meant = paths.cookiePath(folderOf(upstreamPath));
  return meant === folderOf(path) ? undefined : meant;
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}
