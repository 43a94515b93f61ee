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
 *
 * Routes of one pattern may each say which of its requests they are for (config/values/when.ts): the most demanding is
 * asked first, the one that asks for nothing last. One that is not for the request is passed over like one of another
 * method. Where only a body tells, what is found is a chain: the routes that have to be asked then, in order, and at its
 * end the one that the request is on if it is on none of these.
 */
import { canonicalSegment, type PathPattern } from "../config/values/path.ts";
import { rankOf, type When } from "../config/values/when.ts";
import { readable, readingsOf, withoutParams } from "./spelling.ts";

interface RouteEntry<Value> {
  readonly pattern: PathPattern;
  /** Absent: every method. */
  readonly methods: readonly string[] | undefined;
  /** Paths of the pattern that are not the route's. */
  readonly except?: readonly PathPattern[] | undefined;
  /** Absent: every request. */
  readonly when?: When | undefined;
  readonly value: Value;
}

export interface Match<Value> {
  readonly value: Value;
  /** The path parameters' names and, at the same places, their bytes. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** What its request has yet to be asked; absent where nothing is left to be asked. */
  readonly when?: When | undefined;
  /** Where the request goes on unless that holds. */
  readonly next?: Match<Value> | undefined;
}

/** Whether what a route asks for holds; `undefined` where that is not known yet. */
export type Asks = (when: When) => boolean | undefined;

/** Paths are given from the leading slash up to, without, the `?`; byte strings. */
export interface Router<Value, Met extends Value = Value> {
  /** The route the path is on as it stands. @param asks without it nothing is known yet of any `when` */
  match(method: string, path: string, asks?: Asks): Match<Value> | undefined;
  /**
   * The route of a CORS preflight: one that names OPTIONS itself, else where the request would go that it asks for.
   *
   * @param requested its Access-Control-Request-Method
   */
  preflight(requested: string, path: string, asks?: Asks): Match<Value> | undefined;
  /**
   * A route that some server behind the proxy may take the path for, as it stands or read in some other way: encoded
   * slashes, backslashes, dot segments, doubled slashes, `;params`, a trailing slash, another case, cut at an encoded
   * NUL or question mark. Only of those that are to be met: where a reading is on another route, it meets none.
   */
  mayMeet(method: string, path: string, asks?: Asks): Met | undefined;
}

interface Leaf<Value> {
  readonly methods: Set<string> | undefined;
  readonly except: Node<undefined> | undefined;
  readonly when: When | undefined;
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

/** What is asked on the way, and the routes of which that is not known yet. */
interface Asking<Value> {
  readonly asks: Asks;
  readonly open: Match<Value>[];
}

const nothingKnown: Asks = () => undefined;

/** @param isMet whether a route is one that no other reading of a path may miss */
export function compileLayers<Value, Met extends Value>(
  layers: readonly (readonly RouteEntry<Value>[])[],
  isMet: (value: Value) => value is Met,
): Router<Value, Met> {
  const ordered = layers.map((entries) =>
    [...entries].sort((one, other) => rankOf(other.when) - rankOf(one.when)),
  );
  const asksMore = layers.flat().some(({ when }) => when !== undefined);
  const trees = ordered.map((entries) => treeOf(entries, (text) => text));
  const forOptions = ordered.map((entries) =>
    treeOf(
      entries.filter(({ methods }) => methods?.includes("OPTIONS")),
      (text) => text,
    ),
  );
  const anyCase = ordered.map((entries) => treeOf(entries, (text) => text.toLowerCase()));
  const capitals = layers.flat().some(({ pattern }) => /[A-Z]/.test(pattern.text));
  const [only] = trees;
  const askingBy = (asks: Asks): Asking<Value> | undefined => (asksMore ? { asks, open: [] } : undefined);
  const match =
    only !== undefined && trees.length === 1 && !asksMore
      ? (method: string, path: string) => walk(only, method, path, 1, [], undefined)
      : (method: string, path: string, asks = nothingKnown) => walkAll(trees, method, path, askingBy(asks));
  return {
    match,
    preflight(requested, path, asks = nothingKnown) {
      const asking = askingBy(asks);
      for (const [at, tree] of trees.entries()) {
        const own = forOptions[at];
        const found =
          (own && walk(own, "OPTIONS", path, 1, [], asking)) ?? walk(tree, requested, path, 1, [], asking);
        if (found !== undefined) return chained(asking, found);
      }
      return chained(asking, undefined);
    },
    mayMeet(method, path, asks = nothingKnown) {
      // Nothing that could be read in another way.
      if (!capitals && !readable.test(path)) return metBy(match(method, path, asks), isMet);
      for (const reading of readingsOf(path)) {
        const met = metBy(walkAll(anyCase, method, reading, askingBy(asks)), isMet);
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
  asking: Asking<Value> | undefined,
): Match<Value> | undefined {
  for (const tree of trees) {
    const found = walk(tree, method, path, 1, [], asking);
    if (found !== undefined) return chained(asking, found);
  }
  return chained(asking, undefined);
}

function chained<Value>(
  asking: Asking<Value> | undefined,
  found: Match<Value> | undefined,
): Match<Value> | undefined {
  if (asking === undefined || asking.open.length === 0) return found;
  return asking.open.reduceRight<typeof found>((next, match) => ({ ...match, next }), found);
}

function treeOf<Value>(
  entries: readonly RouteEntry<Value>[],
  spelled: (text: string) => string,
): Node<Value> {
  const root = createNode<Value>();
  for (const { pattern, methods, except = [], when, value } of entries) {
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
      when,
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
  asking: Asking<Value> | undefined,
): Match<Value> | undefined {
  if (start > path.length) return accept(node.exact, method, path, values, asking);
  const slash = path.indexOf("/", start);
  const end = slash === -1 ? path.length : slash;
  if (node.literals.size > 0) {
    const segment = path.slice(start, end);
    const next = node.literals.get(segment) ?? node.literals.get(canonicalSegment(segment));
    const found = next && walk(next, method, path, end + 1, values, asking);
    if (found !== undefined) return found;
  }
  if (node.param !== undefined && end > start) {
    values.push(path.slice(start, end));
    const found = walk(node.param, method, path, end + 1, values, asking);
    if (found !== undefined) return found;
    values.pop();
  }
  return accept(node.prefix, method, path, values, asking);
}

function accept<Value>(
  leaves: readonly Leaf<Value>[],
  method: string,
  path: string,
  values: readonly string[],
  asking: Asking<Value> | undefined,
): Match<Value> | undefined {
  for (const { methods, except, when, names, plain } of leaves) {
    if (methods !== undefined && !methods.has(method)) continue;
    if (except !== undefined && walk(except, method, path, 1, [], undefined) !== undefined) continue;
    const isFor = when === undefined ? true : asking?.asks(when);
    if (isFor === false) continue;
    const found = names.length === 0 ? plain : { value: plain.value, names, values: [...values] };
    if (isFor === true) return found;
    asking?.open.push({ ...found, when });
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
