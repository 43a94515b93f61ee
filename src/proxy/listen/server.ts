/**
 * The proxy's listener: limits on heads and idle connections, what the parser refuses, and the way down.
 *
 * Stopping: no new connections; each answer whose head is still to come closes its connection (RFC 9112 §9.6); one
 * that stays idle for a while is closed, and not sooner, since a request may be on its way; what is left after the
 * grace is cut.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6, Server as NetServer, type Socket } from "node:net";
import type { Handle } from "../exchange.ts";
import type { Inbound } from "../inbound.ts";
import { type Refusal, refusals, renderRefusal } from "../refusal.ts";
import { hasLongTarget } from "../request/target.ts";
import type { ConnectionCounts } from "./connections.ts";
import { createRelease, inboundOf } from "./http1.ts";
import { createSessions } from "./http2-sessions.ts";
import { createTurns, type Turn } from "./pipelining.ts";
import { createSecureListener } from "./tls.ts";
import { createUpgrades } from "./websocket.ts";

/** Bytes of a request head (431 above it). */
const maxHeadBytes = 16_384;
/** A head that takes longer is a slow-loris attack or a dead peer (408). */
const defaultHeadTimeoutMs = 15_000;
/** Longer than the 60 s after which common load balancers let go, so that they close first. */
const defaultIdleTimeoutMs = 65_000;
/** How long a refused connection is still read, and one may be idle once the listener stops unless that is told. */
const lingerMs = 1000;

/** An address, or a listening socket that was handed to the process. */
export type ListenAt = { readonly host: string; readonly port: number } | { readonly fd: number };

/** An open connection. */
interface Line {
  /** Answers under way on it or waiting their turn. */
  answering: number;
}

/** What the parser says, and of what. */
type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

export interface ProxyServer {
  /** @returns the port taken */
  listen(at: ListenAt): Promise<number>;
  /** Looks at the files of the certificate now, and not only in its turn. */
  refresh(): void;
  /** @param graceMs how long exchanges in flight may go on */
  close(graceMs: number, idleMs?: number): Promise<void>;
}

export interface ProxyServerOptions {
  readonly exchange: Handle;
  readonly proxyName: string;
  /** Counts what the parser refused, before there was an exchange. */
  readonly onRefused: (refusal: Refusal) => void;
  /** Client connections at once; those above it are closed before anything is read. */
  readonly maxConnections: () => number;
  readonly connections: ConnectionCounts;
  /** Paths of a certificate and its key: HTTPS, with HTTP/2. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly onFault: (error: unknown) => void;
  /** How long a head may take to arrive, of a new connection and of a kept one alike. */
  readonly headTimeoutMs?: number;
  /** 65,000 without it. */
  readonly idleTimeoutMs?: number;
}

export function createProxyServer({
  exchange,
  proxyName,
  onRefused,
  maxConnections,
  connections,
  tls,
  onFault,
  headTimeoutMs = defaultHeadTimeoutMs,
  idleTimeoutMs = defaultIdleTimeoutMs,
}: ProxyServerOptions): ProxyServer {
  let draining = false;
  const open = new Map<Socket, Line>();
  const turns = createTurns();

  const upgrades = createUpgrades({
    isAnswering: (socket) => lineOf(socket).answering > 0,
    asPlain: (socket) => server.emit("connection", socket),
    handle(inbound, socket) {
      // Held for as long as it is open: a change of protocol is no idleness.
      const line = lineOf(socket);
      line.answering = 1;
      socket.on("close", () => answered(socket, line));
      begin(inbound, socket);
    },
  });
  const answerOptions = { draining: () => draining, releaseSoon: createRelease() };
  const handle = (expectsContinue: boolean) => {
    const start = (turn: Turn) => {
      const { request, response } = turn;
      if (request.httpVersionMajor !== 1) return refuseRaw(request.socket, refusals.malformed);
      const inbound = inboundOf(request, response, expectsContinue, answerOptions);
      turn.answer = inbound.answer;
      begin(inbound, response);
    };
    return (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      const line = lineOf(socket);
      line.answering += 1;
      const turn = turns.take(request, response, start);
      response.on("close", () => {
        answered(socket, line);
        turn.answer?.closed();
      });
    };
  };
  const begin = (inbound: Inbound, cut: { destroy(): void }) => {
    try {
      exchange(inbound);
    } catch (error) {
      onFault(error);
      cut.destroy();
    }
  };
  const answered = (socket: Socket, line: Line) => {
    line.answering -= 1;
    if (line.answering <= 0) {
      line.answering = 0;
      turns.answered(socket);
      upgrades.answered(socket);
    }
    if (draining) closeOnceIdle(socket, line);
  };
  const lineOf = (socket: Socket): Line => open.get(socket) ?? { answering: 0 };
  let idleMs = lingerMs;
  const closeOnceIdle = (socket: Socket, line: Line) => {
    if (line.answering > 0) return;
    const close = () => {
      if (line.answering === 0) socket.destroy();
    };
    // After what has arrived was read: a busy process hears of its timers first.
    setTimeout(() => setImmediate(close), idleMs).unref();
  };
  const refuseRaw = (socket: Socket, refusal: Refusal) => {
    // It is refused already, and what still comes is only read so that the refusal can be.
    if (!socket.writable) return;
    onRefused(refusal);
    const { body, fields } = renderRefusal(refusal, proxyName, undefined);
    fields.push("Date", new Date().toUTCString(), "Content-Length", `${body.length}`);
    let head = `HTTP/1.1 ${refusal.status} ${refusal.reason}\r\n`;
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
    socket.end(`${head}\r\n${body.toString("latin1")}`, "latin1");
    // To close at once would be a reset where octets are unread, and take the refusal away (RFC 9112 §9.6).
    setTimeout(() => socket.destroy(), lingerMs).unref();
  };

  const server = createServer({
    maxHeaderSize: maxHeadBytes,
    headersTimeout: headTimeoutMs,
    // Bodies have their own limits: the upstream's idle and total timeouts.
    requestTimeout: 0,
    keepAliveTimeout: idleTimeoutMs,
    connectionsCheckingInterval: Math.min(2000, headTimeoutMs),
    noDelay: true,
    insecureHTTPParser: false,
    // Host is checked by the exchange, with an answer of the same form as every other refusal.
    requireHostHeader: false,
  });
  // Not net.Server's own limit: of workers that share a port it hands the connection from one to the next, and on.
  const admits = (handshakes = 0) => {
    const admitted = open.size + handshakes < maxConnections();
    if (!admitted) connections.refused();
    return admitted;
  };
  const opened = (socket: Socket, line: Line) => {
    open.set(socket, line);
    connections.opened();
    socket.on("close", () => {
      open.delete(socket);
      connections.closed();
    });
  };
  // node:http would leave out what comes behind the thousandth field, unsaid; the size of the head bounds them.
  server.maxHeadersCount = 0;
  server.on("connection", (socket) => {
    if (open.has(socket)) return;
    if (!admits()) {
      socket.destroy();
      return;
    }
    const line = { answering: 0 };
    opened(socket, line);
    if (draining) closeOnceIdle(socket, line);
  });
  server.on("request", handle(false));
  server.on("checkContinue", handle(true));
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    turns.take(request, response, () => refuseRaw(request.socket, refusals.expectation));
  });
  server.on("upgrade", upgrades.onUpgrade);
  server.on("connect", ({ socket }) => {
    // The server's own wiring has gone with the parser.
    socket.on("error", () => socket.destroy());
    turns.giveUp(socket, false, () => refuseRaw(socket, { ...refusals.method, close: true }));
  });
  server.on("clientError", (error: ParserError, socket: Socket) => {
    // A connection opened in advance and never used is no request, and nobody waits for an answer on it.
    const isUnused = error.code === "ERR_HTTP_REQUEST_TIMEOUT" && socket.bytesRead === 0;
    if (isUnused || error.code === "ECONNRESET" || error.code === "EPIPE") return void socket.destroy();
    turns.giveUp(socket, error.code === "HPE_INVALID_EOF_STATE", () => {
      refuseRaw(socket, parserRefusal(error));
    });
  });

  const sessions = createSessions({
    handle: begin,
    onRefused,
    proxyName,
    idleTimeoutMs,
    monotonic: () => performance.now(),
  });
  const secure =
    tls &&
    createSecureListener({
      files: tls,
      admits,
      onHttp1: (socket) => server.emit("connection", socket),
      onHttp2(socket) {
        // Its session says when it is over.
        opened(socket, { answering: 1 });
        sessions.take(socket);
      },
      onFault,
    });
  // Where node:http does not listen itself it is told to begin to look for slow heads.
  if (secure !== undefined) server.emit("listening");
  const front: NetServer = secure?.server ?? server;

  return {
    listen(at) {
      return new Promise((resolve, reject) => {
        front.once("error", reject);
        front.listen(at, () => {
          front.off("error", reject);
          front.on("error", onFault);
          resolve(portOf(front.address()));
        });
      });
    },
    refresh: () => secure?.refresh(),
    close(graceMs, idleMost = lingerMs) {
      idleMs = idleMost;
      draining = true;
      return new Promise((resolve) => {
        const cut = setTimeout(() => {
          for (const socket of open.keys()) socket.destroy();
          secure?.cut();
        }, graceMs);
        // node:http's own would close what is idle at once, and with it requests on their way.
        NetServer.prototype.close.call(front, () => {
          clearTimeout(cut);
          resolve();
        });
        for (const [socket, line] of open) closeOnceIdle(socket, line);
        sessions.drain();
      });
    },
  };
}

function parserRefusal({ code, rawPacket }: ParserError): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") {
    return hasLongTarget(rawPacket) ? refusals.targetTooLong : refusals.headTooLarge;
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return refusals.requestTimeout;
  return refusals.malformed;
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the listener has no port");
  return address.port;
}

/** @returns the origin of a listener, an IPv6 address in brackets */
export function originOf(host: string, port: number, scheme: "http" | "https" = "http"): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
