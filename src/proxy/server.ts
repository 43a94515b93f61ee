/**
 * The proxy's listener: limits on heads and idle connections, what the parser refuses, and the way down.
 *
 * Stopping: no new connections, idle ones closed, each answer still to come closes its own; what is left after
 * the grace is cut.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6, type Socket } from "node:net";
import type { Exchange } from "./exchange.ts";
import { inboundOf } from "./node-http.ts";
import { type Refusal, refusals, renderRefusal } from "./refusal.ts";

/** Bytes of a request head (431 above it). */
const maxHeadBytes = 16_384;
/** A head that takes longer is a slow-loris attack or a dead peer (408). */
const headTimeoutMs = 15_000;
/** Longer than the 60 s after which common load balancers let go, so that they close first. */
const idleTimeoutMs = 65_000;

export interface ProxyServer {
  /** @returns the port taken */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** @param graceMs how long exchanges in flight may go on */
  close(graceMs: number): Promise<void>;
}

export interface ProxyServerOptions {
  readonly exchange: Exchange;
  readonly proxyName: string;
  /** Counts what the parser refused, before there was an exchange. */
  readonly onRefused: (refusal: Refusal) => void;
  readonly onFault: (error: unknown) => void;
}

export function createProxyServer({
  exchange,
  proxyName,
  onRefused,
  onFault,
}: ProxyServerOptions): ProxyServer {
  let draining = false;
  /** Sockets with an answer under way: what the parser says then can not be answered in between. */
  const answering = new WeakSet<Socket>();

  const handle = (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    answering.add(socket);
    response.on("close", () => answering.delete(socket));
    try {
      exchange(inboundOf(request, response, { expectsContinue, draining: () => draining }));
    } catch (error) {
      onFault(error);
      response.destroy();
    }
  };
  const refuseRaw = (socket: Socket, refusal: Refusal) => {
    onRefused(refusal);
    if (!socket.writable || answering.has(socket)) return socket.destroy();
    const { body, fields } = renderRefusal(refusal, proxyName, undefined);
    let head = `HTTP/1.1 ${refusal.status} ${refusal.reason}\r\n`;
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
    socket.end(`${head}Content-Length: ${body.length}\r\n\r\n${body.toString("latin1")}`, "latin1");
    return socket;
  };

  const server = createServer({
    maxHeaderSize: maxHeadBytes,
    headersTimeout: headTimeoutMs,
    // Bodies have their own limits: the upstream's idle and total timeouts.
    requestTimeout: 0,
    keepAliveTimeout: idleTimeoutMs,
    connectionsCheckingInterval: 2000,
    noDelay: true,
    insecureHTTPParser: false,
    // Host is checked by the exchange, with an answer of the same form as every other refusal.
    requireHostHeader: false,
  });
  server.on("request", handle(false));
  server.on("checkContinue", handle(true));
  server.on("checkExpectation", (request: IncomingMessage) => {
    refuseRaw(request.socket, refusals.expectation);
  });
  server.on("connect", (_request, socket) => {
    onRefused(refusals.method);
    socket.end("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || error.code === "EPIPE") return void socket.destroy();
    refuseRaw(socket, parserRefusal(error.code));
  });

  return {
    listen({ host, port }) {
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port }, () => {
          server.off("error", reject);
          server.on("error", onFault);
          resolve(portOf(server.address()));
        });
      });
    },
    close(graceMs) {
      draining = true;
      return new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

function parserRefusal(code: string | undefined): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") return refusals.headTooLarge;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return refusals.requestTimeout;
  return refusals.malformed;
}

export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the listener has no port");
  return address.port;
}

/** @returns the origin of a listener, an IPv6 address in brackets */
export function originOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
