/**
 * The server that the admin listener is: its limits, what is answered before routing, hooks and schemas, and how its
 * connections end.
 *
 * A wrong token of an address that failed too often is answered here, since a flood of them shares the event loop with
 * shoppers where `workers` is 1. The answer is the one that the gate would give. The connection stays: a flooder would
 * begin another, which costs more than an answer.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import type { CertificateFiles } from "../../base/tls/certificate.ts";
import type { Gate } from "../access/gate.ts";
import type { ProblemCode } from "../api/problem-details.ts";
import { problemOf, problemType, tooManyAttempts } from "../problem.ts";
import type { Places } from "./places.ts";
import { secure, underOf } from "./secure.ts";

const maxHeaderBytes = 16 * 1024;
/** For a moment there may be more than keep their places (places.ts). */
const maxConnections = 4096;
/** How many the system may hold back that are not accepted yet. */
export const backlog = 4096;
const requestTimeoutMs = 10_000;
/** Longer than the longest `waitMs`. */
const idleTimeoutMs = 75_000;
const keepAliveMs = 10_000;

interface EarlyOptions {
  readonly gate: Pick<Gate, "blockedForSeconds">;
  /** Whether the path is answered without a token. */
  readonly isPublic: (path: string) => boolean;
  /** The fields of every answer: names and values in turn. */
  readonly everyField: readonly string[];
  /** Hears of each that is refused before its route is known. */
  readonly onRefused: () => void;
  readonly places: Places;
  /** HTTPS alone; without it, HTTP. */
  readonly tls?: CertificateFiles | undefined;
  readonly onFault: (error: unknown) => void;
}

/** @param full answers whatever is not refused here */
export function createListener(full: RequestListener, options: EarlyOptions): Server {
  const { places, tls, onFault } = options;
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: requestTimeoutMs / 2,
      keepAliveTimeout: keepAliveMs,
    },
    (request, response) => {
      const { socket } = request;
      places.asked(request);
      response.once("close", () => places.answered(socket));
      if (!refuses(request, response, options)) full(request, response);
    },
  );
  server.maxConnections = maxConnections;
  server.setTimeout(idleTimeoutMs);
  if (tls !== undefined) secure(server, tls, onFault);
  server.on("connection", (socket) => {
    if (underOf(socket) === socket) places.accepted(socket);
  });
  return server;
}

function refuses(
  { url = "", headers, socket }: IncomingMessage,
  response: ServerResponse,
  { gate, isPublic, everyField, onRefused }: EarlyOptions,
): boolean {
  if (headers.authorization === undefined) return false;
  const seconds = gate.blockedForSeconds(headers.authorization, socket.remoteAddress ?? "");
  if (seconds === 0 || isPublic(url.split("?", 1)[0] ?? "")) return false;
  onRefused();
  const { code, detail, retryAfter } = tooManyAttempts(seconds);
  const body = JSON.stringify(problemOf(code, detail));
  const fields = ["content-type", problemType, "content-length", String(Buffer.byteLength(body))];
  response
    .writeHead(429, [...everyField, "x-request-id", randomUUID(), ...fields, "retry-after", retryAfter])
    .end(body);
  return true;
}

const unparsed: ReadonlyMap<string, readonly [ProblemCode, string]> = new Map([
  ["HPE_HEADER_OVERFLOW", ["headers_too_large", "the header fields are larger than 16 KiB"]],
  ["ERR_HTTP_REQUEST_TIMEOUT", ["request_timeout", "the request took longer than 10 s to arrive"]],
]);

/** What is no HTTP request, or does not come, reaches no route; the answer is written to the bare socket, which then goes. */
export function answerUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable || hasAnswered(socket)) {
    socket.destroy();
    return;
  }
  const [code, detail] = unparsed.get(error.code ?? "") ?? [
    "malformed_request",
    "this is no HTTP/1.1 request",
  ];
  const problem = problemOf(code, detail);
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ""}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  // A peer that never ends its half would keep the connection.
  socket.destroySoon();
}

/** Whether an answer has begun on the socket, so that a second one would corrupt it. */
function hasAnswered(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}

/**
 * Takes over a listening socket that was handed to the process.
 *
 * @throws Error when it cannot be listened on
 */
export async function listenOnSocket(server: Server, fd: number): Promise<void> {
  server.listen({ fd });
  await once(server, "listening");
}

const sweepMs = 20;

/**
 * Is to be called before the server listens.
 *
 * @returns begins the end of its connections: those that wait for nothing end at once, the others when they are done,
 *   and whatever is left after `graceMs` is cut off. It returns what stops looking again
 */
export function watchConnections(server: Server): (graceMs: number) => () => void {
  // Node takes a connection that never carried a request for busy (`closeIdleConnections` passes it by).
  const unused = new Set<Socket>();
  server.on("connection", (socket) => {
    unused.delete(underOf(socket));
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("request", (request) => unused.delete(request.socket));

  function sweep(): void {
    for (const socket of unused) socket.destroy();
    server.closeIdleConnections();
  }

  return (graceMs) => {
    const sweeping = setInterval(sweep, sweepMs);
    const impatience = setTimeout(() => server.closeAllConnections(), graceMs);
    return () => {
      clearInterval(sweeping);
      clearTimeout(impatience);
    };
  };
}
