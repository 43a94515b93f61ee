/**
 * Values of the proxy's own cookies that nobody else can have made. PURE. Each ends in a dot and its signature:
 * HMAC-SHA-256, base64url, by a secret of the cutover, over what it is for, the cutover's name and all that stands before,
 * with a zero byte between: no value counts for another purpose, nor for another cutover.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** What such a value says. */
type Purpose = "force" | "link" | "visit";

/** @param payload printable, without a semicolon @returns it with its signature behind */
export function signed(secret: string, purpose: Purpose, cutover: string, payload: string): string {
  return `${payload}.${signatureOf(secret, purpose, cutover, payload)}`;
}

/** @param secrets any of which may have signed it */
export function isSigned(
  secrets: readonly string[],
  purpose: Purpose,
  cutover: string,
  value: string,
): boolean {
  const dot = value.lastIndexOf(".");
  const given = Buffer.from(value.slice(dot + 1));
  return secrets.some((secret) => {
    const expected = Buffer.from(signatureOf(secret, purpose, cutover, value.slice(0, dot)));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function signatureOf(secret: string, purpose: Purpose, cutover: string, payload: string): string {
  return createHmac("sha256", secret).update(`${purpose}\0${cutover}\0${payload}`).digest("base64url");
}
