/**
 * The proxy's own answers: problem+json (RFC 9457) with a Proxy-Status field (RFC 9209). They name the kind of
 * failure and nothing of the request.
 */
import type { Outcome } from "./outcome.ts";
import { codes } from "./upstream/failure.ts";
import type { Failure } from "./upstream/port.ts";

export interface Refusal {
  readonly status: number;
  readonly reason: string;
  /** RFC 9209 §2.3 proxy error type. */
  readonly proxyError: string;
  readonly outcome: Outcome;
  /** One sentence for a person. */
  readonly detail: string;
  /** Seconds after which the client should come again. */
  readonly retryAfter?: number;
  /** Whether the connection can not be trusted to be in step and must close. */
  readonly close: boolean;
}

function refusal(
  status: number,
  reason: string,
  proxyError: string,
  outcome: Outcome,
  detail: string,
  close = false,
): Refusal {
  return { status, reason, proxyError, outcome, detail, close };
}

/** Every answer of the proxy's own. */
export const refusals = {
  malformed: refusal(400, "Bad Request", "http_request_error", "rejected", "The request is malformed.", true),
  /** RFC 9110 §7.6.2: an OPTIONS that may go no further is answered by whom it has reached. */
  lastHop: refusal(204, "No Content", "http_request_error", "rejected", "The request may go no further."),
  ambiguousPath: refusal(
    400,
    "Bad Request",
    "http_request_error",
    "rejected",
    "The path can be read in more than one way: dot segments, encoded slashes and backslashes are refused.",
  ),
  host: refusal(
    400,
    "Bad Request",
    "http_request_error",
    "rejected",
    "Exactly one Host field is expected.",
    true,
  ),
  method: refusal(
    405,
    "Method Not Allowed",
    "http_request_error",
    "rejected",
    "The method is not forwarded.",
  ),
  expectation: refusal(
    417,
    "Expectation Failed",
    "http_request_error",
    "rejected",
    "Only 100-continue can be expected.",
    true,
  ),
  requestTimeout: refusal(
    408,
    "Request Timeout",
    "http_request_error",
    "rejected",
    "The request did not arrive in time.",
    true,
  ),
  targetTooLong: refusal(
    414,
    "URI Too Long",
    "http_request_error",
    "rejected",
    "The target is too long.",
    true,
  ),
  headTooLarge: refusal(
    431,
    "Request Header Fields Too Large",
    "http_request_error",
    "rejected",
    "The request head is too large.",
    true,
  ),
  bodyTooLarge: refusal(
    413,
    "Content Too Large",
    "http_request_error",
    "rejected",
    "The request's body is too large.",
    true,
  ),
  overloaded: refusal(
    503,
    "Service Unavailable",
    "connection_limit_reached",
    "rejected",
    "The upstream has as many requests as it may.",
  ),
  unavailable: refusal(
    503,
    "Service Unavailable",
    "destination_unavailable",
    "connect_failed",
    "The upstream could not be connected to of late.",
  ),
  draining: refusal(
    503,
    "Service Unavailable",
    "destination_unavailable",
    "rejected",
    "Shutting down.",
    true,
  ),
  ownerUnknown: {
    ...refusal(
      503,
      "Service Unavailable",
      "destination_unavailable",
      "rejected",
      "Which side this belongs to can not be told just now.",
    ),
    retryAfter: 5,
  },
  loop: refusal(508, "Loop Detected", "proxy_loop_detected", "rejected", "The request has been here before."),
  internal: refusal(
    500,
    "Internal Server Error",
    "proxy_internal_error",
    "rejected",
    "The proxy failed.",
    true,
  ),
  connect_failed: refusal(
    502,
    "Bad Gateway",
    "connection_refused",
    "connect_failed",
    "The upstream could not be connected to.",
  ),
  reset: refusal(502, "Bad Gateway", "connection_terminated", "reset", "The upstream closed the connection."),
  protocol_error: refusal(
    502,
    "Bad Gateway",
    "http_protocol_error",
    "protocol_error",
    "The upstream's answer is not valid HTTP.",
  ),
  timeout: refusal(
    504,
    "Gateway Timeout",
    "http_response_timeout",
    "timeout",
    "The upstream did not answer in time.",
  ),
} as const satisfies Record<string, Refusal>;

/** The answer to a failure of the way to an upstream. */
export function refusalOf({ outcome, code, retryAfterSeconds: retryAfter }: Failure): Refusal {
  if (outcome !== "rejected" && code !== codes.breakerOpen) return refusals[outcome];
  const said = outcome === "rejected" ? refusals.overloaded : refusals.unavailable;
  return retryAfter === undefined ? said : { ...said, retryAfter };
}

/** What answers a refusal: the body's bytes and the fields that go with it, framing left to the transport. */
export function renderRefusal(refusal: Refusal, proxyName: string, requestId: string | undefined) {
  const body = Buffer.from(
    JSON.stringify({
      type: "about:blank",
      title: refusal.reason,
      status: refusal.status,
      code: refusal.outcome,
      detail: refusal.detail,
      ...(requestId === undefined ? {} : { requestId }),
    }),
  );
  const fields = [
    "Content-Type",
    "application/problem+json",
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
