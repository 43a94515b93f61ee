/**
 * How testers say which side they want: a header `legacy SECRET` or `new SECRET`; or, where a browser sends no header of
 * one's choice, a link with `?cutover-force=new:SECRET`, which is answered with a cookie. PURE.
 *
 * The cookie holds no secret. Its value is
 *
 *   1.SIDE.EXPIRY.DIGEST.SIGNATURE
 *
 * SIDE is `l` or `n`; EXPIRY is base 36, whole seconds since the epoch; DIGEST is 16 hex digits of the secret's SHA-256, so
 * that the cookie is void once the configuration has that secret no more; SIGNATURE is by the cutover's journey secret
 * (browsing/signature.ts).
 */
import { hash } from "node:crypto";
import type { Side } from "../state/rules/model.ts";
import { formDecoded } from "./body.ts";
import { isSigned, signed } from "./browsing/signature.ts";

const forceParameter = "cutover-force";

/** What a link asks for that takes the cookie away again; it needs no secret. */
export const forceOff = "off";

/** @returns the query without the parameter, and the first of its values, decoded; `undefined`: it is not there */
export function withoutForce(query: string): { readonly query: string; readonly force: string | undefined } {
  let force: string | undefined;
  // However a client spells the name, the shops would read it.
  const kept = query.split("&").filter((pair) => {
    const equals = pair.indexOf("=");
    if (formDecoded(equals === -1 ? pair : pair.slice(0, equals)) !== forceParameter) return true;
    force ??= equals === -1 ? "" : formDecoded(pair.slice(equals + 1));
    return false;
  });
  return { query: force === undefined ? query : kept.join("&"), force };
}

export interface AskedSide {
  readonly side: Side;
  /** SHA-256 of the secret, 64 lower-case hex digits. */
  readonly digest: string;
}

/** @returns what a header or a link asks for; `undefined` for what is of no such form */
export function sideAsked(text: string): AskedSide | undefined {
  const [, side, secret] = /^(legacy|new)[ :](\S+)$/.exec(text) ?? [];
  if (secret === undefined) return undefined;
  // Compared by digest: what a lookup's time could tell is a prefix of a hash, not of a secret.
  const digest = hash("sha256", Buffer.from(secret, "latin1"));
  return { side: side === "new" ? "new" : "legacy", digest };
}

/** @param expiresAt seconds since the epoch */
export function signForce(
  key: string,
  cutover: string,
  { side, digest }: AskedSide,
  expiresAt: number,
): string {
  const payload = `1.${side === "new" ? "n" : "l"}.${expiresAt.toString(36)}.${digest.slice(0, shownDigits)}`;
  return signed(key, "force", cutover, payload);
}

const shownDigits = 16;
const form = /^1\.([ln])\.([0-9a-z]{1,8})\.([0-9a-f]{16})\.[A-Za-z0-9_-]{43}$/;

/**
 * @param keys any of which may have signed it
 * @returns `undefined` for what is none of this cutover's
 */
export function readForce(
  keys: readonly string[],
  cutover: string,
  text: string,
): { readonly side: Side; readonly expiresAt: number; readonly digestBegins: string } | undefined {
  const [, side, expiry, digestBegins] = form.exec(text) ?? [];
  if (expiry === undefined || digestBegins === undefined) return undefined;
  if (!isSigned(keys, "force", cutover, text)) return undefined;
  return { side: side === "n" ? "new" : "legacy", expiresAt: Number.parseInt(expiry, 36), digestBegins };
}
