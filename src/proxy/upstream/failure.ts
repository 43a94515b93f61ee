/**
 * What a fault of the way to an upstream is called: the outcome it counts as, and the code that names it; and what in the
 * head of a response is one, whatever the engine.
 */
import type { ForwardFailure } from "../outcome.ts";
import type { Failure } from "./port.ts";

/** Codes of our own; all others are those of Node, llhttp (HPE_…) and undici (UND_ERR_…). */
export const codes = {
  connectTimeout: "ERR_CONNECT_TIMEOUT",
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
export interface Progress {
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
  return "code" in error && typeof error.code === "string" ? error.code : codes.unknown;
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
    // A response it did not ask for (`bad response`, `bad upgrade`) shares its code with a closed socket.
    case "UND_ERR_SOCKET":
      return message.startsWith("bad ") ? "protocol_error" : "reset";
    case "UND_ERR_HEADERS_OVERFLOW":
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
