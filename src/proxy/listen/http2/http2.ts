/**
 * node:http2 as a transport: one stream of a session as the exchange's Inbound (RFC 9113 §8).
 *
 * nghttp2 has refused what is malformed there: fields of a connection, upper-case names, pseudo-fields missing, unknown,
 * twice or out of place, a body of another length than declared. What is left of HTTP/1.1's duties is done here.
 */
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Answer, AnswerHead, Gone, Inbound, Peer, RequestFraming, RequestHead } from "../../inbound.ts";
import { awaitReader } from "../lost-peer.ts";
import { headersOf, trailersOf } from "./fields.ts";

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
  stream.on("error", ignore);
  if (expectation && head.framing.kind !== "none") {
    // Asked for when the body begins to be read (RFC 9110 §10.1.1).
    stream.once("resume", () => {
      if (!stream.headersSent && !stream.closed) stream.additionalHeaders({ ":status": 100 });
    });
  }
  return { head, body: stream, answer: answerOf(stream, head.method === "HEAD", onClosed) };
}

function ignore(): void {}

function headOf(raw: readonly string[], isWhole: boolean, peer: Peer) {
  // The first place is for what is named below.
  const fields = ["host", ""];
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
  if (named === undefined) fields.splice(0, 2);
  else fields[1] = named;
  const head: RequestHead = {
    method,
    // CONNECT has no path; it is refused by its method.
    target: path ?? "/",
    fields,
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

/** An Answer over a stream. Its functions are shared; it belongs to no other object. */
interface StreamAnswer extends Answer {
  readonly stream: ServerHttp2Stream;
  readonly isHead: boolean;
  /** Whether all of the answer was given, or this side broke it off. */
  ended: boolean;
  bodiless: boolean;
  awaitsTrailers: boolean;
  trailers: readonly string[];
  drained: (() => void) | undefined;
  gone: ((why: Gone) => void) | undefined;
  left: boolean;
}

function answerOf(stream: ServerHttp2Stream, isHead: boolean, onClosed: StreamOptions["onClosed"]): Answer {
  const answer: StreamAnswer = {
    stream,
    isHead,
    ended: false,
    bodiless: false,
    awaitsTrailers: false,
    trailers: [],
    drained: undefined,
    gone: undefined,
    left: false,
    headSent,
    interim,
    head,
    write,
    end,
    abort,
    onDrain,
    onGone,
  };
  stream.on("aborted", () => {
    leave(answer);
    // Reset with NO_ERROR it would stay until its body is read, which nobody does any more.
    stream.destroy();
  });
  stream.on("close", () => {
    leave(answer);
    onClosed(answer.left);
  });
  return answer;
}

function leave(answer: StreamAnswer): void {
  if (answer.ended) return;
  answer.ended = true;
  answer.left = true;
  answer.gone?.("left");
}

const isDead = (stream: ServerHttp2Stream) => stream.destroyed || stream.closed;

function headSent(this: StreamAnswer): boolean {
  return this.stream.headersSent;
}

function interim(this: StreamAnswer, status: number, _reason: string, fields: readonly string[]): void {
  const { stream } = this;
  if (!isDead(stream) && !stream.headersSent) stream.additionalHeaders(headersOf(status, fields));
}

function head(this: StreamAnswer, { status, fields, length }: AnswerHead): void {
  const { stream } = this;
  if (isDead(stream)) return;
  const headers = headersOf(status, fields);
  if (length !== undefined && status !== 204) headers["content-length"] = length;
  this.bodiless = this.isHead || status === 204 || status === 205 || status === 304 || length === 0;
  // Trailers can only follow a body of a length nobody declared.
  this.awaitsTrailers = !this.bodiless && length === undefined;
  if (this.awaitsTrailers) stream.once("wantTrailers", () => sendTrailers(this));
  stream.respond(headers, { endStream: this.bodiless, waitForTrailers: this.awaitsTrailers });
}

function write(this: StreamAnswer, chunk: Buffer): boolean {
  const { stream } = this;
  // A chunk for a client that is gone counts as taken: nobody would ever ask for the next.
  if (this.bodiless || isDead(stream) || stream.write(chunk)) return true;
  if (this.drained !== undefined) stream.on("drain", this.drained);
  this.drained = undefined;
  awaitReader(stream);
  return false;
}

function end(this: StreamAnswer, trailers: readonly string[]): void {
  const { stream } = this;
  this.ended = true;
  if (isDead(stream)) return;
  this.trailers = trailers;
  if (!this.bodiless) stream.end();
  if (isEarly(stream) && !this.awaitsTrailers) stream.once("finish", () => cutRequest(stream));
}

function sendTrailers({ stream, trailers }: StreamAnswer): void {
  stream.sendTrailers(trailersOf(trailers));
  if (isEarly(stream)) setImmediate(cutRequest, stream);
}

function abort(this: StreamAnswer): void {
  this.ended = true;
  // Not `close`: it would end the answer first, as if it were whole.
  this.stream.destroy(new Error("the answer was broken off"));
}

/** Heard of from the first write on that was too much: few answers have one. */
function onDrain(this: StreamAnswer, listener: () => void): void {
  this.drained = listener;
}

function onGone(this: StreamAnswer, listener: (why: Gone) => void): void {
  this.gone = listener;
}

/** Answered before the request was whole: the rest is not wanted (RFC 9113 §8.1). */
function isEarly(stream: ServerHttp2Stream): boolean {
  return !stream.endAfterHeaders && !stream.readableEnded;
}

function cutRequest(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
}
