/**
 * From a shopper's path to an upstream's and back. A path is matched as a route's is: the most specific rule counts, a
 * trailing slash and `;params` behind what matches go along, unless another rule has them. What no rule is for is the same
 * on both ways.
 *
 * No two rules meet in their `to` (config/checks/rewrite-checks.ts), so `back(there(path))` is `path` with the letters of
 * its literal segments as they are in `from`, for every path that a rule is for.
 */
import { canonicalSegment, type PathPattern } from "../../../config/values/path.ts";
import { compileRoutes, type Match, type Router } from "../../../decide/route.ts";
import { isAmbiguousPath, trimmedPath } from "../../../decide/spelling.ts";

/** Paths are given without their query; byte strings. */
export interface PathMap {
  /** @returns the upstream's path; `undefined` where no rule is for it */
  there(path: string): string | undefined;
  /** @returns the shopper's path that leads there; `undefined` where no rule makes one */
  back(path: string): string | undefined;
  /** @returns the path of a cookie, so that it comes with all requests that the upstream meant */
  cookiePath(path: string): string;
  /** Whether a rule is for the path, and what it makes of it may be read as another rule's, or as a host. */
  isUnclear(path: string): boolean;
}

/** How one pattern is written out from what another has matched. */
interface Writing {
  /** Texts with their slashes, and between them parameters, by their places among those that were matched. */
  readonly pieces: readonly (string | number)[];
  /** How many segments come before the rest that goes along; absent without one. */
  readonly depth: number | undefined;
}

interface PathRule {
  readonly from: PathPattern;
  readonly to: PathPattern;
}

/** A shop's cookies have few paths: so many are remembered. */
const mostCookiePaths = 256;

/** @param rules whose `to` do not meet, with the same parameters in `from` and `to` */
export function compilePaths(rules: readonly PathRule[]): PathMap {
  const forward = routerOf(rules);
  const backward = routerOf(rules.map(({ from, to }) => ({ from: to, to: from })));
  const there = (path: string): string | undefined => {
    const to = written(forward, path);
    if (to === undefined || to.end === "") return to?.text;
    // With its slash it may be another rule's.
    const whole = to.text + to.end;
    const from = written(backward, whole);
    return from && canonicalPath(from.text + from.end) === canonicalPath(path) ? whole : to.text;
  };
  const back = (path: string): string | undefined => {
    const found = written(backward, path);
    const from = found && found.text + found.end;
    if (from === undefined || isHostLike(from)) return undefined;
    const again = there(from);
    return again !== undefined && canonicalPath(again) === canonicalPath(path) ? from : undefined;
  };
  const cookiePath = (path: string): string => {
    const plain = withoutSlash(path);
    const found = back(plain);
    if (found !== undefined) return plain === path ? found : `${withoutSlash(found)}/`;
    const root = back(`${plain}/`);
    if (root !== undefined) return withoutSlash(root);
    return rules.some(({ to }) => isBelow(to, plain)) ? "/" : path;
  };
  const cookiePaths = new Map<string, string>();
  return {
    there,
    back,
    cookiePath(path) {
      const known = cookiePaths.get(path);
      if (known !== undefined) return known;
      const found = cookiePath(path);
      if (cookiePaths.size < mostCookiePaths) cookiePaths.set(path, found);
      return found;
    },
    isUnclear(path) {
      if (!mayBeUnclear(path)) return false;
      const to = there(path);
      return to !== undefined && (isAmbiguousPath(path) || isHostLike(to));
    },
  };
}

/** Whether a path may be unclear to any map of paths. */
export function mayBeUnclear(path: string): boolean {
  return path.includes("//") || isAmbiguousPath(path);
}

function routerOf(rules: readonly PathRule[]): Router<Writing> {
  return compileRoutes(
    rules.map(({ from, to }) => ({ pattern: from, methods: undefined, value: writingOf(from, to) })),
  );
}

function writingOf(from: PathPattern, to: PathPattern): Writing {
  const names = from.segments.flatMap((segment) => (segment.kind === "param" ? segment.name : []));
  const pieces = to.segments.flatMap((segment) =>
    segment.kind === "param" ? ["/", names.indexOf(segment.name)] : `/${segment.text}`,
  );
  return { pieces: joinedTexts(pieces), depth: from.prefix ? from.segments.length : undefined };
}

function joinedTexts(pieces: readonly (string | number)[]): (string | number)[] {
  const joined: (string | number)[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (typeof piece === "string" && typeof last === "string") joined.splice(-1, 1, last + piece);
    else joined.push(piece);
  }
  return joined;
}

/** What a path is written as; the end that it has beside what was matched is apart. */
function written(
  router: Router<Writing>,
  path: string,
): { readonly text: string; readonly end: string } | undefined {
  const found = router.match("GET", path);
  if (found !== undefined) return { text: write(found, path), end: "" };
  const trimmed = trimmedPath(path);
  const match = trimmed === path ? undefined : router.match("GET", trimmed);
  return match && { text: write(match, trimmed), end: endOf(path) };
}

function write({ value: { pieces, depth }, values }: Match<Writing>, path: string): string {
  let text = "";
  for (const piece of pieces) text += typeof piece === "string" ? piece : (values[piece] ?? "");
  if (depth === undefined) return text;
  let rest = 0;
  for (let i = 0; i < depth; i += 1) rest = path.indexOf("/", rest + 1);
  return text + path.slice(rest);
}

/** The `;params` of the last segment, and a trailing slash. */
function endOf(path: string): string {
  const isSlashed = path.endsWith("/");
  const last = path.lastIndexOf("/", path.length - (isSlashed ? 2 : 1));
  const params = path.indexOf(";", last + 1);
  return params === -1 ? (isSlashed ? "/" : "") : path.slice(params);
}

/** What a client would take for the beginning of a host (RFC 3986 §4.2; browsers read `\` so, too). */
function isHostLike(path: string): boolean {
  return path[1] === "/" || path[1] === "\\";
}

function canonicalPath(path: string): string {
  return path.includes("%") ? path.split("/").map(canonicalSegment).join("/") : path;
}

function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

/** Whether paths of the pattern lie below the path. */
function isBelow({ segments }: PathPattern, path: string): boolean {
  const above = path === "/" ? [] : path.slice(1).split("/").map(canonicalSegment);
  if (above.length > segments.length) return false;
  return above.every((text, i) => {
    const segment = segments[i];
    return segment?.kind === "param" ? text !== "" : segment?.text === text;
  });
}
