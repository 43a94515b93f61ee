/**
 * One attempt over a ClientRequest of node:http that somebody else has made and nothing of which is written yet: target,
 * fields and framing set verbatim, own timers, own abort, and every way it can end told once.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex, Readable } from "node:stream";
import type { FifoEntry } from "../../../base/waiting/fifo.ts";
import { codes, failureOf, faultOfHead, soundReason } from "../failure.ts";
import { bearPaddedSizes } from "../old-habits.ts";
import type {
  Failure,
  Forwarding,
  ForwardRequest,
  ResponseHead,
  ResponseSink,
  UpgradeLimits,
  Waits,
} from "../port.ts";
import {
  awaitBody,
  awaitHead,
  expireTimed,
  keepAwaitingBody,
  stopTimer,
  type Timed,
  type TimeoutCode,
} from "../timers.ts";
import { createUpload, type Upload } from "../upload.ts";

interface Told {
  /** The request goes out on it. */
  onSocket(socket: Socket): void;
  onOver(attempt: Attempt): void;
}

/** Its functions are shared. */
export interface Attempt extends Timed, Forwarding {
  readonly request: ForwardRequest;
  readonly sink: ResponseSink;
  readonly limits: UpgradeLimits | undefined;
  readonly told: Told;
  made: ClientRequest | undefined;
  /** Where what sends it is queued. */
  place: FifoEntry<() => void> | undefined;
  /** Ends the making of its connection. */
  giveUp: (() => void) | undefined;
  response: IncomingMessage | undefined;
  upload: Upload | undefined;
  socket: Socket | undefined;
  /** Octets its connection had received before; undefined on one made for it. */
  receivedBefore: number | undefined;
  sent: boolean;
  /** Nothing is called back any more. */
  over: boolean;
}

export function createAttempt(
  request: ForwardRequest,
  sink: ResponseSink,
  limits: UpgradeLimits | undefined,
  waits: Waits,
  told: Told,
): Attempt {
  const attempt: Attempt = {
    request,
    sink,
    limits,
    waits,
    told,
    dueAt: 0,
    before: undefined,
    behind: undefined,
    awaited: undefined,
    made: undefined,
    place: undefined,
    giveUp: undefined,
    response: undefined,
    upload: undefined,
    socket: undefined,
    receivedBefore: undefined,
    sent: false,
    over: false,
    expired: expireTimed,
    timedOut,
    resume,
    abort,
  };
  const { body } = request;
  if (body.kind === "none" || Buffer.isBuffer(body.content)) return attempt;
  if (body.kind === "chunked") attempt.upload = uploadOf(attempt, body.content, undefined);
  else if (body.length > 0) attempt.upload = uploadOf(attempt, body.content, body.length);
  return attempt;
}

/** Sends the request by what was made for it. */
export function begin(attempt: Attempt, made: ClientRequest): void {
  const { request } = attempt;
  attempt.made = made;
  made.on("error", (error) => failWith(attempt, error));
  made.once("socket", (socket) => onSocket(attempt, socket));
  made.on("information", ({ statusCode, statusMessage, rawHeaders }) => {
    if (attempt.over) return;
    attempt.sink.interim({ status: statusCode, reason: soundReason(statusMessage), fields: rawHeaders });
  });
  made.once("upgrade", (response, stream, first) => onUpgrade(attempt, response, stream, first));
  made.once("response", (response) => onResponse(attempt, response));
  writeHead(made, request);
  const { body } = request;
  if (attempt.upload !== undefined) {
    made.on("drain", () => {
      if (attempt.over) return;
      if (attempt.response === undefined) stopTimer(attempt);
      attempt.upload?.resume();
    });
    made.once("finish", () => {
      if (!attempt.over && attempt.response === undefined) awaitHead(attempt);
    });
  } else if (body.kind !== "none" && Buffer.isBuffer(body.content)) made.end(body.content);
  else made.end();
}

/** It is heard from at once and read once there is a connection. */
function uploadOf(attempt: Attempt, content: Readable, length: number | undefined): Upload {
  return createUpload(content, length, {
    write(chunk) {
      if (attempt.response !== undefined) awaitBody(attempt);
      if (attempt.made?.write(chunk)) return true;
      keepAwaitingBody(attempt);
      return false;
    },
    end() {
      keepAwaitingBody(attempt);
      attempt.made?.end();
    },
    fail: () => breakOff(attempt, { outcome: "reset", sent: attempt.sent, code: codes.requestBody }),
  });
}

/** It is connected. */
function onSocket(attempt: Attempt, socket: Socket): void {
  attempt.socket = socket;
  if (attempt.made?.reusedSocket) attempt.receivedBefore = socket.bytesRead;
  if (attempt.over) return;
  attempt.sent = true;
  const { made, request, upload } = attempt;
  attempt.told.onSocket(socket);
  if (made !== undefined) bearPaddedSizes(made);
  if (upload === undefined) {
    awaitHead(attempt);
    return;
  }
  stopTimer(attempt);
  // Without a body's chunk Node writes the head as UTF-8.
  if (!request.fields.some((part) => notAscii.test(part))) made?.flushHeaders();
  upload.resume();
}

const notAscii = /[^\t\x20-\x7e]/;

/** Target, fields and framing as given: http-proxy has rewritten the one, and Node would choose the other. */
function writeHead(made: ClientRequest, { method, target, fields, body }: ForwardRequest): void {
  made.method = method;
  made.path = target;
  // node:http would leave out what comes behind the thousandth field of the response, unsaid.
  made.maxHeadersCount = 0;
  if (made.hasHeader("content-length")) made.removeHeader("content-length");
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (name.toLowerCase() === "host") made.removeHeader("host");
    made.appendHeader(name, fields[i + 1] ?? "");
  }
  if (body.kind === "none") return;
  if (Buffer.isBuffer(body.content)) made.setHeader("content-length", body.content.length);
  else if (body.kind === "sized") made.setHeader("content-length", body.length);
  else made.setHeader("transfer-encoding", "chunked");
}

function onUpgrade(attempt: Attempt, response: IncomingMessage, stream: Duplex, first: Buffer): void {
  const { request, sink, limits } = attempt;
  const isGranted = response.headers.upgrade?.toLowerCase() === request.upgrade;
  if (attempt.over || limits === undefined || !isGranted) {
    stream.destroy();
    refuse(attempt, codes.unaskedUpgrade);
    return;
  }
  conclude(attempt);
  if (sink.switched === undefined) stream.destroy();
  else sink.switched(headOf(response), { stream, first }, limits);
}

function onResponse(attempt: Attempt, response: IncomingMessage): void {
  attempt.response = response;
  response.on("error", (error) => failWith(attempt, error));
  if (attempt.over) return;
  const head = headOf(response);
  // Node calls only those 101s an upgrade that name a protocol.
  const fault = response.httpVersionMajor === 1 ? faultOfHead(head.status, head.fields) : codes.httpVersion;
  if (fault !== undefined) {
    refuse(attempt, fault);
    return;
  }
  awaitBody(attempt);
  response.on("data", (chunk: Buffer) => onData(attempt, response, chunk));
  response.once("end", () => {
    if (!attempt.over) complete(attempt, response.rawTrailers, false);
  });
  attempt.sink.head(head);
  // The head is all there is of it (RFC 9112 §6.3): whatever follows is a fault of the connection's, not of it.
  const isHead = attempt.request.method === "HEAD";
  if (attempt.over || !(isHead || head.status === 204 || head.status === 304)) return;
  // Faulty servers send content behind a head that answers HEAD; it may come late, and would answer the next request.
  response.resume();
  complete(attempt, [], isHead);
}

function onData(attempt: Attempt, response: IncomingMessage, chunk: Buffer): void {
  if (attempt.over) return;
  awaitBody(attempt);
  if (attempt.sink.data(chunk) || attempt.over) return;
  stopTimer(attempt);
  response.pause();
}

function headOf({ statusCode = 0, statusMessage = "", rawHeaders }: IncomingMessage): ResponseHead {
  return { status: statusCode, reason: soundReason(statusMessage), fields: rawHeaders };
}

function resume(this: Attempt): void {
  if (this.over || this.response === undefined) return;
  awaitBody(this);
  this.response.resume();
}

function complete(attempt: Attempt, trailers: readonly string[], isLast: boolean): void {
  const { made, sink } = attempt;
  conclude(attempt);
  // Answered before it had the whole request: what of that is still to come has nowhere to go.
  if (isLast || made?.writableFinished === false) made?.destroy();
  sink.end(trailers);
}

export function failWith(attempt: Attempt, error: Error): void {
  const { sent, response, receivedBefore, socket } = attempt;
  const wasSilent = receivedBefore === (socket?.bytesRead ?? 0);
  breakOff(attempt, failureOf(error, { sent, headSeen: response !== undefined }, wasSilent));
}

function timedOut(this: Attempt, code: TimeoutCode): void {
  breakOff(this, { outcome: "timeout", sent: this.sent, code });
}

function refuse(attempt: Attempt, code: string): void {
  breakOff(attempt, { outcome: "protocol_error", sent: attempt.sent, code });
}

function breakOff(attempt: Attempt, failure: Failure): void {
  if (attempt.over) return;
  attempt.abort();
  attempt.sink.failure(failure);
}

function abort(this: Attempt): void {
  if (this.over) return;
  conclude(this);
  this.giveUp?.();
  this.made?.destroy();
}

/** The one way out: by the end of the response, a change of protocol, a failure, or the caller's abort. */
function conclude(attempt: Attempt): void {
  attempt.over = true;
  stopTimer(attempt);
  attempt.upload?.release();
  attempt.told.onOver(attempt);
}
