/**
 * One exchange over a ClientRequest of node:http that somebody else has made and nothing of which is written yet:
 * target, fields and framing set verbatim, own timers, own abort, and every way it can end told once.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { isConnected, whenConnected } from "../dial.ts";
import { codes, failureOf } from "../failure.ts";
import type { Failure, ForwardRequest, ResponseHead, ResponseSink, Switched } from "../port.ts";
import { hasForeignCoding, soundReason } from "../response-head.ts";
import {
  awaitBody,
  awaitHead,
  expireTimed,
  keepAwaitingBody,
  stopTimer,
  type Timed,
  type Waits,
} from "../timers.ts";
import { createUpload, type Upload } from "../upload.ts";

const notAscii = /[^\t\x20-\x7e]/;

/** @param onSwitched where the request asks for an upgrade: a 101 that grants it; the connection is the caller's */
export function createExchange(
  request: ForwardRequest,
  sink: ResponseSink,
  { waits, connectMs }: { readonly waits: Waits; readonly connectMs: number },
  onOver: () => void,
  onSwitched?: (head: ResponseHead, connection: Switched) => void,
) {
  let proxyRequest: ClientRequest | undefined;
  let response: IncomingMessage | undefined;
  let upload: Upload | undefined;
  let connectTimer: NodeJS.Timeout | undefined;
  let received = () => 0;
  /** Octets its connection had received before; undefined on one made for it. */
  let receivedBefore: number | undefined;
  let sent = false;
  let over = false;
  const timed: Timed = {
    waits,
    dueAt: 0,
    before: undefined,
    behind: undefined,
    awaited: undefined,
    expired: expireTimed,
    timedOut: (code) => breakOff({ outcome: "timeout", sent, code }),
  };
  awaitHead(timed);

  function take(taken: ClientRequest): void {
    proxyRequest = taken;
    taken.on("error", failWith);
    taken.once("socket", onSocket);
    taken.on("information", ({ statusCode, statusMessage, rawHeaders }) => {
      if (!over) sink.interim({ status: statusCode, reason: soundReason(statusMessage), fields: rawHeaders });
    });
    taken.once("upgrade", ({ headers, statusMessage, rawHeaders }, stream, first) => {
      if (!over && onSwitched !== undefined && headers.upgrade?.toLowerCase() === request.upgrade) {
        settle();
        onSwitched(
          { status: 101, reason: soundReason(statusMessage ?? ""), fields: rawHeaders },
          { stream, first },
        );
        return;
      }
      stream.destroy();
      refuse(codes.unaskedUpgrade);
    });
    taken.once("response", onResponse);
    writeHead(taken, request);
    const { body } = request;
    if (body.kind === "none" || (body.kind === "sized" && body.length === 0)) taken.end();
    else if (Buffer.isBuffer(body.content)) taken.end(body.content);
    else {
      upload = createUpload(body.content, body.kind === "sized" ? body.length : undefined, {
        write(chunk) {
          if (response !== undefined) awaitBody(timed);
          if (taken.write(chunk)) return true;
          keepAwaitingBody(timed);
          return false;
        },
        end() {
          keepAwaitingBody(timed);
          taken.end();
        },
        fail: () => breakOff({ outcome: "reset", sent, code: codes.requestBody }),
      });
      taken.on("drain", onDrain);
      taken.once("finish", () => {
        if (!over && response === undefined) awaitHead(timed);
      });
    }
  }

  function onSocket(socket: Socket): void {
    received = () => socket.bytesRead;
    if (proxyRequest?.reusedSocket) receivedBefore = socket.bytesRead;
    if (isConnected(socket)) {
      onConnected();
      return;
    }
    connectTimer = setTimeout(() => {
      breakOff({ outcome: "connect_failed", sent: false, code: codes.connectTimeout });
    }, connectMs);
    whenConnected(socket, onConnected);
  }

  function onConnected(): void {
    clearTimeout(connectTimer);
    if (over) return;
    sent = true;
    if (upload === undefined) {
      awaitHead(timed);
      return;
    }
    stopTimer(timed);
    // Without a body's chunk Node writes the head as UTF-8.
    if (!request.fields.some((part) => notAscii.test(part))) proxyRequest?.flushHeaders();
    upload.resume();
  }

  function onDrain(): void {
    if (over) return;
    if (response === undefined) stopTimer(timed);
    upload?.resume();
  }

  function onResponse(received: IncomingMessage): void {
    response = received;
    received.on("error", failWith);
    if (over) return;
    if (hasForeignCoding(received.rawHeaders)) {
      refuse(codes.transferCoding);
      return;
    }
    // Node calls only those 101s an upgrade that name a protocol.
    if (received.statusCode === 101) {
      refuse(codes.unaskedUpgrade);
      return;
    }
    if (received.httpVersionMajor !== 1) {
      refuse(codes.httpVersion);
      return;
    }
    awaitBody(timed);
    received.on("data", (chunk: Buffer) => {
      if (over) return;
      awaitBody(timed);
      if (sink.data(chunk) || over) return;
      stopTimer(timed);
      received.pause();
    });
    received.once("end", () => {
      if (over) return;
      settle();
      // It answered before it had the whole request: what of that is still to come has nowhere to go.
      if (proxyRequest?.writableFinished === false) proxyRequest.destroy();
      sink.end(received.rawTrailers);
    });
    sink.head({
      status: received.statusCode ?? 0,
      reason: soundReason(received.statusMessage ?? ""),
      fields: received.rawHeaders,
    });
    // The head is all there is of it (RFC 9112 §6.3): whatever follows is a fault of the connection's, not of it.
    const { statusCode } = received;
    if (request.method === "HEAD" || statusCode === 204 || statusCode === 304) endsAtHead(received);
  }

  function endsAtHead(received: IncomingMessage): void {
    if (over) return;
    settle();
    // Faulty servers send content behind a head that answers HEAD; it may come late, and would answer the next request.
    if (request.method === "HEAD" || proxyRequest?.writableFinished === false) proxyRequest?.destroy();
    received.resume();
    sink.end([]);
  }

  function resume(): void {
    if (over || response === undefined) return;
    awaitBody(timed);
    response.resume();
  }

  /** A request that waits for a connection stays in the Agent's queue and is dropped unsent when its turn comes. */
  function abort(): void {
    if (over) return;
    settle();
    proxyRequest?.destroy();
  }

  function breakOff(failure: Failure): void {
    if (over) return;
    abort();
    sink.failure(failure);
  }

  function refuse(code: string): void {
    breakOff({ outcome: "protocol_error", sent, code });
  }

  function failWith(error: Error): void {
    breakOff(failureOf(error, { sent, headSeen: response !== undefined }, receivedBefore === received()));
  }

  function settle(): void {
    over = true;
    stopTimer(timed);
    clearTimeout(connectTimer);
    upload?.release();
    onOver();
  }

  return { take, resume, abort, fail: breakOff, failWith };
}

/** Target, fields and framing as given: http-proxy has rewritten the one, and Node would choose the other. */
function writeHead(proxyRequest: ClientRequest, { method, target, fields, body }: ForwardRequest): void {
  proxyRequest.method = method;
  proxyRequest.path = target;
  // node:http would leave out what comes behind the thousandth field of the response, unsaid.
  proxyRequest.maxHeadersCount = 0;
  if (proxyRequest.hasHeader("content-length")) proxyRequest.removeHeader("content-length");
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (name.toLowerCase() === "host") proxyRequest.removeHeader("host");
    proxyRequest.appendHeader(name, fields[i + 1] ?? "");
  }
  if (body.kind === "none") return;
  if (Buffer.isBuffer(body.content)) proxyRequest.setHeader("content-length", body.content.length);
  else if (body.kind === "sized") proxyRequest.setHeader("content-length", body.length);
  else proxyRequest.setHeader("transfer-encoding", "chunked");
}
