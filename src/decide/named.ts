/**
 * Whether a request names a key itself, by whatever reading of it: what it names is never learned from its answer. PURE.
 *
 * Whoever wants an order of somebody else's to be this side's may name it where this proxy does not look for it and the
 * upstream does: in a member that stands twice, of which servers take the first or the last; in another case (RFC 8259 says
 * nothing of it); in the query instead of the body; in JSON that is none by the letter. So all values under the
 * names that an order's key has anywhere in the configuration count, wherever they are in the request, and each
 * text in a body that could not be read. So does each value, of whatever name, that is the URL of an order's page, and the
 * page before (Referer): an upstream that is told where to go on to, or goes back, says so in its Location.
 */
import { firstGroup, unfinished } from "../config/values/expression.ts";
import type { Source } from "../config/values/source.ts";
import { formDecoded, skipSpace, skipString } from "./body.ts";
import { bytesOf } from "./bucket.ts";
import { type NamedPlace, placedIn } from "./route.ts";
import { longestText, type RequestView, readKey, segmentKey } from "./sources.ts";

/** Where the keys of orders are, in requests and in answers. */
export interface Naming {
  readonly sources: readonly Source[];
  /** Of fields of forms, of parameters and of the last member of a pointer; lower case. */
  readonly names: ReadonlySet<string>;
  /** Where the path of an order's page names it. */
  readonly places: readonly NamedPlace[];
}

interface NamingOwner {
  readonly key: readonly Source[];
  readonly learn: readonly Source[] | undefined;
  readonly places: readonly NamedPlace[];
}

/** @param owners those without `learn` name the request, and no order */
export function compileNaming(owners: readonly NamingOwner[]): Naming {
  const learned = owners.filter(({ learn }) => learn !== undefined);
  const sources = learned.flatMap(({ key, learn = [] }) => [...key, ...learn]);
  const names = sources.flatMap((source) => nameOf(source) ?? []);
  return { sources, names: new Set(names), places: learned.flatMap(({ places }) => places) };
}

function nameOf({ kind, name }: Source): string | undefined {
  if (kind === "json" || kind === "graphql") return lastToken(name).toLowerCase();
  return kind === "form" || kind === "query" || kind === "param" ? name.toLowerCase() : undefined;
}

function lastToken(pointer: string): string {
  const token = pointer.slice(pointer.lastIndexOf("/") + 1);
  return token.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Keys as byte strings. */
export interface NamedKeys {
  has(key: string): boolean;
}

/**
 * Looks only when it is asked.
 *
 * @param unread the bytes of a body that could not be read at all, as far as it was buffered
 */
export function keysNamedIn(naming: Naming, request: RequestView, unread: string | undefined): NamedKeys {
  const { json, form } = request;
  const text = request.text ?? unread ?? "";
  // Of a multipart body each part may be the one that is meant.
  const isSearchedWhole = json === undefined && form?.kind !== "urlencoded";
  let named: ReadonlySet<string> | undefined;
  return {
    has(key) {
      named ??= new Set(valuesIn(naming, request, text));
      return named.has(key) || (isSearchedWhole && readingsOfText(text).some((one) => one.includes(key)));
    },
  };
}

/** As it is, percent-decoded, and without what UTF-16 puts between. */
function readingsOfText(text: string): readonly string[] {
  return [text, formDecoded(text), text.replaceAll("\0", "")];
}

function* valuesIn({ sources, names, places }: Naming, request: RequestView, text: string): Iterable<string> {
  const { fields, fieldNames, query, form } = request;
  for (const source of sources) {
    const key = readKey(source, request);
    if (key !== undefined) yield key;
  }
  for (const [i, name] of fieldNames.entries()) {
    const value = fields[2 * i + 1] ?? "";
    if (name === "referer") yield* pagesIn(places, value);
    const own = sources.filter((source) => source.kind === "header" && source.name === name);
    if (own.length > 0) yield* readingsOf(value, own);
  }
  const pairs = [...pairsOf(query), ...(form?.kind === "urlencoded" ? pairsOf(form.text) : [])];
  for (const [name, value] of [...pairs, ...membersOf(text)]) {
    yield* pagesIn(places, value);
    const own = name.toLowerCase();
    if (own === "query") yield* literalsIn(value);
    if (!names.has(own)) continue;
    yield* readingsOf(
      value,
      sources.filter((source) => nameOf(source) === own),
    );
  }
}

/** Texts and numbers that stand in a GraphQL document, whatever they are given to. */
function* literalsIn(document: string): Iterable<string> {
  for (const [token] of document.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/gs)) yield unquoted(token);
}

/** The order whose page the URL is of: absolute, or a path. */
function* pagesIn(places: readonly NamedPlace[], url: string): Iterable<string> {
  if (!url.includes("/")) return;
  const path = /^(?:(?:[a-z][a-z\d+.-]*:)?\/\/[^/?#]*)?\/?([^?#]*)/i.exec(url)?.[1];
  const segment = path && placedIn(places, `/${path}`);
  if (segment) yield segmentKey(segment);
}

function* readingsOf(value: string, sources: readonly Source[]): Iterable<string> {
  yield value;
  if (value.length > longestText) return;
  for (const { pattern } of sources) {
    const group = pattern && firstGroup(pattern, value);
    if (group !== undefined && group !== unfinished) yield group;
  }
}

function* pairsOf(text: string): Iterable<readonly [string, string]> {
  if (text === "") return;
  for (const pair of text.split("&")) {
    const equals = pair.indexOf("=");
    if (equals !== -1) yield [formDecoded(pair.slice(0, equals)), formDecoded(pair.slice(equals + 1))];
  }
}

const number = /-?\d[\d.eE+-]*/y;

/** Each member of any object in the text whose value is a string or a number, in linear time. @param bytes UTF-8 */
function* membersOf(bytes: string): Iterable<readonly [string, string]> {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
    const end = skipString(text, at);
    if (end <= at) return;
    const colon = skipSpace(text, end);
    const from = skipSpace(text, colon + 1);
    const value = text[colon] === ":" ? scalarAt(text, from) : undefined;
    if (value !== undefined) yield [unquoted(text.slice(at, end)), bytesOf(unquoted(value))];
    at = value === undefined ? end : from + value.length;
  }
}

function scalarAt(text: string, from: number): string | undefined {
  number.lastIndex = from;
  if (text[from] !== '"') return number.exec(text)?.[0];
  const end = skipString(text, from);
  return end <= from ? undefined : text.slice(from, end);
}

function unquoted(token: string): string {
  if (!token.startsWith('"')) return token;
  try {
    return String(JSON.parse(token));
  } catch {
    return token.slice(1, -1);
  }
}
