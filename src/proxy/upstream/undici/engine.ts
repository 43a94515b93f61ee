/**
 * The default engine: undici's `Client`, one a connection, driven through its low-level `dispatch`.
 *
 * The hot path: one object an attempt is undici's handler, its timers' state and the record of how far it got; the
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
import { codes, failureOf, faultOfHead } from "../failure.ts";
import { createHttpProxyUpstream } from "../http-proxy/engine.ts";
import type {
  CreateUpstream,
  Failure,
  Forwarding,
  ForwardRequest,
  ResponseSink,
  Upstream,
  Waits,
} from "../port.ts";
import {
  awaitBody,
  awaitHead,
  createWaits,
  expireTimed,
  keepAwaitingBody,
  stopTimer,
  type Timed,
  type TimeoutCode,
} from "../timers.ts";
import { createUpload, type Upload } from "../upload.ts";
import { type Connection, type Connections, createConnections, type Passenger } from "./connections.ts";
import { decodedFields, reasonOf } from "./response-front.ts";

const uploadBufferBytes = 64 * 1024;

interface Attempt extends Timed, Passenger, Forwarding {
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
  const { name, url, tls, lookup, timeouts } = options;
  const connections = createConnections({
    url,
    tls,
    lookup,
    lenient: options.lenient === true,
    limit: options.connections,
    maxAgeMs: options.maxAgeMs,
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
      const attempt = createAttempt(sink, request.waits ?? waits, connections, request.fresh === true);
      const { fields, body } = framed(request, attempt);
      attempt.options = { method: request.method, path: request.target, headers: fields, body };
      awaitHead(attempt);
      if (connections.closing)
        failLater(attempt, { outcome: "connect_failed", sent: false, code: codes.closed });
      else connections.acquire(attempt);
      return attempt;
    },
    async close() {
      await Promise.all([connections.close(), asteriskForm?.close()]);
    },
  };
};

function createAttempt(
  sink: ResponseSink,
  waits: Waits,
  connections: Connections,
  fresh: boolean,
): Attempt & Dispatcher.DispatchHandler {
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
    place: undefined,
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
function framed({ fields, body }: ForwardRequest, attempt: Attempt) {
  if (body.kind === "none" || (body.kind === "sized" && body.length === 0)) {
    return { fields, body: null };
  }
  if (Buffer.isBuffer(body.content)) return { fields, body: body.content };
  const length = body.kind === "sized" ? body.length : undefined;
  return {
    fields: length === undefined ? fields : [...fields, "content-length", `${length}`],
    body: streamed(body.content, length, attempt),
  };
}

/** A stream for undici to read and to destroy, in place of the client's request, which is not its to destroy. */
function streamed(content: Readable, length: number | undefined, attempt: Attempt): Readable {
  const body = new Readable({ highWaterMark: uploadBufferBytes, read: () => upload.resume() });
  const upload = createUpload(content, length, {
    write(chunk) {
      const wanted = body.push(chunk);
      if (body.readableLength > 0 && attempt.sent && !attempt.over) keepAwaitingBody(attempt);
      return wanted;
    },
    end: () => body.push(null),
    fail: () => fail(attempt, { outcome: "reset", sent: attempt.sent, code: codes.requestBody }),
  });
  // It is destroyed with an error where undici gives up; what follows from that is told by `onError`.
  body.on("error", () => {});
  attempt.upload = upload;
  attempt.body = body;
  return body;
}

function board(this: Attempt & Dispatcher.DispatchHandler, connection: Connection): void {
  const { options } = this;
  this.connection = connection;
  if (connection.kept) this.receivedBefore = connection.received();
  this.options = undefined;
  if (options !== undefined) connection.client.dispatch(options, this);
}

/** undici is about to write the request. */
function onConnect(this: Attempt, refuseToSend: (error?: Error) => void): void {
  // Given up while it waited; or undici means to send it a second time, which is the relay's to decide.
  if (this.over || this.sent) {
    refuseToSend();
    return;
  }
  this.sent = true;
  this.connection?.awaitResponse();
  if (this.body === undefined) awaitHead(this);
  else stopTimer(this);
}

function onBodySent(this: Attempt): void {
  if (this.over || this.body === undefined) return;
  if (this.headSeen || this.body.readableLength > 0) awaitBody(this);
  else stopTimer(this);
}

function onRequestSent(this: Attempt): void {
  if (!this.over && !this.headSeen && this.body !== undefined) awaitHead(this);
}

function onHeaders(
  this: Attempt,
  status: number,
  rawFields: readonly Buffer[],
  resumeParser: () => void,
  reason: string,
): boolean {
  if (this.over) return true;
  const fields = decodedFields(rawFields);
  const oddLine = this.connection?.oddLine();
  const isOther = oddLine !== undefined && !oddLine.startsWith("HTTP/1.");
  const fault = isOther ? codes.httpVersion : faultOfHead(status, fields);
  if (fault !== undefined) return refuse(this, fault);
  const head = { status, reason: reasonOf(reason, oddLine), fields };
  if (status < 200) {
    this.sink.interim(head);
    return true;
  }
  this.headSeen = true;
  this.resumeParser = resumeParser;
  awaitBody(this);
  this.sink.head(head);
  // A 304 may tell the length of what it leaves out (RFC 9110 §8.6), and a 204 sometimes does; undici misses that many
  // octets and calls it an error. So the response is over here, and undici may do away with the connection.
  if (status === 304 || status === 204) complete(this, []);
  return true;
}

function onData(this: Attempt, chunk: Buffer): boolean {
  // A resumed parser begins with an empty one.
  if (this.over || chunk.length === 0) return true;
  awaitBody(this);
  if (this.sink.data(chunk) || this.over) return true;
  stopTimer(this);
  return false;
}

function onComplete(this: Attempt, trailers: readonly (string | Buffer)[] | null): void {
  complete(this, trailers === null ? [] : decodedFields(trailers));
}

function complete(attempt: Attempt, trailers: readonly string[]): void {
  if (attempt.over) return;
  depart(attempt, "complete");
  attempt.sink.end(trailers);
}

function onError(this: Attempt, error: Error): void {
  // Before anything is sent it may come out of `dispatch` itself, when the caller has no Forwarding yet.
  if (!this.sent) failLater(this, failureOf(error, this, false));
  else fail(this, failureOf(error, this, this.receivedBefore === this.connection?.received()));
}

function timedOut(this: Attempt, code: TimeoutCode): void {
  fail(this, { outcome: "timeout", sent: this.sent, code });
}

function refuse(attempt: Attempt, code: string): boolean {
  fail(attempt, { outcome: "protocol_error", sent: true, code });
  return true;
}

function fail(attempt: Attempt, failure: Failure): void {
  if (attempt.over) return;
  depart(attempt, "broken");
  attempt.sink.failure(failure);
}

function failLater(attempt: Attempt, failure: Failure): void {
  queueMicrotask(() => fail(attempt, failure));
}

function resume(this: Attempt): void {
  if (this.over || this.resumeParser === undefined) return;
  awaitBody(this);
  this.resumeParser();
}

function abort(this: Attempt): void {
  depart(this, "broken");
}

/** The one way out: by the end of the response, by a failure, or by the caller's abort. */
function depart(attempt: Attempt, how: "complete" | "broken"): void {
  if (attempt.over) return;
  attempt.over = true;
  stopTimer(attempt);
  attempt.upload?.release();
  const { connection, connections } = attempt;
  if (connection === undefined) connections.leave(attempt);
  else if (how === "complete") connections.release(connection);
  else connections.discard(connection);
}
