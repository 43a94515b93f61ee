/**
 * Which route a request is on. PURE. A path is matched as it stands, segment by segment; encoded unreserved characters
 * match as decoded, case counts, a trailing slash counts. Only where no route matches so, other readings are looked at.
 *
 * Where several patterns match, the most specific wins, compared segment by segment from the left: a literal
 * before a parameter before a prefix's `*`. A route whose methods do not include the request's is passed over,
 * so `GET /orders/:id` and `POST /orders/*` can stand side by side; HEAD goes with GET. A parameter is never empty.
 */
import { canonicalSegment, type PathPattern } from "../config/values/path.ts";

interface RouteEntry<Value> {
  readonly pattern: PathPattern;
  /** Absent: every method. */
  readonly methods: readonly string[] | undefined;
  readonly value: Value;
}

export interface Match<Value> {
  readonly value: Value;
  /** The path parameters' names and, at the same places, their bytes. */
  readonly names: readonly string[];
  readonly values: readonly string[];
}

/** Paths are given from the leading slash up to, without, the `?`; byte strings. */
export interface Router<Value> {
  /** The route the path is on as it stands. */
  match(method: string, path: string): Match<Value> | undefined;
  /**
   * The route of a CORS preflight: one that names OPTIONS itself, else where the request would go that it asks for.
   *
   * @param requested its Access-Control-Request-Method
   */
  preflight(requested: string, path: string): Match<Value> | undefined;
  /**
   * A route that some server behind the proxy may take the path for, as it stands or read in some other way: encoded
   * slashes, backslashes, dot segments, doubled slashes, `;params`, a trailing slash, another case, cut at an encoded
   * NUL or question mark.
   */
  mayMeet(method: string, path: string): Value | undefined;
}

interface Leaf<Value> {
  readonly methods: Set<string> | undefined;
  readonly names: readonly string[];
  /** What `match` gives for a route without parameters, made once. */
  readonly plain: Match<Value>;
}

interface Node<Value> {
  readonly literals: Map<string, Node<Value>>;
  param: Node<Value> | undefined;
  /** Routes that end here, and prefixes that begin to the right of here; in config order. */
  readonly exact: Leaf<Value>[];
  readonly prefix: Leaf<Value>[];
}

export function compileRoutes<Value>(entries: readonly RouteEntry<Value>[]): Router<Value> {
  const root = treeOf(entries, (text) => text);
  const asksForOptions = treeOf(
    entries.filter(({ methods }) => methods?.includes("OPTIONS")),
    (text) => text,
  );
  const anyCase = treeOf(entries, (text) => text.toLowerCase());
  const capitals = entries.some(({ pattern }) => /[A-Z]/.test(pattern.text));
  const match = (method: string, path: string) => walk(root, method, path, 1, []);
  return {
    match,
    preflight: (requested, path) => walk(asksForOptions, "OPTIONS", path, 1, []) ?? match(requested, path),
    mayMeet(method, path) {
      // Nothing that could be read in another way.
      if (!capitals && !readable.test(path)) return match(method, path)?.value;
      for (const reading of readingsOf(path)) {
        const found = walk(anyCase, method, reading, 1, []);
        if (found !== undefined) return found.value;
      }
      return undefined;
    },
  };
}

function treeOf<Value>(
  entries: readonly RouteEntry<Value>[],
  spelled: (text: string) => string,
): Node<Value> {
  const root = createNode<Value>();
  for (const { pattern, methods, value } of entries) {
    let node = root;
    const names: string[] = [];
    for (const segment of pattern.segments) {
      if (segment.kind === "param") {
        names.push(segment.name);
        node.param ??= createNode();
        node = node.param;
      } else {
        const text = spelled(segment.text);
        const next = node.literals.get(text) ?? createNode<Value>();
        node.literals.set(text, next);
        node = next;
      }
    }
    const leaf: Leaf<Value> = {
      methods: methods === undefined ? undefined : new Set(methods),
      names,
      plain: { value, names, values: [] },
    };
    (pattern.prefix ? node.prefix : node.exact).push(leaf);
  }
  addHead(root);
  return root;
}

/** HEAD is GET without the content (RFC 9110 §9.3.2), unless a route of the same pattern names it itself. */
function addHead<Value>({ exact, prefix, literals, param }: Node<Value>): void {
  for (const leaves of [exact, prefix]) {
    if (leaves.some(({ methods }) => methods?.has("HEAD"))) continue;
    for (const { methods } of leaves) if (methods?.has("GET")) methods.add("HEAD");
  }
  for (const next of literals.values()) addHead(next);
  if (param !== undefined) addHead(param);
}

function createNode<Value>(): Node<Value> {
  return { literals: new Map(), param: undefined, exact: [], prefix: [] };
}

/** @param start where the next segment begins; past the end when the path is used up */
function walk<Value>(
  node: Node<Value>,
  method: string,
  path: string,
  start: number,
  values: string[],
): Match<Value> | undefined {
  if (start > path.length) return accept(node.exact, method, values);
  const slash = path.indexOf("/", start);
  const end = slash === -1 ? path.length : slash;
  if (node.literals.size > 0) {
    const segment = path.slice(start, end);
    const next = node.literals.get(segment) ?? node.literals.get(canonicalSegment(segment));
    const found = next && walk(next, method, path, end + 1, values);
    if (found !== undefined) return found;
  }
  if (node.param !== undefined && end > start) {
    values.push(path.slice(start, end));
    const found = walk(node.param, method, path, end + 1, values);
    if (found !== undefined) return found;
    values.pop();
  }
  return accept(node.prefix, method, values);
}

function accept<Value>(
  leaves: readonly Leaf<Value>[],
  method: string,
  values: readonly string[],
): Match<Value> | undefined {
  for (const { methods, names, plain } of leaves) {
    if (methods !== undefined && !methods.has(method)) continue;
    return names.length === 0 ? plain : { value: plain.value, names, values: [...values] };
  }
  return undefined;
}

/** Where paths name one thing: a pattern up to and with its parameter. */
export interface NamedPlace {
  /** What comes before the parameter; `undefined` for another parameter. */
  readonly before: readonly (string | undefined)[];
  /** What other patterns have in the parameter's place. */
  readonly others: ReadonlySet<string>;
}

/** @returns the places of the parameters `names` in the patterns */
export function compilePlaces(patterns: readonly PathPattern[], names: ReadonlySet<string>): NamedPlace[] {
  const texts = patterns.map(({ segments }) =>
    segments.map((segment) => (segment.kind === "param" ? undefined : segment.text)),
  );
  return patterns.flatMap(({ segments }) =>
    segments.flatMap((segment, at) => {
      if (segment.kind !== "param" || !names.has(segment.name)) return [];
      const before = segments.slice(0, at).map((one) => (one.kind === "param" ? undefined : one.text));
      const beside = texts.filter((text) => before.every((one, i) => text.length > i && text[i] === one));
      return [{ before, others: new Set(beside.flatMap((text) => text[at] ?? [])) }];
    }),
  );
}

/** @returns the parameter's bytes where the path begins like one of the places */
export function placedIn(places: readonly NamedPlace[], path: string): string | undefined {
  const [, ...segments] = withoutParams(path).split("/").map(canonicalSegment);
  for (const { before, others } of places) {
    const found = segments[before.length];
    if (found === undefined || found === "" || others.has(found)) continue;
    if (before.every((text, i) => text === segments[i] || (text === undefined && segments[i] !== "")))
      return found;
  }
  return undefined;
}

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

function withoutParams(path: string): string {
  return path.replace(/;[^/]*/g, "");
}

/** What a path has that can be read in more than one way. */
const readable = /[A-Z%;\\]|\/[./]|.\/$/;

/** Every way in which a path may be read, each step taken and not taken; in lower case, unreserved characters plain. */
function readingsOf(path: string): Set<string> {
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
function resolvedDots(path: string): string {
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
