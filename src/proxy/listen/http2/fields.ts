/** The fields of an answer as node:http2 takes them: by name, and none that HTTP/2 forbids. */
import type { OutgoingHttpHeaders } from "node:http2";

/** What an answer of HTTP/1.1 may carry and one of HTTP/2 must not (RFC 9113 §8.2.2). */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Fields node:http2 refuses to send twice: their values go as one list, which means the same (RFC 9110 §5.2). */
const singleFields: ReadonlySet<string> = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-encoding",
  "content-language",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "tk",
  "upgrade-insecure-requests",
  "user-agent",
  "x-content-type-options",
]);

/** The prototype of fields by name: without one V8 makes a hash table of an object, which costs twice as much. */
const nothingNamed: object = Object.freeze(Object.create(null));

/** RFC 9110 §5.5: HTAB, SP, VCHAR, obs-text; nghttp2 writes anything. */
const uncleanValue = /[^\t\x20-\x7e\x80-\xff]/;

/** @throws TypeError where a value cannot stand in a field */
export function headersOf(status: number, fields: readonly string[]): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(nothingNamed);
  headers[":status"] = status;
  return addFields(headers, fields);
}

/** @throws TypeError as of `headersOf` */
export function trailersOf(fields: readonly string[]): OutgoingHttpHeaders {
  return addFields(Object.create(nothingNamed), fields);
}

function addFields(headers: OutgoingHttpHeaders, fields: readonly string[]): OutgoingHttpHeaders {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? "").toLowerCase();
    const value = fields[i + 1] ?? "";
    if (connectionFields.has(name) || name.startsWith(":")) continue;
    if (uncleanValue.test(value)) throw new TypeError("a control character in a field");
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (singleFields.has(name)) headers[name] = `${before}, ${value}`;
    else headers[name] = [before, value].flat().map(String);
  }
  return headers;
}
