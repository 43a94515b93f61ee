/** node:http as a transport: a request and its response as the exchange's Inbound. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Answer, AnswerHead, Gone, Inbound, Peer, RequestFraming, RequestHead } from "../../inbound.ts";
import { awaitReader, isReset } from "../lost-peer.ts";
import { dropRest } from "./drop-rest.ts";

/** The most of a request that may be left when its answer begins, for the connection to be kept. */
const mostLeftBytes = 1 << 20;
/** Node joins text with the head before it into one piece; bytes go beside it in a vector, which costs far more. */
const smallBytes = 4096;

interface AnswerOptions {
  /** Whether connections should close after this answer. */
  readonly draining: () => boolean;
  /** Uncorks the answer once all that has arrived is read (`createUncorking`). */
  readonly uncorkSoon: (answer: HttpAnswer) => void;
}

interface HttpInbound extends Inbound {
  readonly answer: HttpAnswer;
}

/** @param expectsContinue the client waits for 100 Continue before it sends the body (RFC 9110 §10.1.1) */
export function inboundOf(
  request: IncomingMessage,
  response: ServerResponse,
  peer: Peer,
  expectsContinue: boolean,
  options: AnswerOptions,
): HttpInbound {
  const head = headOf(request, peer);
  const answer = answerOf(response, options);
  if (head.framing.kind === "sized" && head.framing.length > mostLeftBytes) countBody(request, answer);
  return {
    head,
    body: expectsContinue ? askedBody(request, response) : request,
    answer,
    isLost: () => isReset(request.socket),
  };
}

export function headOf(request: IncomingMessage, peer: Peer): RequestHead {
  return {
    method: request.method ?? "",
    target: request.url ?? "",
    fields: request.rawHeaders,
    version: request.httpVersionMinor === 0 ? "1.0" : "1.1",
    framing: framingOf(request),
    peer,
  };
}

/** The parser has refused what is contradictory or not exactly chunked; what is left is told apart here. */
function framingOf({ headers }: IncomingMessage): RequestFraming {
  if (headers["transfer-encoding"] !== undefined) return { kind: "chunked" };
  const length = headers["content-length"];
  return length === undefined ? { kind: "none" } : { kind: "sized", length: Number(length) };
}

/** To listen for `data` would read the body: the parser is what knows of all that came. */
function countBody(request: IncomingMessage, answer: HttpAnswer): void {
  const push = request.push.bind(request);
  request.push = (chunk, encoding) => {
    if (Buffer.isBuffer(chunk)) answer.bodyBytes += chunk.length;
    return push(chunk, encoding);
  };
}

/** The body of a client that waits to be asked: asked when somebody begins to read. */
function askedBody(request: IncomingMessage, response: ServerResponse): Readable {
  let asked = false;
  const body = new Readable({
    read() {
      if (!asked) {
        asked = true;
        if (!response.headersSent) response.writeContinue();
        request.on("data", (chunk: Buffer) => {
          if (!body.push(chunk)) request.pause();
        });
        request.on("end", () => body.push(null));
        request.on("error", (error) => body.destroy(error));
        request.on("close", () => {
          if (!request.readableEnded) body.destroy(new Error("the client broke off"));
        });
      }
      request.resume();
    },
  });
  body.on("error", () => {});
  return body;
}

/** An Answer over a ServerResponse. Its functions are shared; it belongs to no other object. */
export interface HttpAnswer extends Answer {
  readonly response: ServerResponse;
  readonly options: AnswerOptions;
  /** Octets of the request's body that have come; counted where they could be many. */
  bodyBytes: number;
  endsByClose: boolean;
  /** From the head on to the end of the turn of the event loop: nothing goes out, the end included. */
  isCorked: boolean;
  isEnding: boolean;
  hasContent: boolean;
  drained: (() => void) | undefined;
  gone: ((why: Gone) => void) | undefined;
  /** The request's body cannot be read on. */
  breakOff(): void;
  /** To be told when the response closes. */
  closed(): void;
}

export function answerOf(response: ServerResponse, options: AnswerOptions): HttpAnswer {
  return {
    response,
    options,
    bodyBytes: 0,
    endsByClose: false,
    isCorked: false,
    isEnding: false,
    hasContent: false,
    drained: undefined,
    gone: undefined,
    headSent,
    interim,
    head,
    write,
    end,
    abort,
    onDrain,
    onGone,
    breakOff,
    closed,
  };
}

function headSent(this: HttpAnswer): boolean {
  return this.response.headersSent;
}

function interim(this: HttpAnswer, status: number, reason: string, fields: readonly string[]): void {
  // With pipelining the socket belongs to an earlier answer until that one is whole.
  const { socket, headersSent } = this.response;
  if (socket === null || headersSent) return;
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  socket.write(`${text}\r\n`, "latin1");
}

function head(this: HttpAnswer, { status, reason, fields, length }: AnswerHead): void {
  const { response, options } = this;
  if (response.destroyed) return;
  if (length !== undefined && status !== 204) fields.push("Content-Length", String(length));
  if (options.draining()) fields.push("Connection", "close");
  // What an upstream says of its own connection is not among them.
  if (fields.includes("Connection")) response.shouldKeepAlive = false;
  else if (hasMuchLeft(this)) {
    fields.push("Connection", "close");
    response.shouldKeepAlive = false;
  }
  response.writeHead(status, reason, fields);
  response.socket?.cork();
  this.isCorked = true;
  options.uncorkSoon(this);
  this.endsByClose = length === undefined && !response.chunkedEncoding;
}

function write(this: HttpAnswer, chunk: Buffer): boolean {
  const { response } = this;
  // A chunk for a client that is gone counts as taken: nobody would ever ask for the next.
  if (response.destroyed) return true;
  this.hasContent = true;
  const isTaken =
    chunk.length > smallBytes ? response.write(chunk) : response.write(chunk.toString("latin1"), "latin1");
  if (!isTaken) {
    if (this.drained !== undefined) response.on("drain", this.drained);
    this.drained = undefined;
    awaitReader(response);
  }
  return isTaken;
}

function end(this: HttpAnswer, trailers: readonly string[]): void {
  const { response } = this;
  if (response.destroyed) return;
  if (trailers.length > 0) response.addTrailers(pairs(trailers));
  if (this.isCorked) this.isEnding = true;
  else finish(this);
}

function finish({ response }: HttpAnswer): void {
  const { req: request, socket } = response;
  // Node's `end` adds an empty piece to what is corked, and makes a vector of the two. Over TLS, where a write is under way
  // until the next turn, that piece alone would be another write: the vector is less.
  if (!response.chunkedEncoding && socket !== null && !("encrypted" in socket)) socket.uncork();
  if (!request.complete || request.readableLength > 0) dropRest(response);
  response.end();
}

function abort(this: HttpAnswer): void {
  const { response } = this;
  // What only the close delimits, as for HTTP/1.0, would end cleanly by any close but a reset (RFC 9112 §8).
  // `resetAndDestroy` sends an end before the reset; with its own flag set, `destroy` does not.
  if (this.endsByClose && response.socket !== null) Reflect.set(response.socket, "resetAndClosing", true);
  response.destroy();
}

/** Heard of from the first write on that was too much: few answers have one. */
function onDrain(this: HttpAnswer, listener: () => void): void {
  this.drained = listener;
}

function onGone(this: HttpAnswer, listener: (why: Gone) => void): void {
  this.gone = listener;
}

function breakOff(this: HttpAnswer): void {
  this.gone?.("malformed");
}

function closed(this: HttpAnswer): void {
  if (!this.response.writableFinished) this.gone?.("left");
}

/**
 * Answers that begin in one turn of the event loop leave one after another when all that has arrived in it is read: the
 * write that wakes the reader costs much, those right behind it find it awake. That takes an eighth off all that a
 * request costs (docs/performance.md). What has no content yet, such as a stream of events before the first, has its
 * head sent all the same; node:http would keep it back.
 *
 * @returns to be told of each answer that is corked
 */
export function createUncorking(): (answer: HttpAnswer) => void {
  let corked: HttpAnswer[] = [];
  const uncorkAll = () => {
    const due = corked;
    corked = [];
    for (const answer of due) uncork(answer);
  };
  return (answer) => {
    if (corked.push(answer) === 1) setImmediate(uncorkAll);
  };
}

function uncork(answer: HttpAnswer): void {
  const { response } = answer;
  answer.isCorked = false;
  if (response.destroyed) return;
  if (answer.isEnding) finish(answer);
  else {
    // `flushHeaders` writes UTF-8. Of an answer that may have no content this writes nothing: its end does.
    if (!answer.hasContent) response.write("", "latin1");
    response.socket?.uncork();
  }
}

/**
 * Whether so much of the request is still to come that its connection ends with the answer. What comes in chunks could
 * be without end, and a client that was never asked for its body (RFC 9110 §10.1.1) may send another request instead.
 */
function hasMuchLeft({ response, bodyBytes }: HttpAnswer): boolean {
  const { req: request } = response;
  if (request.complete) return false;
  const framing = framingOf(request);
  if (framing.kind === "none") return false;
  if (request.headers.expect !== undefined && request.readableFlowing === null) return true;
  return framing.kind === "chunked" || framing.length - bodyBytes > mostLeftBytes;
}

function pairs(flat: readonly string[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) out.push([flat[i] ?? "", flat[i + 1] ?? ""]);
  return out;
}
