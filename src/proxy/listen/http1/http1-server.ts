/**
 * HTTP/1.1 on the connections of a listener, by node:http: limits on heads and idle connections, one request of a
 * connection after another, changes of protocol, and what the parser refuses.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Inbound } from "../../inbound.ts";
import { type Refusal, refusals, renderRefusal } from "../../refusal.ts";
import { type HeadLimits, hasLongTarget } from "../../request/target.ts";
import type { ClientConnection, ClientConnections } from "../connections.ts";
import type { Introduced } from "../proxy-protocol.ts";
import { createUpgrades, isHandshake } from "../websocket.ts";
import { createUncorking, inboundOf } from "./http1.ts";
import { forgetAnswered, giveUp, type Pipelined, takeInTurn } from "./pipelining.ts";

/** How long a refused connection is still read. */
const lingerMs = 1000;

/** What the parser says, and of what. */
type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

interface Http1ServerOptions {
  /** @param cut breaks the request's connection off */
  readonly handle: (inbound: Inbound, cut: { destroy(): void }) => void;
  readonly connections: ClientConnections;
  /** What a connection said in front of its first request, if anything. */
  readonly introduced: (socket: Socket) => Introduced | undefined;
  readonly limits: () => HeadLimits;
  readonly proxyName: string;
  /** Counts what is refused before there is an exchange. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** @returns a server that need not listen itself: it takes a connection by its event `connection` */
export function createHttp1Server(options: Http1ServerOptions): Server {
  const { connections, introduced, limits, headTimeoutMs, idleTimeoutMs } = options;
  const settings = {
    // From Node 24.9 on, which reads the body of a request that asks for another protocol itself: what is no handshake
    // never leaves the parser there. Before, the listener for upgrades gives it back (websocket.ts).
    shouldUpgradeCallback: isHandshake,
    headersTimeout: headTimeoutMs,
    // Bodies have their own limits: the upstream's idle and total timeouts.
    requestTimeout: 0,
    keepAliveTimeout: idleTimeoutMs,
    connectionsCheckingInterval: Math.min(2000, headTimeoutMs),
    noDelay: true,
    insecureHTTPParser: false,
    // Host is checked by the exchange, with an answer of the same form as every other refusal.
    requireHostHeader: false,
  };
  const server = createServer(settings);
  // Read by node:http as a connection begins, before its own listener of the event.
  server.prependListener("connection", () => Reflect.set(server, "maxHeaderSize", limits().headBytes));
  // node:http would leave out what comes behind the thousandth field, unsaid; the size of the head bounds them.
  server.maxHeadersCount = 0;
  server.on("connection", (socket) => {
    if (connections.knows(socket)) return;
    if (connections.admits(socket)) connections.add(socket, 0, introduced(socket));
    else socket.destroy();
  });
  takeRequests(server, options);
  return server;
}

function takeRequests(server: Server, options: Http1ServerOptions): void {
  const { handle, connections } = options;
  const answerOptions = {
    draining: () => connections.phase !== "serving",
    uncorkSoon: createUncorking(),
  };
  const upgrades = createUpgrades({
    isAnswering: (socket) => connections.of(socket).answering > 0,
    peerOf: (socket) => connections.of(socket).peer,
    asPlain: (socket) => server.emit("connection", socket),
    handle(inbound, socket) {
      // Answering for as long as it lasts: a change of protocol is no idleness.
      const connection = connections.of(socket);
      connection.answering = 1;
      socket.on("close", () => answered(connection));
      if (connections.phase === "overdue") refuse(socket, refusals.draining, options);
      else handle(inbound, socket);
    },
  });
  function answered(connection: ClientConnection): void {
    if (!connections.answered(connection)) return;
    forgetAnswered(connection);
    upgrades.answered(connection.socket);
  }
  const taking = (expectsContinue: boolean) => {
    const begin = (pipelined: Pipelined) => {
      const { request, response } = pipelined;
      if (request.httpVersionMajor !== 1) return refuse(request.socket, refusals.malformed, options);
      if (connections.phase === "overdue") return refuse(request.socket, refusals.draining, options);
      const { peer } = connections.of(request.socket);
      const inbound = inboundOf(request, response, peer, expectsContinue, answerOptions);
      pipelined.answer = inbound.answer;
      handle(inbound, response);
    };
    return (request: IncomingMessage, response: ServerResponse) => {
      const connection = connections.of(request.socket);
      connection.answering += 1;
      const pipelined = takeInTurn(connection, request, response, begin);
      response.on("close", () => {
        answered(connection);
        pipelined.answer?.closed();
      });
    };
  };
  server.on("request", taking(false));
  server.on("checkContinue", taking(true));
  server.on("upgrade", upgrades.onUpgrade);
  refuseUnreadable(server, options);
}

/** What is no request that could be forwarded is refused behind the answers before it. */
function refuseUnreadable(server: Server, options: Http1ServerOptions): void {
  const { connections } = options;
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    takeInTurn(connections.of(socket), request, response, () =>
      refuse(socket, refusals.expectation, options),
    );
  });
  server.on("connect", ({ socket }) => {
    // The server's own wiring has gone with the parser.
    socket.on("error", () => socket.destroy());
    giveUp(connections.of(socket), false, () => refuse(socket, { ...refusals.method, close: true }, options));
  });
  server.on("clientError", (error: ParserError, socket: Socket) => {
    // A connection made in advance and never used is no request, and nobody waits for an answer on it.
    const connection = connections.of(socket);
    const isUnused = error.code === "ERR_HTTP_REQUEST_TIMEOUT" && isUnread(connection);
    if (isUnused || error.code === "ECONNRESET" || error.code === "EPIPE") return void socket.destroy();
    giveUp(connection, error.code === "HPE_INVALID_EOF_STATE", () => {
      refuse(socket, parserRefusal(error, options.limits()), options);
    });
  });
}

function isUnread({ socket, prefaceBytes }: ClientConnection): boolean {
  return socket.bytesRead === prefaceBytes;
}

function parserRefusal({ code, rawPacket }: ParserError, { targetBytes }: HeadLimits): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") {
    return hasLongTarget(rawPacket, targetBytes) ? refusals.targetTooLong : refusals.headTooLarge;
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return refusals.requestTimeout;
  return refusals.malformed;
}

/** The last word on the connection, past node:http. */
function refuse(socket: Socket, refusal: Refusal, options: Http1ServerOptions): void {
  const { connections, onRefused, proxyName } = options;
  // It is refused already, and what still comes is only read so that the refusal can be.
  if (!socket.writable) return;
  connections.of(socket).isRefused = true;
  onRefused(refusal);
  const { body, fields } = renderRefusal(refusal, proxyName, undefined);
  fields.push("Date", new Date().toUTCString(), "Content-Length", `${body.length}`);
  let head = `HTTP/1.1 ${refusal.status} ${refusal.reason}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  socket.end(`${head}\r\n${body.toString("latin1")}`, "latin1");
  // To close at once would be a reset where octets are unread, and take the refusal away (RFC 9112 §9.6).
  setTimeout(() => socket.destroy(), lingerMs).unref();
}
