/**
 * Which route a request is on. PURE. A path is matched as it stands, segment by segment; encoded unreserved characters
 * match as decoded, case counts, a trailing slash counts. Only where no route matches so, other readings are looked at.
 *
 * Where several patterns match, the most specific wins, compared segment by segment from the left: a literal
 * before a parameter before a prefix's `*`. A route whose methods do not include the request's is passed over,
 * so `GET /orders/:id` and `POST /orders/*` can stand side by side; HEAD goes with GET. A parameter is never empty.
 *
 * Routes may stand in layers: only what no route of a layer takes goes on to the next. A route is passed over for the paths
 * that it excepts, too.
 */
import { canonicalSegment, type PathPattern } from "../config/values/path.ts";
import { readable, readingsOf, withoutParams } from "./spelling.ts";

interface RouteEntry<Value> {
  readonly pattern: PathPattern;
  /** Absent: every method. */
  readonly methods: readonly string[] | undefined;
  /** Paths of the pattern that are not the route's. */
  readonly except?: readonly PathPattern[] | undefined;
  readonly value: Value;
}

export interface Match<Value> {
  readonly value: Value;
  /** The path parameters' names and, at the same places, their bytes. */
  readonly names: readonly string[];
  readonly values: readonly string[];
}

/** Paths are given from the leading slash up to, without, the `?`; byte strings. */
export interface Router<Value, Met extends Value = Value> {
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
   * NUL or question mark. Only of those that are to be met: where a reading is on another route, it meets none.
   */
  mayMeet(method: string, path: string): Met | undefined;
}

interface Leaf<Value> {
  readonly methods: Set<string> | undefined;
  readonly except: Node<undefined> | undefined;
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
  return compileLayers([entries], (value): value is Value => true);
}

/** @param isMet whether a route is one that no other reading of a path may miss */
export function compileLayers<Value, Met extends Value>(
  layers: readonly (readonly RouteEntry<Value>[])[],
  isMet: (value: Value) => value is Met,
): Router<Value, Met> {
  const trees = layers.map((entries) => treeOf(entries, (text) => text));
  const asking = layers.map((entries) =>
    treeOf(
      entries.filter(({ methods }) => methods?.includes("OPTIONS")),
      (text) => text,
    ),
  );
  const anyCase = layers.map((entries) => treeOf(entries, (text) => text.toLowerCase()));
  const capitals = layers.flat().some(({ pattern }) => /[A-Z]/.test(pattern.text));
  const [only] = trees;
  const match =
    only !== undefined && trees.length === 1
      ? (method: string, path: string) => walk(only, method, path, 1, [])
      : (method: string, path: string) => walkAll(trees, method, path);
  return {
    match,
    preflight(requested, path) {
      for (const [at, tree] of trees.entries()) {
        const asked = asking[at];
        const found = (asked && walk(asked, "OPTIONS", path, 1, [])) ?? walk(tree, requested, path, 1, []);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    mayMeet(method, path) {
      // Nothing that could be read in another way.
      if (!capitals && !readable.test(path)) return metBy(match(method, path), isMet);
      for (const reading of readingsOf(path)) {
        const met = metBy(walkAll(anyCase, method, reading), isMet);
        if (met !== undefined) return met;
      }
      return undefined;
    },
  };
}

function metBy<Value, Met extends Value>(
  found: Match<Value> | undefined,
  isMet: (value: Value) => value is Met,
): Met | undefined {
  return found !== undefined && isMet(found.value) ? found.value : undefined;
}

function walkAll<Value>(
  trees: readonly Node<Value>[],
  method: string,
  path: string,
): Match<Value> | undefined {
  for (const tree of trees) {
    const found = walk(tree, method, path, 1, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

function treeOf<Value>(
  entries: readonly RouteEntry<Value>[],
  spelled: (text: string) => string,
): Node<Value> {
  const root = createNode<Value>();
  for (const { pattern, methods, except = [], value } of entries) {
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
      except: except.length === 0 ? undefined : treeOf(except.map(exception), spelled),
      names,
      plain: { value, names, values: [] },
    };
    (pattern.prefix ? node.prefix : node.exact).push(leaf);
  }
  addHead(root);
  return root;
}

function exception(pattern: PathPattern): RouteEntry<undefined> {
  return { pattern, methods: undefined, value: undefined };
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
  if (start > path.length) return accept(node.exact, method, path, values);
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
  return accept(node.prefix, method, path, values);
}

function accept<Value>(
  leaves: readonly Leaf<Value>[],
  method: string,
  path: string,
  values: readonly string[],
): Match<Value> | undefined {
  for (const { methods, except, names, plain } of leaves) {
    if (methods !== undefined && !methods.has(method)) continue;
    if (except !== undefined && walk(except, method, path, 1, []) !== undefined) continue;
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
