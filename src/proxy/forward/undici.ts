/**
 * The default engine: one undici `Pool` an upstream, driven through its low-level `dispatch`.
 *
 * The hot path: one object an exchange is undici's handler, its timers' state and the record of how far it got; the
 * handler's functions are shared. undici's own timeouts are off (their clock is coarse); ours are timers.ts's.
 *
 * Known deviations of undici 7, each shown by a test:
 * - the head of a streamed request leaves with the first byte of its body, not before;
 * - a 100 (Continue) nobody asked for fails the exchange;
 * - a reason phrase that is not ASCII is lost, and one split between packets keeps its last part only;
 * - `host` is written first, then `connection`, then all other fields in their order;
 * - a connection is not used again after HEAD, nor after a body of a method that defines none.
 * It refuses the request target `*`: those few requests go by the other engine.
 */
import { maxHeaderSize } from "node:http";
import { Readable } from "node:stream";
import { type Dispatcher, Pool } from "undici";
import { createConnector } from "./connector.ts";
import { codes, failureOf } from "./failure.ts";
import { createHttpProxyUpstream } from "./http-proxy.ts";
import type {
  CreateUpstream,
  Failure,
  ForwardRequest,
  ResponseSink,
  Upstream,
  UpstreamTimeouts,
} from "./port.ts";
import { asciiReason, hasForeignCoding } from "./response-head.ts";
import { awaitBody, awaitHead, keepAwaitingBody, stopTimer, type Timed, type TimeoutCode } from "./timers.ts";
import { createUpload, type Upload } from "./upload.ts";

/** Below the 5 s after which Node and Apache close an idle connection. */
const keepAliveMs = 4000;
/** What an upstream's Keep-Alive field can raise it to. */
const keepAliveMaxMs = 60_000;
const uploadBufferBytes = 64 * 1024;

interface Exchange extends Timed {
  readonly sink: ResponseSink;
  upload: Upload | undefined;
  body: Readable | undefined;
  /** Where undici was told to send; undefined while the request waits for a connection. */
  closeConnection: ((error?: Error) => void) | undefined;
  resumeParser: (() => void) | undefined;
  sent: boolean;
  headSeen: boolean;
  /** Nothing is called back any more. */
  over: boolean;
  /** Called by undici though its types do not say so. */
  onRequestSent(): void;
}

export const createUndiciUpstream: CreateUpstream = (options) => {
  const { name, url, connections, timeouts } = options;
  const pool = new Pool(url.origin, {
    connections: connections ?? null,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMaxMs,
    maxHeaderSize,
    allowH2: false,
    connect: createConnector(timeouts.connectMs),
  });
  let asteriskForm: Upstream | undefined;

  return {
    name,
    forward(request, sink) {
      if (request.target === "*") {
        asteriskForm ??= createHttpProxyUpstream(options);
        return asteriskForm.forward(request, sink);
      }
      const exchange = createExchange(sink, timeouts);
      const { fields, body } = framed(request, exchange);
      awaitHead(exchange);
      pool.dispatch({ method: request.method, path: request.target, headers: fields, body }, exchange);
      return { resume: () => resume(exchange), abort: () => abort(exchange) };
    },
    async close() {
      await Promise.all([pool.close(), asteriskForm?.close()]);
    },
  };
};

function createExchange(
  sink: ResponseSink,
  timeouts: UpstreamTimeouts,
): Exchange & Dispatcher.DispatchHandler {
  return {
    sink,
    timeouts,
    timer: undefined,
    awaited: undefined,
    upload: undefined,
    body: undefined,
    closeConnection: undefined,
    resumeParser: undefined,
    sent: false,
    headSeen: false,
    over: false,
    timedOut,
    onConnect,
    onBodySent,
    onRequestSent,
    onHeaders,
    onData,
    onComplete,
    onError,
  };
}

/** undici frames by what it is given: nothing or a Buffer by its size, a stream by the field or chunked. */
function framed({ fields, body }: ForwardRequest, exchange: Exchange) {
  if (body.kind === "none" || (body.kind === "sized" && body.length === 0)) {
    return { fields: fields.slice(), body: null };
  }
  if (Buffer.isBuffer(body.content)) return { fields: fields.slice(), body: body.content };
  const length = body.kind === "sized" ? body.length : undefined;
  return {
    fields: length === undefined ? fields.slice() : [...fields, "content-length", `${length}`],
    body: streamed(body.content, length, exchange),
  };
}

/** A stream for undici to read and to destroy, in place of the client's request, which is not its to destroy. */
function streamed(content: Readable, length: number | undefined, exchange: Exchange): Readable {
  const body = new Readable({ highWaterMark: uploadBufferBytes, read: () => upload.resume() });
  const upload = createUpload(content, length, {
    write(chunk) {
      const wanted = body.push(chunk);
      if (body.readableLength > 0 && exchange.sent && !exchange.over) keepAwaitingBody(exchange);
      return wanted;
    },
    end: () => body.push(null),
    fail: () => breakOff(exchange, { outcome: "reset", sent: exchange.sent, code: codes.requestBody }),
  });
  // It is destroyed with an error where undici gives up; what follows from that is told by `onError`.
  body.on("error", () => {});
  exchange.upload = upload;
  exchange.body = body;
  return body;
}

/** undici is about to write the request to a connection. */
function onConnect(this: Exchange, closeConnection: (error?: Error) => void): void {
  // Given up while it waited; or undici means to send it a second time, which is the exchange's to decide.
  if (this.over || this.sent) {
    closeConnection();
    return;
  }
  this.closeConnection = closeConnection;
  this.sent = true;
  if (this.body === undefined) awaitHead(this);
  else stopTimer(this);
}

function onBodySent(this: Exchange): void {
  if (this.over || this.body === undefined) return;
  if (this.headSeen || this.body.readableLength > 0) awaitBody(this);
  else stopTimer(this);
}

function onRequestSent(this: Exchange): void {
  if (!this.over && !this.headSeen && this.body !== undefined) awaitHead(this);
}

function onHeaders(
  this: Exchange,
  status: number,
  rawFields: readonly Buffer[],
  resumeParser: () => void,
  reason: string,
): boolean {
  if (this.over) return true;
  const fields = fieldsOf(rawFields);
  if (status === 101) return refuse(this, codes.unaskedUpgrade);
  const head = { status, reason: asciiReason(reason), fields };
  if (status < 200) {
    this.sink.interim(head);
    return true;
  }
  if (hasForeignCoding(fields)) return refuse(this, codes.transferCoding);
  this.headSeen = true;
  this.resumeParser = resumeParser;
  // A 304 may tell the length of what it leaves out (RFC 9110 §8.6); undici misses that many octets and calls it an
  // error, so the response is over here, and undici may do away with the connection.
  const contentless = status === 304;
  if (contentless) settle(this);
  else awaitBody(this);
  this.sink.head(head);
  if (contentless) this.sink.end([]);
  return true;
}

function onData(this: Exchange, chunk: Buffer): boolean {
  if (this.over) return true;
  awaitBody(this);
  if (this.sink.data(chunk) || this.over) return true;
  stopTimer(this);
  return false;
}

function onComplete(this: Exchange, trailers: readonly (string | Buffer)[] | null): void {
  if (this.over) return;
  settle(this);
  this.sink.end(trailers === null ? [] : fieldsOf(trailers));
}

function onError(this: Exchange, error: Error): void {
  if (this.sent) fail(this, failureOf(error, this));
  // Before anything is sent it may come out of `dispatch` itself, when the caller has no Forwarding yet.
  else queueMicrotask(() => fail(this, failureOf(error, this)));
}

function timedOut(this: Exchange, code: TimeoutCode): void {
  breakOff(this, { outcome: "timeout", sent: this.sent, code });
}

function refuse(exchange: Exchange, code: string): boolean {
  breakOff(exchange, { outcome: "protocol_error", sent: true, code });
  return true;
}

function resume(exchange: Exchange): void {
  if (exchange.over || exchange.resumeParser === undefined) return;
  awaitBody(exchange);
  exchange.resumeParser();
}

/** A request that still waits for a connection stays in undici's queue, empty, until `onConnect` drops it unsent. */
function abort(exchange: Exchange): void {
  if (exchange.over) return;
  settle(exchange);
  exchange.closeConnection?.();
}

/** Ends the exchange from this side: its connection can not be used again. */
function breakOff(exchange: Exchange, failure: Failure): void {
  if (exchange.over) return;
  abort(exchange);
  exchange.sink.failure(failure);
}

function fail(exchange: Exchange, failure: Failure): void {
  if (exchange.over) return;
  settle(exchange);
  exchange.sink.failure(failure);
}

function settle(exchange: Exchange): void {
  exchange.over = true;
  stopTimer(exchange);
  exchange.upload?.release();
}

function fieldsOf(raw: readonly (string | Buffer)[]): string[] {
  const fields = new Array<string>(raw.length);
  for (let i = 0; i < raw.length; i++) {
    const part = raw[i];
    fields[i] = typeof part === "string" ? part : (part?.toString("latin1") ?? "");
  }
  return fields;
}
