/**
 * A cookie that an upstream sets, as its shopper's browser will keep it and send it along: for the shopper's host, on the
 * paths that shoppers see, and not Secure where shoppers have no TLS. Its name and value are not touched.
 */
import type { PathMap } from "./paths.ts";
import { authorityParts, type Here, type OwnAddress } from "./references.ts";

/** Lengths of the attributes' names that are looked at. */
const lookedAt: readonly boolean[] = ["domain", "path", "secure", "partitioned", "samesite"].reduce<
  boolean[]
>((lengths, name) => {
  lengths[name.length] = true;
  return lengths;
}, []);

/** @param keepsSecure whether the shopper has TLS, or may have; asked where it matters */
export function cookieBack(
  own: OwnAddress,
  paths: PathMap | undefined,
  cookie: string,
  here: Here,
  keepsSecure: () => boolean,
): string {
  const first = cookie.indexOf(";");
  const isHostOnly = /^\s*__Host-/i.test(cookie);
  const dropsSecure =
    /;\s*secure\s*(?:;|$)/i.test(cookie) && !/^\s*__(?:Host|Secure|Http)-/i.test(cookie) && !keepsSecure();
  let text = first === -1 ? cookie : cookie.slice(0, first);
  let hasPath = isHostOnly || paths === undefined;
  for (let at = first; at !== -1; ) {
    const next = cookie.indexOf(";", at + 1);
    const attribute = cookie.slice(at + 1, next === -1 ? cookie.length : next);
    at = next;
    const equals = attribute.indexOf("=");
    const written = (equals === -1 ? attribute : attribute.slice(0, equals)).trim();
    const name = lookedAt[written.length] === true ? written.toLowerCase() : "";
    const value = equals === -1 ? "" : attribute.slice(equals + 1).trim();
    let kept: string | undefined = attribute;
    if (name === "domain") kept = isForeign(own, value, here.host) ? undefined : attribute;
    else if (name === "path" && value.startsWith("/")) {
      const back = isHostOnly ? value : (paths?.cookiePath(value) ?? value);
      if (back !== value) kept = ` Path=${back}`;
      hasPath = true;
    } else if (dropsSecure && (name === "secure" || name === "partitioned")) kept = undefined;
    // Browsers drop it without Secure.
    else if (dropsSecure && name === "samesite" && /^none$/i.test(value)) kept = " SameSite=Lax";
    if (kept !== undefined) text += `;${kept}`;
  }
  const path = hasPath ? undefined : impliedPath(paths, here);
  return path === undefined ? text : `${text}; Path=${path}`;
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
