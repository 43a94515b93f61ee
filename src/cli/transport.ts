/**
 * Sends requests to the admin API, and tells apart what may come back. No call rejects, and none is without an end: its
 * timer keeps the process alive until there is something to say. Each request has a connection of its own, so that one
 * that is accepted and closed at once (a port-forward, a balancer without backends) is a failure and nothing else.
 */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import * as z from "zod";
import { problemDetails } from "../admin/api/problem-details.ts";
import { codeOf } from "../base/errors.ts";
import { jsonOf } from "../base/json.ts";
import { readEvents, type ServerEvent } from "./events.ts";

/** A server that is newer than this client may use codes this one has no words for. */
const anyProblem = problemDetails.extend({ code: z.string() });

export type ApiAnswer<T> =
  /** `from`: the address that has answered. */
  | { readonly kind: "ok"; readonly value: T; readonly from: string }
  /** The API answered with a problem (RFC 9457). */
  | { readonly kind: "refused"; readonly problem: z.output<typeof anyProblem> }
  /** No answer. `sent` = the request may have arrived, and a write may have been made. */
  | { readonly kind: "unreachable"; readonly why: string; readonly sent: boolean }
  /** Something answered that is not the admin API. */
  | { readonly kind: "foreign"; readonly status: number; readonly sent: boolean };

export interface ApiCall {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

export interface TransportOptions {
  /** http or https, without query and credentials; a path is kept as prefix. */
  readonly url: URL;
  readonly token?: string | undefined;
  /** What the admin API is shown where it asks for a certificate. */
  readonly certificate?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

interface Transport {
  ask<T>(schema: z.ZodType<T>, request: ApiCall, timeoutMs: number): Promise<ApiAnswer<T>>;
  /** The time-out is over once the answer has begun. */
  listen(
    path: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ApiAnswer<AsyncIterable<ServerEvent>>>;
}

export function createTransport({ url, token, certificate }: TransportOptions): Transport {
  const base = new URL(url);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const from = url.href.replace(/\/$/, "");

  function send(request: ApiCall, accept: string, exchange: Exchange): Promise<IncomingMessage> {
    const target = new URL(`api/v1/${request.path}`, base);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, value);
    }
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const headers = {
      accept,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": String(body.length) }),
    };
    const { method } = request;
    const { signal } = exchange;
    const open = target.protocol === "https:" ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const outgoing = open(target, { method, headers, signal, agent: false, ...certificate }, resolve);
      outgoing.once("socket", exchange.watch);
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }

  return {
    async ask(schema, request, timeoutMs) {
      const exchange = beginExchange(timeoutMs);
      try {
        const response = await send(request, "application/json", exchange);
        const status = response.statusCode ?? 0;
        const text = await textOf(response);
        const body = jsonOf(text);
        if (!isOk(status)) return refusal(status, body);
        // Where nothing is to be told, a page of somebody else's is not that.
        if (body === undefined && text !== "") return { kind: "foreign", status, sent: true };
        const read = schema.safeParse(body);
        return read.success
          ? { kind: "ok", value: read.data, from }
          : { kind: "foreign", status, sent: true };
      } catch (error) {
        return exchange.failure(error);
      } finally {
        exchange.end();
      }
    },

    async listen(path, timeoutMs, signal) {
      const exchange = beginExchange(timeoutMs, signal);
      try {
        const response = await send({ method: "GET", path }, "text/event-stream", exchange);
        const status = response.statusCode ?? 0;
        if (!isOk(status)) return refusal(status, jsonOf(await textOf(response)));
        if (response.headers["content-type"]?.startsWith("text/event-stream") !== true) {
          response.destroy();
          return { kind: "foreign", status, sent: true };
        }
        return { kind: "ok", value: readEvents(response), from };
      } catch (error) {
        return exchange.failure(error);
      } finally {
        exchange.end();
      }
    },
  };
}

/** A request under way: when it is given up, and how far it has come. */
interface Exchange {
  readonly signal: AbortSignal;
  watch(socket: Socket): void;
  failure(error: unknown): ApiAnswer<never>;
  /** It is not given up any more. */
  end(): void;
}

function beginExchange(timeoutMs: number, left?: AbortSignal): Exchange {
  const given = new AbortController();
  let isConnected = false;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    given.abort();
  }, timeoutMs);
  return {
    signal: left === undefined ? given.signal : AbortSignal.any([left, given.signal]),
    watch(socket) {
      socket.once("connect", () => {
        isConnected = true;
      });
    },
    failure(error) {
      const code = troubleOf(error);
      const late = `no ${isConnected ? "answer" : "connection"} within ${timeoutMs / 1000} s`;
      const why = isLate ? late : (unconnected.get(code) ?? `the connection broke (${code})`);
      return { kind: "unreachable", why, sent: isConnected };
    },
    end: () => clearTimeout(timer),
  };
}

function isOk(status: number): boolean {
  return status >= 200 && status < 300;
}

/** No answer of the API is nearly as long. */
const longestAnswer = 64_000_000;

/** @throws Error when the answer breaks off, or does not end */
async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response) {
    if (!(chunk instanceof Uint8Array)) continue;
    chunks.push(chunk);
    length += chunk.length;
    if (length > longestAnswer) throw new Error("too long an answer");
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(status: number, body: unknown): ApiAnswer<never> {
  const read = anyProblem.safeParse(body);
  return read.success ? { kind: "refused", problem: read.data } : { kind: "foreign", status, sent: true };
}

const unconnected = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ENOTFOUND", "the host name is not known"],
  ["EAI_AGAIN", "the name server does not answer"],
  ["EHOSTUNREACH", "no route to the host"],
  ["ENETUNREACH", "no route to the network"],
  ["ETIMEDOUT", "no connection in time"],
]);

function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return codeOf(error) ?? error.message;
}
