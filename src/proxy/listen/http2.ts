/**
 * node:http2 as a transport: one stream of a session as the exchange's Inbound (RFC 9113 §8).
 *
 * nghttp2 has refused what is malformed there: fields of a connection, upper-case names, pseudo-fields missing, unknown,
 * twice or out of place, a body of another length than declared. What is left of HTTP/1.1's duties is done here.
 */
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Answer, Gone, Inbound, Peer, RequestFraming, RequestHead } from "../inbound.ts";
import { awaitReader } from "./lost-peer.ts";

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

/** RFC 9110 §5.5: HTAB, SP, VCHAR, obs-text; nghttp2 writes anything. */
const uncleanValue = /[^\t\x20-\x7e\x80-\xff]/;

interface StreamOptions {
  readonly peer: Peer;
  /** The stream is over. @param left whether the client gave up before its answer was whole, or made it fail */
  readonly onClosed: (left: boolean) => void;
}

/** @param raw flat list of all fields, pseudo-fields included, in the order of the wire; byte strings */
export function inboundOfStream(
  stream: ServerHttp2Stream,
  raw: readonly string[],
  { peer, onClosed }: StreamOptions,
): Inbound {
  const { head, expectation } = headOf(raw, stream.endAfterHeaders, peer);
  // Node reports a reset as an error; what it means for the exchange is told by `onGone`.
  stream.on("error", () => {});
  if (expectation && head.framing.kind !== "none") {
    // Asked for when the body begins to be read (RFC 9110 §10.1.1).
    stream.once("resume", () => {
      if (!stream.headersSent && !stream.closed) stream.additionalHeaders({ ":status": 100 });
    });
  }
  return { head, body: stream, answer: answerOf(stream, head.method === "HEAD", onClosed) };
}

function headOf(raw: readonly string[], isWhole: boolean, peer: Peer) {
  const fields: string[] = [];
  let method = "";
  let path: string | undefined;
  let authority: string | undefined;
  let host: string | undefined;
  let cookie = "";
  let length: string | undefined;
  let expectation = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const value = raw[i + 1] ?? "";
    switch (name) {
      case ":method":
        method = value;
        break;
      case ":path":
        path = value;
        break;
      case ":authority":
        authority = value;
        break;
      case ":scheme":
        break;
      case "host":
        // A second one, or another than :authority (RFC 9113 §8.3.1), stays, and is refused as two of HTTP/1.1.
        if (host === undefined) host = value;
        else fields.push(name, value);
        break;
      case "cookie":
        // Crumbs are one field again (RFC 9113 §8.2.3).
        cookie = cookie === "" ? value : `${cookie}; ${value}`;
        break;
      case "te":
        break;
      case "content-length":
        length = value;
        fields.push(name, value);
        break;
      case "expect":
        expectation = true;
        fields.push(name, value);
        break;
      default:
        fields.push(name, value);
    }
  }
  if (cookie !== "") fields.push("cookie", cookie);
  if (authority !== undefined && host !== undefined && authority !== host) fields.push("host", host);
  const named = authority ?? host;
  const head: RequestHead = {
    method,
    // CONNECT has no path; it is refused by its method.
    target: path ?? "/",
    fields: named === undefined ? fields : ["host", named, ...fields],
    version: "2",
    framing: framingOf(length, isWhole),
    peer,
  };
  return { head, expectation };
}

function framingOf(length: string | undefined, isWhole: boolean): RequestFraming {
  if (length !== undefined) return { kind: "sized", length: Number(length) };
  return isWhole ? { kind: "none" } : { kind: "chunked" };
}

function answerOf(stream: ServerHttp2Stream, isHead: boolean, onClosed: StreamOptions["onClosed"]): Answer {
  /** Whether all of the answer was given, or this side broke it off. */
  let ended = false;
  let bodiless = false;
  let awaitsTrailers = false;
  let gone: ((why: Gone) => void) | undefined;
  let left = false;
  const leave = () => {
    if (ended) return;
    ended = true;
    left = true;
    gone?.("left");
  };
  stream.on("aborted", () => {
    leave();
    // Reset with NO_ERROR it would stay until its body is read, which nobody does any more.
    stream.destroy();
  });
  stream.on("close", () => {
    leave();
    onClosed(left);
  });
  const dead = () => stream.destroyed || stream.closed;

  return {
    headSent: () => stream.headersSent,
    interim(status, _reason, fields) {
      if (dead() || stream.headersSent) return;
      stream.additionalHeaders(headersOf(status, fields));
    },
    head({ status, fields, length }) {
      if (dead()) return;
      const headers = headersOf(status, fields);
      if (length !== undefined && status !== 204) headers["content-length"] = length;
      bodiless = isHead || status === 204 || status === 205 || status === 304 || length === 0;
      // Trailers can only follow a body of a length nobody declared.
      awaitsTrailers = !bodiless && length === undefined;
      stream.respond(headers, { endStream: bodiless, waitForTrailers: awaitsTrailers });
    },
    write(chunk) {
      // A chunk for a client that is gone counts as taken: nobody would ever ask for the next.
      if (bodiless || dead() || stream.write(chunk)) return true;
      awaitReader(stream);
      return false;
    },
    end(trailers) {
      ended = true;
      if (dead()) return;
      // Answered before the request was whole: the rest is not wanted (RFC 9113 §8.1).
      const isEarly = !stream.endAfterHeaders && !stream.readableEnded;
      if (!bodiless) {
        stream.once("wantTrailers", () => {
          stream.sendTrailers(trailersOf(trailers));
          if (isEarly) setImmediate(cutRequest, stream);
        });
        stream.end();
      }
      if (isEarly && !awaitsTrailers) stream.once("finish", () => cutRequest(stream));
    },
    abort() {
      ended = true;
      // Not `close`: it would end the answer first, as if it were whole.
      stream.destroy(new Error("the answer was broken off"));
    },
    onDrain: (listener) => stream.on("drain", listener),
    onGone(listener) {
      gone = listener;
    },
  };
}

function cutRequest(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
}

/** @throws TypeError where a value cannot stand in a field */
function headersOf(status: number, fields: readonly string[]): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  headers[":status"] = status;
  addFields(headers, fields);
  return headers;
}

function trailersOf(fields: readonly string[]): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  addFields(headers, fields);
  return headers;
}

function addFields(headers: OutgoingHttpHeaders, fields: readonly string[]): void {
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
}
