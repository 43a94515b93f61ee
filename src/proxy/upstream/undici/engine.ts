/**
 * The default engine: undici's `Client`, one a connection, driven through its low-level `dispatch`.
 *
 * The hot path: one object an exchange is undici's handler, its timers' state and the record of how far it got; the
 * handler's functions are shared. undici's own timeouts are off (their clock is coarse); ours are timers.ts's.
 *
 * Known deviations of undici 7, each shown by a test:
 * - the head of a streamed request leaves with the first byte of its body, not before;
 * - `host` is written first, then `connection`, then all other fields in their order;
 * - a connection is not used again after a body of a method that defines none.
 * After HEAD it is not used again either: faulty servers send content behind the head, which would answer the next.
 * It refuses the request target `*`: those few requests go by the other engine.
 */
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { codes, failureOf } from "../failure.ts";
import { createHttpProxyUpstream } from "../http-proxy/engine.ts";
import type { CreateUpstream, Failure, Forwarding, ForwardRequest, ResponseSink, Upstream } from "../port.ts";
import { asciiReason, hasForeignCoding, reasonOf } from "../response-head.ts";
import {
  awaitBody,
  awaitHead,
  createWaits,
  expireTimed,
  keepAwaitingBody,
  stopTimer,
  type Timed,
  type TimeoutCode,
  type Waits,
} from "../timers.ts";
import { createUpload, type Upload } from "../upload.ts";
import { type Connection, type Connections, createConnections, type Passenger } from "./connections.ts";
import { decodedFields } from "./decoded-fields.ts";

const uploadBufferBytes = 64 * 1024;

interface Exchange extends Timed, Passenger, Forwarding {
  readonly sink: ResponseSink;
  readonly connections: Connections;
  options: Dispatcher.DispatchOptions | undefined;
  connection: Connection | undefined;
  upload: Upload | undefined;
  body: Readable | undefined;
  sent: boolean;
  /** Octets its connection had received before; undefined on one made for it. */
  receivedBefore: number | undefined;
  headSeen: boolean;
  /** Nothing is called back any more. */
  over: boolean;
  /** Called by undici though its types do not say so. */
  onRequestSent(): void;
}

export const createUndiciUpstream: CreateUpstream = (options) => {
  const { name, url, tls, timeouts } = options;
  const connections = createConnections({
    url,
    tls,
    limit: options.connections,
    connectMs: timeouts.connectMs,
  });
  const waits = createWaits(timeouts);
  let asteriskForm: Upstream | undefined;

  return {
    name,
    forward(request, sink) {
      if (request.target === "*") {
        asteriskForm ??= createHttpProxyUpstream(options);
        return asteriskForm.forward(request, sink);
      }
      const exchange = createExchange(sink, waits, connections, request.fresh === true);
      const { fields, body } = framed(request, exchange);
      exchange.options = { method: request.method, path: request.target, headers: fields, body };
      awaitHead(exchange);
      if (connections.closing)
        failLater(exchange, { outcome: "connect_failed", sent: false, code: codes.closed });
      else connections.acquire(exchange);
      return exchange;
    },
    async close() {
      await Promise.all([connections.close(), asteriskForm?.close()]);
    },
  };
};

function createExchange(
  sink: ResponseSink,
  waits: Waits,
  connections: Connections,
  fresh: boolean,
): Exchange & Dispatcher.DispatchHandler {
  return {
    sink,
    waits,
    connections,
    dueAt: 0,
    before: undefined,
    behind: undefined,
    awaited: undefined,
    options: undefined,
    connection: undefined,
    upload: undefined,
    body: undefined,
    resumeParser: undefined,
    fresh,
    sent: false,
    receivedBefore: undefined,
    headSeen: false,
    over: false,
    board,
    expired: expireTimed,
    timedOut,
    onConnect,
    onBodySent,
    onRequestSent,
    onHeaders,
    onData,
    onComplete,
    onError,
    resume,
    abort,
  };
}

/** undici frames by what it is given: nothing or a Buffer by its size, a stream by the field or chunked. */
function framed({ fields, body }: ForwardRequest, exchange: Exchange) {
  if (body.kind === "none" || (body.kind === "sized" && body.length === 0)) {
    return { fields, body: null };
  }
  if (Buffer.isBuffer(body.content)) return { fields, body: body.content };
  const length = body.kind === "sized" ? body.length : undefined;
  return {
    fields: length === undefined ? fields : [...fields, "content-length", `${length}`],
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
    fail: () => fail(exchange, { outcome: "reset", sent: exchange.sent, code: codes.requestBody }),
  });
  // It is destroyed with an error where undici gives up; what follows from that is told by `onError`.
  body.on("error", () => {});
  exchange.upload = upload;
  exchange.body = body;
  return body;
}

function board(this: Exchange & Dispatcher.DispatchHandler, connection: Connection): void {
  const { options } = this;
  this.connection = connection;
  if (connection.kept) this.receivedBefore = connection.received();
  this.options = undefined;
  if (options !== undefined) connection.client.dispatch(options, this);
}

/** undici is about to write the request. */
function onConnect(this: Exchange, refuseToSend: (error?: Error) => void): void {
  // Given up while it waited; or undici means to send it a second time, which is the exchange's to decide.
  if (this.over || this.sent) {
    refuseToSend();
    return;
  }
  this.sent = true;
  this.connection?.awaitResponse();
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
  const fields = decodedFields(rawFields);
  const oddLine = this.connection?.oddLine();
  if (oddLine !== undefined && !oddLine.startsWith("HTTP/1.")) return refuse(this, codes.httpVersion);
  if (status === 101) return refuse(this, codes.unaskedUpgrade);
  if (status < 100) return refuse(this, codes.statusCode);
  const head = { status, reason: oddLine === undefined ? asciiReason(reason) : reasonOf(oddLine), fields };
  if (status < 200) {
    this.sink.interim(head);
    return true;
  }
  if (hasForeignCoding(fields)) return refuse(this, codes.transferCoding);
  this.headSeen = true;
  this.resumeParser = resumeParser;
  awaitBody(this);
  this.sink.head(head);
  // A 304 may tell the length of what it leaves out (RFC 9110 §8.6), and a 204 sometimes does; undici misses that many
  // octets and calls it an error. So the response is over here, and undici may do away with the connection.
  if (status === 304 || status === 204) complete(this, []);
  return true;
}

function onData(this: Exchange, chunk: Buffer): boolean {
  // A resumed parser begins with an empty one.
  if (this.over || chunk.length === 0) return true;
  awaitBody(this);
  if (this.sink.data(chunk) || this.over) return true;
  stopTimer(this);
  return false;
}

function onComplete(this: Exchange, trailers: readonly (string | Buffer)[] | null): void {
  complete(this, trailers === null ? [] : decodedFields(trailers));
}

function complete(exchange: Exchange, trailers: readonly string[]): void {
  if (exchange.over) return;
  settle(exchange, "complete");
  exchange.sink.end(trailers);
}

function onError(this: Exchange, error: Error): void {
  // Before anything is sent it may come out of `dispatch` itself, when the caller has no Forwarding yet.
  if (!this.sent) failLater(this, failureOf(error, this, false));
  else fail(this, failureOf(error, this, this.receivedBefore === this.connection?.received()));
}

function timedOut(this: Exchange, code: TimeoutCode): void {
  fail(this, { outcome: "timeout", sent: this.sent, code });
}

function refuse(exchange: Exchange, code: string): boolean {
  fail(exchange, { outcome: "protocol_error", sent: true, code });
  return true;
}

function fail(exchange: Exchange, failure: Failure): void {
  if (exchange.over) return;
  settle(exchange, "broken");
  exchange.sink.failure(failure);
}

function failLater(exchange: Exchange, failure: Failure): void {
  queueMicrotask(() => fail(exchange, failure));
}

function resume(this: Exchange): void {
  if (this.over || this.resumeParser === undefined) return;
  awaitBody(this);
  this.resumeParser();
}

function abort(this: Exchange): void {
  settle(this, "broken");
}

/** The one way out: by the end of the response, by a failure, or by the caller's abort. */
function settle(exchange: Exchange, how: "complete" | "broken"): void {
  if (exchange.over) return;
  exchange.over = true;
  stopTimer(exchange);
  exchange.upload?.release();
  const { connection, connections } = exchange;
  if (connection === undefined) connections.leave(exchange);
  else if (how === "complete") connections.release(connection);
  else connections.discard(connection);
}
