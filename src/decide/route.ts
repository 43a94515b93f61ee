/**
 * Which route a request is on. PURE. The bytes matched are the bytes forwarded: no decoding, no normalising,
 * case counts, a trailing slash counts.
 *
 * Where several patterns match, the most specific wins, compared segment by segment from the left: a literal
 * before a parameter before a prefix's `*`. A route whose methods do not include the request's is passed over,
 * so `GET /orders/:id` and `POST /orders/*` can stand side by side. A parameter is never empty.
 */
import type { PathPattern } from "../config/values/path.ts";

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

export interface Router<Value> {
  /** @param path from the leading slash up to, without, the `?`; a byte string */
  match(method: string, path: string): Match<Value> | undefined;
}

interface Leaf<Value> {
  readonly methods: ReadonlySet<string> | undefined;
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
        const next = node.literals.get(segment.text) ?? createNode<Value>();
        node.literals.set(segment.text, next);
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
  return { match: (method, path) => walk(root, method, path, 1, []) };
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
    const next = node.literals.get(path.slice(start, end));
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
  const [, ...segments] = path.split("/");
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
