/** node:http as a transport: a request and its response as the exchange's Inbound. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Answer, Gone, Inbound, RequestFraming, RequestHead } from "./inbound.ts";
import { isReset } from "./is-reset.ts";

/** How long a client that still sends has to read an answer that ends its connection. */
const lingerMs = 1000;
/** Node joins text with the head before it into one piece; bytes go beside it in a vector, which costs far more. */
const smallBytes = 4096;

export interface NodeHttpOptions {
  /** The client waits for 100 Continue before it sends the body (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean;
  /** Whether connections should close after this answer. */
  readonly draining: () => boolean;
}

/** An Inbound whose transport can tell it that its body can not be read on. */
export interface BreakableInbound extends Inbound {
  breakOff(): void;
}

export function inboundOf(
  request: IncomingMessage,
  response: ServerResponse,
  options: NodeHttpOptions,
): BreakableInbound {
  const listeners: ((why: Gone) => void)[] = [];
  return {
    head: headOf(request),
    body: options.expectsContinue ? askedBody(request, response) : request,
    answer: answerOf(response, options.draining, listeners),
    isLost: () => isReset(request.socket),
    breakOff: () => {
      for (const listener of listeners) listener("malformed");
    },
  };
}

export function headOf(request: IncomingMessage): RequestHead {
  const { socket } = request;
  return {
    method: request.method ?? "",
    target: request.url ?? "",
    fields: request.rawHeaders,
    version: request.httpVersionMinor === 0 ? "1.0" : "1.1",
    framing: framingOf(request),
    peer: { address: socket.remoteAddress ?? "", encrypted: "encrypted" in socket },
  };
}

/** The parser has refused what is contradictory or not exactly chunked; what is left is told apart here. */
function framingOf({ headers }: IncomingMessage): RequestFraming {
  if (headers["transfer-encoding"] !== undefined) return { kind: "chunked" };
  const length = headers["content-length"];
  return length === undefined ? { kind: "none" } : { kind: "sized", length: Number(length) };
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

export function answerOf(
  response: ServerResponse,
  draining: () => boolean,
  onGone: ((why: Gone) => void)[] = [],
): Answer {
  /** Whether the answer is whole without an end, and its connection does not outlive it. */
  let isLast = false;
  let endsByClose = false;
  return {
    headSent: () => response.headersSent,
    interim(status, reason, fields) {
      // With pipelining the socket belongs to an earlier answer until that one is whole.
      const { socket } = response;
      if (socket === null || response.headersSent) return;
      let head = `HTTP/1.1 ${status} ${reason}\r\n`;
      for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
      socket.write(`${head}\r\n`, "latin1");
    },
    head({ status, reason, fields, length }) {
      if (response.destroyed) return;
      if (length !== undefined && status !== 204) fields.push("Content-Length", String(length));
      if (draining()) fields.push("Connection", "close");
      // What an upstream says of its own connection is not among them.
      if (fields.includes("Connection")) response.shouldKeepAlive = false;
      isLast = length !== undefined && !response.shouldKeepAlive;
      response.writeHead(status, reason, fields);
      setImmediate(flushHead, response);
      endsByClose = length === undefined && !response.chunkedEncoding;
    },
    write(chunk) {
      // A chunk for a client that is gone counts as taken: nobody would ever ask for the next.
      if (response.destroyed) return true;
      return chunk.length > smallBytes
        ? response.write(chunk)
        : response.write(chunk.toString("latin1"), "latin1");
    },
    end(trailers) {
      if (response.destroyed) return;
      if (trailers.length > 0) response.addTrailers(pairs(trailers));
      // Node's `end` would add an empty piece to what waits in the cork, and make a vector of the two.
      if (!response.chunkedEncoding) response.socket?.uncork();
      if (isLast && !response.req.complete) linger(response);
      else response.end();
    },
    abort() {
      // What only the close delimits, as for HTTP/1.0, would end cleanly by any close but a reset (RFC 9112 §8).
      // `resetAndDestroy` sends an end before the reset; with its own flag set, `destroy` does not.
      if (endsByClose && response.socket !== null) Reflect.set(response.socket, "resetAndClosing", true);
      response.destroy();
    },
    onDrain: (listener) => response.on("drain", listener),
    onGone(listener) {
      onGone.push(listener);
      response.on("close", () => {
        if (!response.writableFinished) listener("left");
      });
    },
  };
}

/**
 * node:http holds a head back until there is content to send with it. What has none yet, such as a stream of events
 * before the first, does not wait; what has some went together.
 */
function flushHead(response: ServerResponse): void {
  if (!(response.destroyed || response.writableEnded)) response.flushHeaders();
}

/**
 * Its client still sends. To close now would reset the connection, and a reset can overtake the answer (RFC 9112
 * §9.6): so only this side's end is sent, and what comes is thrown away until no more does, or the client has had
 * its time.
 */
function linger(response: ServerResponse): void {
  const { req: request } = response;
  const close = () => {
    clearTimeout(timer);
    if (!response.destroyed) response.end();
  };
  const timer = setTimeout(close, lingerMs);
  response.flushHeaders();
  response.socket?.end();
  response.on("close", close);
  request.removeAllListeners("data").on("end", close).resume();
}

function pairs(flat: readonly string[]): [string, string][] {
  const out: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) out.push([flat[i] ?? "", flat[i + 1] ?? ""]);
  return out;
}
