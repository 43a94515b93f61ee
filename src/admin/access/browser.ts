/**
 * What a web page in an operator's browser must not be able to do.
 *
 *   - Cross-site writes: a page may POST here without asking first when it sends no JSON. A request that changes
 *     state and says it comes from another origin is refused (Fetch §3.1, `Sec-Fetch-Site`). Programs that are no
 *     browsers send neither field.
 *   - DNS rebinding: a hostile name that resolves to 127.0.0.1 makes this listener that page's own origin. Without
 *     tokens only the names of loopback itself are answered.
 */
import type { IncomingHttpHeaders } from "node:http";
import { Refused } from "../problem.ts";
import { isLoopbackHost } from "./tokens.ts";

/** What changes nothing (RFC 9110 §9.2.1). */
export const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
const ownSites: ReadonlySet<string> = new Set(["same-origin", "none"]);

/** @throws Refused `forbidden` */
export function refuseForeignPages(
  request: { readonly method: string; readonly headers: IncomingHttpHeaders },
  loopbackOnly: boolean,
): void {
  const { method, headers } = request;
  // A program that speaks HTTP/1.0 may name no host; a browser always does.
  if (loopbackOnly && headers.host !== undefined && !isLoopbackHost(hostname(headers.host))) {
    throw new Refused(
      "forbidden",
      "without tokens this listener is addressed as localhost or 127.0.0.1 only",
    );
  }
  if (safeMethods.has(method)) return;
  const site = headers["sec-fetch-site"];
  const foreign =
    (headers.origin !== undefined && !isOwnOrigin(headers.origin, headers.host)) ||
    (site !== undefined && (typeof site !== "string" || !ownSites.has(site)));
  if (foreign) throw new Refused("forbidden", "a web page of another origin may change nothing here");
}

/** An opaque origin (`null`) is nobody's own. */
function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

function hostname(host: string): string {
  return host.replace(/:\d+$/, "");
}
