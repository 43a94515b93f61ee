/**
 * Reads a source (config/values/source.ts) out of a request. PURE. A value is taken as received, a byte string: no
 * percent-decoding, a cookie's surrounding double quotes dropped, the first of repeated fields; empty is absent. Keys of
 * owners are decoded: one order has one key, however a client spells it.
 */
import { firstGroup, unfinished } from "../config/values/expression.ts";
import type { Source } from "../config/values/source.ts";
import { type BodyValues, type FormBody, formField, formValue, jsonValue, percentDecoded } from "./body.ts";
import { cookieValue, isVisitor } from "./cookie.ts";
import { argumentIn, type ReadOperations } from "./when/operations.ts";

/** Its body is what was buffered of it and could be read. */
export interface RequestView extends BodyValues {
  /** Flat list, name then value, as received. */
  readonly fields: readonly string[];
  /** The names at the even places of `fields`, lower case, one a field. */
  readonly fieldNames: readonly string[];
  /** What follows the `?` of the target; empty without one. */
  readonly query: string;
  readonly paramNames: readonly string[];
  readonly paramValues: readonly string[];
  /** What it asks a GraphQL server for, where that was asked for. */
  readonly operations?: ReadOperations | undefined;
  /** Hears of a source whose expression took too many steps over the text, which then has no match. */
  readonly onUnfinished?: (source: Source) => void;
}

/** The longest text that is a key, or that an expression looks for one in; bytes. Bodies may be longer. */
export const longestText = 512;
/** @returns the value's bytes; `undefined` when the request has none, the source's expression does not match, or it counts as none */
export function readSource(source: Source, request: RequestView): string | undefined {
  const found = find(source, request);
  if (found === undefined || found === "") return undefined;
  const value = source.pattern === undefined ? found : valueIn(source, found, request);
  return value !== undefined && source.except?.has(value) ? undefined : value;
}

function valueIn(source: Source, text: string, request: RequestView): string | undefined {
  if (source.kind !== "body" && text.length > longestText) return undefined;
  return groupIn(source, text, request);
}

/**
 * A key of an owner: as `readSource`, but what stands in a path, a query or a form is taken decoded, and without the `;params` of
 * a path's segment. An expression looks at the decoded text; a text too
 * long for it is given whole, which is too long for a key, too.
 */
export function readKey(source: Source, request: RequestView): string | undefined {
  const found = findDecoded(source, request);
  if (found === undefined || found === "") return undefined;
  if (source.pattern === undefined || (source.kind !== "body" && found.length > longestText)) return found;
  return groupIn(source, found, request);
}

function groupIn(source: Source, text: string, { onUnfinished }: RequestView): string | undefined {
  const group = source.pattern && firstGroup(source.pattern, text);
  if (group !== unfinished) return group;
  onUnfinished?.(source);
  return undefined;
}

/** @returns the first of the sources' keys that is present */
export function readFirstKey(sources: readonly Source[], request: RequestView): string | undefined {
  for (const source of sources) {
    const key = readKey(source, request);
    if (key !== undefined) return key;
  }
  return undefined;
}

function findDecoded(source: Source, request: RequestView): string | undefined {
  if (source.kind === "query") return formValue(request.query, source.name);
  if (source.kind === "form") return request.form && formField(request.form, source.name);
  const found = find(source, request);
  return source.kind === "param" && found !== undefined ? segmentKey(found) : found;
}

/** What a segment of a path names. */
export function segmentKey(segment: string): string {
  const semicolon = segment.indexOf(";");
  return percentDecoded(semicolon === -1 ? segment : segment.slice(0, semicolon));
}

/** @returns the first of the sources' values that is present */
export function readFirst(sources: readonly Source[], request: RequestView): string | undefined {
  for (const source of sources) {
    const value = readSource(source, request);
    if (value !== undefined) return value;
  }
  return undefined;
}

function find(source: Source, request: RequestView): string | undefined {
  switch (source.kind) {
    case "header":
      return fieldValue(request.fields, request.fieldNames, source.name);
    case "cookie":
      return cookieValue(request.fields, request.fieldNames, source.name);
    case "visitor":
      return cookieValue(request.fields, request.fieldNames, source.name, isVisitor);
    case "query":
      return queryValue(request.query, source.name);
    case "param":
      return request.paramValues[request.paramNames.indexOf(source.name)];
    case "json":
      return request.json === undefined ? undefined : jsonValue(request.json, source.name);
    case "form":
      return request.form && rawField(request.form, source.name);
    case "graphql":
      return request.operations && argumentIn(request.operations, source.name);
    case "body":
      return request.text;
  }
}

export function fieldValue(
  fields: readonly string[],
  fieldNames: readonly string[],
  name: string,
): string | undefined {
  const index = fieldNames.indexOf(name);
  return index === -1 ? undefined : fields[2 * index + 1];
}

function queryValue(query: string, name: string): string | undefined {
  let start = 0;
  while (start < query.length) {
    const ampersand = query.indexOf("&", start);
    const end = ampersand === -1 ? query.length : ampersand;
    if (query.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return "";
      if (query[after] === "=") return query.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** A field of a form as received. */
function rawField(form: FormBody, name: string): string | undefined {
  return form.kind === "urlencoded" ? queryValue(form.text, name) : form.fields.get(name);
}
