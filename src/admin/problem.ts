/**
 * What the admin API answers when it does not do as asked: problem details (RFC 9457) with a stable `code`.
 * One catalogue: the code decides the status, the detail is for people and never contains a secret, a body or
 * a stack trace.
 */
import { STATUS_CODES } from "node:http";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { StoreUnavailable } from "../base/errors.ts";
import type { CutoverState, RefusalCode } from "../state/rules/model.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import type { ProblemCode, ProblemDetails } from "./api/problem-details.ts";

export const problemType = "application/problem+json";

export const statusOf = {
  malformed_request: 400,
  malformed_body: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  version_conflict: 409,
  rolled_back: 409,
  held: 409,
  closed: 409,
  not_complete: 409,
  approval_required: 409,
  under_way: 409,
  cohort_on_legacy: 409,
  without_effect: 409,
  out_of_order: 409,
  in_window: 409,
  frozen: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  invalid: 422,
  too_many_attempts: 429,
  headers_too_large: 431,
  internal: 500,
  too_many_streams: 503,
  store_unavailable: 503,
  issuer_unavailable: 503,
} as const satisfies Record<ProblemCode, number>;

type Extras = Pick<ProblemDetails, "errors" | "current" | "underWay" | "until">;

/** Thrown by a route or hook; the error handler turns it into the answer. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: ProblemCode;
  readonly extras: Extras;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { extras?: Extras; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.code = code;
    this.extras = more.extras ?? {};
    this.headers = more.headers ?? {};
  }
}

/** The title is the status's own phrase, as `about:blank` asks (RFC 9457 §4.2.1); `code` tells the kind. */
export function problemOf(code: ProblemCode, detail: string, extras: Extras = {}): ProblemDetails {
  const status = statusOf[code];
  return { type: "about:blank", title: STATUS_CODES[status] ?? "", status, code, detail, ...extras };
}

/** What a wrong token of an address is answered with that has failed too often. */
export function tooManyAttempts(seconds: number) {
  return {
    code: "too_many_attempts",
    detail: `this address failed too often: again in ${seconds} s`,
    retryAfter: String(seconds),
  } as const;
}

const refusalDetails = {
  forbidden: "the role may not make this change",
  version_conflict: "the state has another version than ifVersion says",
  held: "the cutover is held: resume it first",
  rolled_back: "the cutover is rolled back: resume it first",
  closed: "legacy is closed for good: nothing can change",
  not_complete: "closing needs percent 100",
  approval_required: "a raise by so much needs another person's approval",
} as const satisfies Record<RefusalCode, string>;

/** A refusal of the rule book, with the state that it was judged by. */
export function refusedByRules(code: RefusalCode, state: CutoverState): Refused {
  return new Refused(code, refusalDetails[code], { extras: { current: currentOf(state) } });
}

/** How a cutover stands that a change of was refused. */
export function currentOf({ percentThousandths, state, version }: CutoverState) {
  return { percent: percentToNumber(percentThousandths), state, version };
}

/** What fastify raises before a handler runs, by its error code. */
const frameworkCodes: ReadonlyMap<string, ProblemCode> = new Map([
  ["FST_ERR_CTP_BODY_TOO_LARGE", "body_too_large"],
  ["FST_ERR_CTP_INVALID_MEDIA_TYPE", "unsupported_media_type"],
  ["FST_ERR_CTP_INVALID_CONTENT_LENGTH", "malformed_body"],
  ["FST_CSRF_MISSING_SECRET", "forbidden"],
  ["FST_CSRF_INVALID_TOKEN", "forbidden"],
  ["FST_ERR_BAD_URL", "not_found"],
  ["FST_ERR_MAX_PARAM_LENGTH", "not_found"],
]);

const frameworkDetails: ReadonlyMap<ProblemCode, string> = new Map([
  ["body_too_large", "the body is larger than 64 KiB"],
  ["unsupported_media_type", "the body must be application/json"],
  ["malformed_body", "the body is not as long as Content-Length says"],
  ["forbidden", "a change made with the cookie needs the session's x-csrf-token"],
  ["not_found", "no such path"],
]);

/** @returns the answer to whatever was thrown; an error that nobody foresaw is `internal` and tells nothing */
export function problemFor(error: unknown): ProblemDetails {
  if (error instanceof Refused) return problemOf(error.code, error.message, error.extras);
  if (error instanceof StoreUnavailable) {
    const { word } = error;
    const why = word === undefined ? "is out of reach" : `answers ${word}`;
    return problemOf("store_unavailable", `the store ${why}: nothing was read or changed`);
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map((issue) => ({
      field: issue.instancePath.slice(1),
      message: issue.message ?? "invalid",
    }));
    const told = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
    return problemOf("invalid", told.join("; "), { errors });
  }
  const code = frameworkCodes.get(stringMember(error, "code"));
  if (code !== undefined) return problemOf(code, frameworkDetails.get(code) ?? "");
  // What remains with a 4xx of its own is a request that ended before its body did.
  if (isClientFault(error)) return problemOf("malformed_request", "the request could not be read");
  return problemOf("internal", "an unexpected error, logged by the instance");
}

function stringMember(error: unknown, key: "code"): string {
  if (typeof error !== "object" || error === null || !(key in error)) return "";
  return typeof error[key] === "string" ? error[key] : "";
}

function isClientFault(error: unknown): boolean {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return false;
  return typeof error.statusCode === "number" && error.statusCode >= 400 && error.statusCode < 500;
}
