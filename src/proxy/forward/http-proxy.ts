/**
 * The other engine: http-proxy 1.18.1 with a keep-alive Agent an upstream.
 *
 * http-proxy makes the ClientRequest and hands it over through its `buffer` option before a byte of it is written;
 * from there on this file owns both directions, because what the library does by itself loses aborts, hangs on
 * broken bodies, rewrites paths, forwards a chunked GET unframed, and can end the process (see
 * docs/decisions). So: `selfHandleResponse`, path, method, fields and framing set verbatim, own timers, own abort.
 * It is shown a request without fields and a response that nothing is written to.
 *
 * Known deviations, each shown by a test: repeated fields are sent next to each other under the first one's name, and
 * the head of a streamed request leaves with the first byte of its body where a field is not ASCII.
 */
import { Agent, ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Stream } from "node:stream";
import httpProxy from "http-proxy";
import { codes, failureOf } from "./failure.ts";
import type { CreateUpstream, Failure, ForwardRequest, ResponseSink, UpstreamTimeouts } from "./port.ts";
import { hasForeignCoding, soundReason } from "./response-head.ts";
import { awaitBody, awaitHead, keepAwaitingBody, stopTimer, type Timed } from "./timers.ts";
import { createUpload, type Upload } from "./upload.ts";

/** Below the 5 s after which Node and Apache close an idle connection. */
const keepAliveMs = 4000;
const notAscii = /[^\t\x20-\x7e]/;

export const createHttpProxyUpstream: CreateUpstream = ({ name, url, connections, timeouts }) => {
  const proxy = httpProxy.createProxyServer({});
  const agent = new Agent({
    keepAlive: true,
    timeout: keepAliveMs,
    maxSockets: connections ?? Number.POSITIVE_INFINITY,
    maxFreeSockets: Number.POSITIVE_INFINITY,
  });
  const target = {
    protocol: "http:",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 80 : Number(url.port),
  };
  const shown = stage();
  let active = 0;
  let closed = false;
  let onIdle: (() => void) | undefined;

  return {
    name,
    forward(request, sink) {
      active++;
      const exchange = createExchange(request, sink, timeouts, () => {
        active--;
        if (active === 0) onIdle?.();
      });
      if (closed)
        queueMicrotask(() => exchange.fail({ outcome: "connect_failed", sent: false, code: codes.closed }));
      else {
        try {
          const options = {
            target,
            agent,
            selfHandleResponse: true,
            ignorePath: true,
            buffer: takingOver((proxyRequest) => exchange.take(proxyRequest)),
          };
          // The callback takes errors this file hears of by itself: http-proxy throws those nobody asked for.
          proxy.web(shown.request(request.method), shown.response, options, () => {});
        } catch (error) {
          // Nothing has been sent; the caller has no Forwarding yet.
          queueMicrotask(() => exchange.failWith(error instanceof Error ? error : new Error("not sent")));
        }
      }
      return { resume: exchange.resume, abort: exchange.abort };
    },
    async close() {
      closed = true;
      for (const sockets of Object.values(agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy();
      if (active > 0) {
        await new Promise<void>((resolve) => {
          onIdle = resolve;
        });
      }
      agent.destroy();
    },
  };
};

/** The request and response http-proxy wants to see: it copies fields of the one and asks the other if it is done. */
function stage() {
  const socket = new Socket();
  return {
    request(method: string): IncomingMessage {
      const request = new IncomingMessage(socket);
      request.method = method;
      request.url = "/";
      request.headers = {};
      return request;
    },
    response: new ServerResponse(new IncomingMessage(socket)),
  };
}

/** Stands where http-proxy looks for the request's body to pipe, and takes the ClientRequest instead. */
function takingOver(take: (proxyRequest: ClientRequest) => void): Stream {
  const stream = new Stream();
  stream.pipe = (destination) => {
    if (destination instanceof ClientRequest) take(destination);
    return destination;
  };
  return stream;
}

function createExchange(
  request: ForwardRequest,
  sink: ResponseSink,
  timeouts: UpstreamTimeouts,
  onOver: () => void,
) {
  let proxyRequest: ClientRequest | undefined;
  let response: IncomingMessage | undefined;
  let upload: Upload | undefined;
  let connectTimer: NodeJS.Timeout | undefined;
  let sent = false;
  let over = false;
  const timed: Timed = {
    timeouts,
    timer: undefined,
    awaited: undefined,
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
    taken.once("upgrade", (_head, socket) => {
      socket.destroy();
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
    if (!socket.connecting) {
      onConnected();
      return;
    }
    connectTimer = setTimeout(() => {
      breakOff({ outcome: "connect_failed", sent: false, code: codes.connectTimeout });
    }, timeouts.connectMs);
    socket.once("connect", onConnected);
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
    breakOff(failureOf(error, { sent, headSeen: response !== undefined }));
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
