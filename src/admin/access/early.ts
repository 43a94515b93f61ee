/**
 * The admin listener's server. A wrong token of an address that failed too often is answered here, before routing,
 * hooks and schemas: a flood of them shares the event loop with shoppers where `workers` is 1. The answer is the one
 * that the gate would give. The connection stays: who floods would open another, which costs more than an answer.
 */
import { randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { problemOf, problemType, tooManyAttempts } from "../problem.ts";
import type { Gate } from "./gate.ts";

export interface EarlyOptions {
  readonly gate: Pick<Gate, "blockedForSeconds">;
  /** Whether the path is answered without a token. */
  readonly isOpen: (path: string) => boolean;
  /** Names and values in turn. */
  readonly everyAnswer: readonly string[];
}

export interface ServerLimits {
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  readonly requestTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** @param full answers whatever is not refused here */
export function createRefusingServer(
  full: RequestListener,
  options: EarlyOptions,
  limits: ServerLimits,
): Server {
  const { gate, isOpen, everyAnswer } = options;

  function refuses(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = "", headers, socket } = request;
    if (headers.authorization === undefined) return false;
    const seconds = gate.blockedForSeconds(headers.authorization, socket.remoteAddress ?? "");
    if (seconds === 0 || isOpen(url.split("?", 1)[0] ?? "")) return false;
    const { code, detail, retryAfter } = tooManyAttempts(seconds);
    const body = JSON.stringify(problemOf(code, detail));
    const fields = ["content-type", problemType, "content-length", String(Buffer.byteLength(body))];
    response
      .writeHead(429, [...everyAnswer, "x-request-id", randomUUID(), ...fields, "retry-after", retryAfter])
      .end(body);
    return true;
  }

  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.requestTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.requestTimeoutMs / 2,
      keepAliveTimeout: limits.keepAliveMs,
    },
    (request, response) => {
      if (!refuses(request, response)) full(request, response);
    },
  );
  server.maxConnections = limits.maxConnections;
  server.setTimeout(limits.idleTimeoutMs);
  return server;
}
