/**
 * What a fault of the way to an upstream is called: the outcome it counts as; the code of Node, llhttp or undici that
 * names it; and the code that an operator meets, which is the same whatever the engine (docs/failures.md). And what in
 * the head of a response is a fault.
 */
import { connectTimeoutCode } from "../../base/dial/dial.ts";
import type { ForwardFailure } from "../outcome.ts";
import type { Failure } from "./port.ts";

/** Codes of our own; all others are those of Node, llhttp (HPE_…) and undici (UND_ERR_…). */
export const codes = {
  connectTimeout: connectTimeoutCode,
  /** The request's body broke off or was not of its declared length: the client's doing, not the upstream's. */
  requestBody: "ERR_REQUEST_BODY",
  /** A 101 nobody asked for (RFC 9110 §15.2.2). */
  unaskedUpgrade: "ERR_UNASKED_UPGRADE",
  /** A status that is none (RFC 9110 §15). */
  statusCode: "ERR_STATUS_CODE",
  /** A version of HTTP that is not 1.x. */
  httpVersion: "ERR_HTTP_VERSION",
  /** A transfer coding other than exactly `chunked`: this hop cannot remove it (RFC 9112 §6.1). */
  transferCoding: "ERR_TRANSFER_CODING",
  closed: "ERR_UPSTREAM_CLOSED",
  /** Not tried: the upstream has as many requests as it may, and as many as may wait. */
  overloaded: "ERR_UPSTREAM_OVERLOADED",
  /** Not tried: the upstream's breaker is open. */
  breakerOpen: "ERR_BREAKER_OPEN",
  unknown: "ERR_UNKNOWN",
} as const;

/** What was known of the exchange when it failed. */
interface Progress {
  /** Whether a byte of the request may have reached the upstream. */
  readonly sent: boolean;
  readonly headSeen: boolean;
}

/** @param wasSilent whether the connection was kept from an earlier exchange and no byte of an answer came on it */
export function failureOf(error: Error, progress: Progress, wasSilent: boolean): Failure {
  const code = codeOf(error);
  const outcome = outcomeOf(code, error.message, progress);
  const failure = { outcome, sent: progress.sent, code };
  return wasSilent && outcome === "reset" ? { ...failure, stale: true } : failure;
}

function codeOf(error: Error): string {
  // undici's copy of llhttp loses the names of its codes.
  if (error.name === "HTTPParserError")
    return error.message.includes("EOF") ? "HPE_INVALID_EOF_STATE" : "HPE_ERROR";
  const code = "code" in error && typeof error.code === "string" ? error.code : codes.unknown;
  // undici calls a 101 it did not ask for by the code of a closed socket.
  return code === "UND_ERR_SOCKET" && error.message === "bad upgrade" ? codes.unaskedUpgrade : code;
}

function outcomeOf(code: string, message: string, { sent, headSeen }: Progress): ForwardFailure {
  if (isOfTheRequest.has(code)) return "protocol_error";
  if (!sent) return "connect_failed";
  switch (code) {
    // The connection ended inside a body.
    case "HPE_INVALID_EOF_STATE":
      return "reset";
    // undici names a body cut short so, and a head that has both framings, whose body it has not begun to read.
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
      return headSeen ? "reset" : "protocol_error";
    // A response it did not ask for (`bad response`) shares its code with a closed socket.
    case "UND_ERR_SOCKET":
      return message.startsWith("bad ") ? "protocol_error" : "reset";
    case "UND_ERR_HEADERS_OVERFLOW":
    case codes.unaskedUpgrade:
      return "protocol_error";
    default:
      return code.startsWith("HPE_") ? "protocol_error" : "reset";
  }
}

/** The engine would not write such a request at all. */
const isOfTheRequest: ReadonlySet<string> = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE",
  "ERR_INVALID_CHAR",
  "ERR_INVALID_HTTP_TOKEN",
  "ERR_UNESCAPED_CHARACTERS",
]);

/** The codes that an operator meets, by outcome; the first of each stands for what has no name of its own. */
export const failureCodes = {
  shed: ["overloaded"],
  connect_failed: [
    "connect_failed",
    "connect_timeout",
    "name_not_found",
    "tls_failed",
    "upstream_closed",
    "breaker_open",
  ],
  timeout: ["timeout", "idle_timeout"],
  reset: ["reset"],
  protocol_error: [
    "protocol_error",
    "unsendable_request",
    "unasked_upgrade",
    "unknown_http_version",
    "unknown_transfer_coding",
    "answer_head_too_large",
  ],
} as const satisfies Record<Failure["outcome"], readonly string[]>;

type FailureCode = (typeof failureCodes)[Failure["outcome"]][number];

const named: ReadonlyMap<string, FailureCode> = new Map<string, FailureCode>([
  [codes.connectTimeout, "connect_timeout"],
  ["ETIMEDOUT", "connect_timeout"],
  ["ENOTFOUND", "name_not_found"],
  ["EAI_AGAIN", "name_not_found"],
  [codes.closed, "upstream_closed"],
  [codes.breakerOpen, "breaker_open"],
  ["ERR_IDLE_TIMEOUT", "idle_timeout"],
  [codes.unaskedUpgrade, "unasked_upgrade"],
  [codes.httpVersion, "unknown_http_version"],
  [codes.transferCoding, "unknown_transfer_coding"],
  ["UND_ERR_HEADERS_OVERFLOW", "answer_head_too_large"],
  ["HPE_HEADER_OVERFLOW", "answer_head_too_large"],
]);

/** What Node calls a handshake that failed and a certificate that is not believed. */
const isOfTls = /^(?:EPROTO$|ERR_SSL_|ERR_TLS_|CERT_|CRL_|UNABLE_TO_|INVALID_|HOSTNAME_|.*SELF_SIGNED)/;

/** @returns the failure's code in the log and in the body of the answer */
export function failureCode({ outcome, code }: Pick<Failure, "outcome" | "code">): FailureCode {
  const known: readonly FailureCode[] = failureCodes[outcome];
  const name = isOfTheRequest.has(code)
    ? "unsendable_request"
    : (named.get(code) ?? (isOfTls.test(code) ? "tls_failed" : undefined));
  return name !== undefined && known.includes(name) ? name : failureCodes[outcome][0];
}

/** @returns the code of what makes the response unfit to be passed on, where something does */
export function faultOfHead(status: number, fields: readonly string[]): string | undefined {
  if (status === 101) return codes.unaskedUpgrade;
  if (status < 100) return codes.statusCode;
  return status >= 200 && hasForeignCoding(fields) ? codes.transferCoding : undefined;
}

/** `chunked` is the one transfer coding this hop takes off; any other would reach the client as if it were content. */
function hasForeignCoding(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i];
    if (name?.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (fields[i + 1]?.trim().toLowerCase() !== "chunked") return true;
    }
  }
  return false;
}

/** RFC 9112 §4: HTAB, SP, VCHAR, obs-text. */
const unclean = /[^\t\x20-\x7e\x80-\xff]/;

/** @returns the reason phrase, or nothing where it could not be written again as it is */
export function soundReason(reason: string): string {
  return unclean.test(reason) ? "" : reason;
}
