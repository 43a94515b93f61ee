/**
 * Reads a source (config/values/source.ts) out of a request. PURE. A value is taken as received, a byte string: no
 * percent-decoding, a cookie's surrounding double quotes dropped, the first of repeated fields; empty is absent.
 */
import type { Source } from "../config/values/source.ts";
import { cookieValue } from "./cookie.ts";
import { type JsonBody, jsonValue } from "./json.ts";

export interface RequestView {
  /** Flat list, name then value, as received. */
  readonly fields: readonly string[];
  /** The names at the even places of `fields`, lower case, one a field. */
  readonly fieldNames: readonly string[];
  /** What follows the `?` of the target; empty without one. */
  readonly query: string;
  readonly paramNames: readonly string[];
  readonly paramValues: readonly string[];
  /** The body, where one was buffered and is JSON. */
  readonly json: JsonBody | undefined;
}

/** @returns the value's bytes; `undefined` when the request has none or the source's expression does not match */
export function readSource(source: Source, request: RequestView): string | undefined {
  const found = find(source, request);
  if (found === undefined || found === "") return undefined;
  if (source.pattern === undefined) return found;
  return source.pattern.exec(found)?.[1] || undefined;
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
    case "query":
      return queryValue(request.query, source.name);
    case "param":
      return request.paramValues[request.paramNames.indexOf(source.name)];
    case "json":
      return request.json === undefined ? undefined : jsonValue(request.json, source.name);
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
