/**
 * The other ways in which a path may be read: by every server (a trailing slash, `;params`), and by some behind the proxy.
 * PURE.
 */
import { canonicalSegment } from "../config/values/path.ts";

/**
 * Whether servers behind the proxy may read the path as another one: dot segments (RFC 3986 §5.2.4), encoded
 * slashes, dots or backslashes, raw backslashes. Such a path could be routed here by one rule and served there
 * by another.
 */
export function isAmbiguousPath(path: string): boolean {
  return ambiguous.test(path);
}

const ambiguous = /\\|%2f|%5c|\/(?:\.|%2e){1,2}(?:\/|;|$)/i;

/** @returns the path without a trailing slash and the `;params` of its segments, as far as it has them; else itself */
export function trimmedPath(path: string): string {
  const plain = path.includes(";") ? withoutParams(path) : path;
  return plain.length > 1 && plain.endsWith("/") ? plain.slice(0, -1) : plain;
}

export function withoutParams(path: string): string {
  return path.replace(/;[^/]*/g, "");
}

/** What a path has that can be read in more than one way. */
export const readable = /[A-Z%;\\]|\/[./]|.\/$/;

/** Every way in which a path may be read, each step taken and not taken; in lower case, unreserved characters plain. */
export function readingsOf(path: string): Set<string> {
  const canonical = path.split("/").map(canonicalSegment).join("/").toLowerCase();
  let readings = new Set([canonical]);
  for (const step of steps) {
    const more = new Set(readings);
    for (const reading of readings) more.add(step(reading));
    readings = more;
  }
  return readings;
}

/** In the order in which servers take them; doubled slashes are merged before dot segments go, and after. */
const steps: readonly ((path: string) => string)[] = [
  (path) => path.replace(/(?:%00|%3f|%23).*$/s, ""),
  (path) => path.replaceAll("%2f", "/"),
  (path) => path.replace(/\\|%5c/g, "/"),
  withoutParams,
  mergedSlashes,
  resolvedDots,
  mergedSlashes,
  (path) => (path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path),
];

function mergedSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

/** RFC 3986 §5.2.4. */
export function resolvedDots(path: string): string {
  if (!/\/\.{1,2}(?:\/|$)/.test(path)) return path;
  const kept: string[] = [];
  const segments = path.slice(1).split("/");
  for (const [index, segment] of segments.entries()) {
    const isDots = segment === "." || segment === "..";
    if (segment === "..") kept.pop();
    if (!isDots) kept.push(segment);
    else if (index === segments.length - 1) kept.push("");
  }
  return `/${kept.join("/")}`;
}
