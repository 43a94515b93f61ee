/**
 * The hand-over of a shopper from one side to the other: what `x-cutover-handover` holds, written and verified. It is
 * published as `cutover/handover` (types/handover.d.ts) for the shops to verify by, and knows nothing of this proxy.
 *
 * It is a JSON Web Token (RFC 7519), signed by HMAC-SHA-256, so that any language's library verifies it too. Its header is
 * `{"alg":"HS256","typ":"JWT"}` to the byte, and no other is believed. Its claims:
 *
 *   iss      cutover
 *   aud      whom it is for
 *   sub      the shopper, as the cutover knows him
 *   iat exp  when it was written, and a minute later: seconds since the epoch
 *   jti      the nonce: 128 random bits, base64url
 *   cutover  the cutover's name
 *   before   the side that served the shopper before: legacy or new
 *   method, host, path   the one request that it is for, as the upstream is sent it; the path without its query
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** The field's name, lower case. */
export const handoverField = "x-cutover-handover" as const;

export interface Handover {
  readonly cutover: string;
  /** The side that served the shopper before. */
  readonly before: "legacy" | "new";
  readonly shopper: string;
  /** Seconds since the epoch. */
  readonly issuedAt: number;
  readonly nonce: string;
}

/** A request as the upstream is sent it: its own Host, and its path without the query. */
export interface HandoverRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

/** How long one is believed, in seconds. */
const lifeSeconds = 60;
/** By how much the clocks of whoever writes and whoever reads may differ, in seconds. */
const leewaySeconds = 5;
const longest = 8192;
/** Characters of a secret, as the proxy asks for; by a shorter one, as by an empty variable, nobody is believed. */
const leastSecret = 32;

const head = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");
const form = /^([\w-]+)\.([\w-]+)\.([\w-]{43})$/;

export function signHandover(
  secret: string,
  audience: string,
  { cutover, before, shopper, issuedAt, nonce }: Handover,
  { method, host, path }: HandoverRequest,
): string {
  const claims = {
    iss: "cutover",
    aud: audience,
    sub: shopper,
    iat: issuedAt,
    exp: issuedAt + lifeSeconds,
    jti: nonce,
    ...{ cutover, before, method, host, path },
  };
  const payload = `${head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${payload}.${sign(secret, payload)}`;
}

function sign(secret: string, payload: string): string {
  return createHmac("sha256", secret).update(payload).digest("base64url");
}

/**
 * Why one is not believed: there is none; it is none of these; signed with no secret of these; for another audience; for
 * another request; over, or not begun; seen before.
 */
export type HandoverFault =
  | "missing"
  | "malformed"
  | "signature"
  | "audience"
  | "request"
  | "expired"
  | "replayed";

export interface VerifyOptions extends HandoverRequest {
  /** Any of which may have signed it; of at least 32 characters. */
  readonly secrets: readonly string[];
  readonly audience: string;
  /** Milliseconds since the epoch; without it, now. */
  readonly nowMs?: number;
  /**
   * Whether the nonce was not there before, asked last. It need not be remembered for longer than so many seconds. Without
   * it whoever calls has to see to it.
   */
  readonly isNew?: (nonce: string, forSeconds: number) => boolean;
}

export type Verified =
  | { readonly valid: true; readonly handover: Handover }
  | { readonly valid: false; readonly fault: HandoverFault };

/** @param text the value of `x-cutover-handover`; `undefined` without the field */
export function verifyHandover(text: string | undefined, options: VerifyOptions): Verified {
  const claims = text === undefined || text === "" ? "missing" : claimsIn(text, options.secrets);
  const fault = typeof claims === "string" ? claims : faultOf(claims, options);
  if (typeof claims === "string" || fault !== undefined) return { valid: false, fault: fault ?? "malformed" };
  const { cutover, before, sub: shopper, iat: issuedAt, jti: nonce } = claims;
  return { valid: true, handover: { cutover, before, shopper, issuedAt, nonce } };
}

interface Claims extends HandoverRequest {
  readonly aud: string;
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly cutover: string;
  readonly before: "legacy" | "new";
}

function claimsIn(text: string, secrets: readonly string[]): Claims | HandoverFault {
  const [, first, second, signature] = text.length > longest ? [] : (form.exec(text) ?? []);
  if (first !== head || second === undefined || signature === undefined) return "malformed";
  const given = Buffer.from(signature);
  const isSigned = secrets
    .filter((secret) => typeof secret === "string" && secret.length >= leastSecret)
    .some((secret) => timingSafeEqual(given, Buffer.from(sign(secret, `${first}.${second}`))));
  if (!isSigned) return "signature";
  try {
    const claims: unknown = JSON.parse(Buffer.from(second, "base64url").toString("utf8"));
    return isClaims(claims) ? claims : "malformed";
  } catch {
    return "malformed";
  }
}

function isClaims(value: unknown): value is Claims {
  if (typeof value !== "object" || value === null) return false;
  const claims: Readonly<Record<string, unknown>> = { ...value };
  const texts = ["aud", "sub", "jti", "cutover", "method", "host", "path"];
  return (
    claims.iss === "cutover" &&
    texts.every((name) => typeof claims[name] === "string" && claims[name] !== "") &&
    Number.isSafeInteger(claims.iat) &&
    Number.isSafeInteger(claims.exp) &&
    (claims.before === "legacy" || claims.before === "new")
  );
}

function faultOf(
  { aud, iat, exp, jti, ...claims }: Claims,
  { audience, method, host, path, nowMs = Date.now(), isNew }: VerifyOptions,
): HandoverFault | undefined {
  if (aud !== audience) return "audience";
  const isThisHost = claims.host.toLowerCase() === `${host}`.toLowerCase();
  if (!isThisHost || claims.method !== method || claims.path !== path) return "request";
  const now = nowMs / 1000;
  const end = Math.min(exp, iat + lifeSeconds);
  if (now >= end || now < iat - leewaySeconds) return "expired";
  return isNew?.(jti, Math.ceil(end - now)) === false ? "replayed" : undefined;
}
