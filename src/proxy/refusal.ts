/**
 * The proxy's own answers: problem+json (RFC 9457) with a Proxy-Status field (RFC 9209). They name the kind of
 * failure and nothing of the request.
 *
 * Each has a code that stays what it is, in the body and in the access log: docs/failures.md says what every code means
 * and what to do, and a test keeps that page and this list equal.
 */
import type { Outcome } from "./outcome.ts";
import { failureCode } from "./upstream/failure.ts";
import type { Failure } from "./upstream/port.ts";

export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly code: string;
  /** RFC 9209 §2.3 proxy error type. */
  readonly proxyError: string;
  readonly outcome: Outcome;
  /** One sentence for a person. */
  readonly detail: string;
  /** Seconds after which the client should come again. */
  readonly retryAfter?: number;
  /** What a person's browser is shown in place of the problem: HTML. */
  readonly page?: Buffer;
  /** Whether the connection cannot be trusted to be in step and must close. */
  readonly close: boolean;
}

const phrases = {
  204: "No Content",
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
} as const;
type Status = keyof typeof phrases;

/** The answer to a request that the proxy does not forward, for reasons of its own. */
function rejected(
  status: Status,
  code: string,
  proxyError: string,
  detail: string,
  more: { readonly close?: boolean; readonly retryAfter?: number } = {},
): Refusal {
  return {
    status,
    reason: phrases[status],
    code,
    proxyError,
    outcome: "rejected",
    detail,
    close: false,
    ...more,
  };
}

/** The answer to a request that was forwarded, or was to be, and came to nothing on the way. */
function failed(
  status: Status,
  code: string,
  proxyError: string,
  outcome: Failure["outcome"],
  detail: string,
): Refusal {
  return { status, reason: phrases[status], code, proxyError, outcome, detail, close: false };
}

const request = "http_request_error";

/** Every answer of the proxy's own. */
export const refusals = {
  malformed: rejected(400, "malformed_request", request, "The request is malformed.", { close: true }),
  /** RFC 9110 §7.6.2: an OPTIONS that may go no further is answered by the proxy that it has reached. */
  lastHop: rejected(204, "last_hop", request, "The request may go no further."),
  ambiguousPath: rejected(
    400,
    "ambiguous_path",
    request,
    "The path can be read in more than one way, and by one of them it is another route's.",
  ),
  host: rejected(400, "invalid_host", request, "Exactly one Host field is expected.", { close: true }),
  method: rejected(405, "method_not_forwarded", request, "The method is not forwarded."),
  expectation: rejected(417, "unknown_expectation", request, "Only 100-continue can be expected.", {
    close: true,
  }),
  requestTimeout: rejected(408, "request_timeout", request, "The request did not arrive in time.", {
    close: true,
  }),
  targetTooLong: rejected(414, "target_too_long", request, "The target is too long.", { close: true }),
  headTooLarge: rejected(431, "headers_too_large", request, "The request head is too large.", {
    close: true,
  }),
  bodyTooLarge: rejected(413, "body_too_large", request, "The request's body is too large.", { close: true }),
  ownerUnknown: rejected(
    503,
    "owner_unknown",
    "destination_unavailable",
    "Which side this belongs to cannot be told just now.",
    { retryAfter: 5 },
  ),
  maintenance: rejected(
    503,
    "maintenance",
    "destination_unavailable",
    "The side that this is for is being worked on. Nothing was sent to it.",
  ),
  claimsSpent: rejected(
    429,
    "claims_spent",
    "http_request_denied",
    "This client has used as many new keys as it may in a minute.",
  ),
  storeFilling: rejected(
    429,
    "store_filling",
    "http_request_denied",
    "No new key is remembered just now: the store has little memory left.",
  ),
  draining: rejected(503, "draining", "destination_unavailable", "The proxy is shutting down.", {
    close: true,
    retryAfter: 1,
  }),
  loop: rejected(508, "loop_detected", "proxy_loop_detected", "The request has been here before."),
  internal: rejected(500, "internal", "proxy_internal_error", "The proxy failed.", { close: true }),
  overloaded: failed(
    503,
    "overloaded",
    "connection_limit_reached",
    "shed",
    "The upstream has as many requests as it may.",
  ),
  unavailable: failed(
    503,
    "breaker_open",
    "destination_unavailable",
    "connect_failed",
    "The upstream could not be connected to of late.",
  ),
  connect_failed: failed(
    502,
    "connect_failed",
    "connection_refused",
    "connect_failed",
    "The upstream could not be connected to.",
  ),
  reset: failed(502, "reset", "connection_terminated", "reset", "The upstream closed the connection."),
  protocol_error: failed(
    502,
    "protocol_error",
    "http_protocol_error",
    "protocol_error",
    "The upstream's answer is not valid HTTP.",
  ),
  timeout: failed(504, "timeout", "http_response_timeout", "timeout", "The upstream did not answer in time."),
} as const satisfies Record<string, Refusal>;

/** The answer to a failure of the way to an upstream. */
export function refusalOf(failure: Failure): Refusal {
  const { outcome, retryAfterSeconds: retryAfter } = failure;
  const code = failureCode(failure);
  if (code === refusals.unavailable.code) return { ...refusals.unavailable, ...again(retryAfter) };
  if (outcome === "shed") return { ...refusals.overloaded, ...again(retryAfter) };
  return { ...refusals[outcome], code };
}

function again(retryAfter: number | undefined): Pick<Refusal, "retryAfter"> {
  return retryAfter === undefined ? {} : { retryAfter };
}

/** What answers a refusal: the body's bytes and the fields that go with it, framing left to the transport. */
export function renderRefusal(refusal: Refusal, proxyName: string, requestId: string | undefined) {
  const problem = () =>
    JSON.stringify({
      type: "about:blank",
      title: refusal.reason,
      status: refusal.status,
      code: refusal.code,
      outcome: refusal.outcome,
      detail: refusal.detail,
      ...(requestId === undefined ? {} : { requestId }),
    });
  const body = refusal.page ?? Buffer.from(problem());
  const fields = [
    "Content-Type",
    refusal.page === undefined ? "application/problem+json" : "text/html; charset=utf-8",
    "Cache-Control",
    "no-store",
    "Proxy-Status",
    `${proxyName}; error=${refusal.proxyError}`,
  ];
  if (refusal.status === 204) return { body: Buffer.alloc(0), fields: fields.slice(2) };
  if (refusal.retryAfter !== undefined) fields.push("Retry-After", String(refusal.retryAfter));
  if (refusal.close) fields.push("Connection", "close");
  return { body, fields };
}
