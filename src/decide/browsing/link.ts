/**
 * A link: by whose bucket a client is decided that was somebody else before its login. A visitor and the account that he
 * logs in to have two names and so two buckets; the visitor's goes on, so that a login changes no sides. PURE: secrets and
 * time come in as arguments. As a cookie value it is
 *
 *   1.BUCKET.EXPIRY.ACCOUNT.SIGNATURE
 *
 * BUCKET and EXPIRY are base 36, the latter in whole seconds since the epoch; ACCOUNT is a keyed digest of the shopper's
 * name that it counts for, of 12 characters of base64url, or `-` as long as there was no login; the signature is that of
 * signature.ts.
 */
import { createHmac } from "node:crypto";
import { isSigned, signed } from "./signature.ts";

export interface LoginLink {
  /** 0–99999. */
  readonly bucket: number;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** Whose it is (`accountOf`); absent before a login. */
  readonly account: string | undefined;
}

const form = /^1\.([0-9a-z]{1,4})\.([0-9a-z]{1,8})\.(-|[\w-]{12})\.[A-Za-z0-9_-]{43}$/;

export function signLink(
  secret: string,
  cutover: string,
  { bucket, expiresAt, account = "-" }: LoginLink,
): string {
  const numbers = [bucket, expiresAt].map((number) => number.toString(36));
  return signed(secret, "link", cutover, `1.${numbers.join(".")}.${account}`);
}

/**
 * @param secrets any of which may have signed it
 * @returns `undefined` for what is none of this cutover's; one that is over is given as well
 */
export function readLink(secrets: readonly string[], cutover: string, text: string): LoginLink | undefined {
  const [, bucket, expiresAt, account] = form.exec(text) ?? [];
  if (bucket === undefined || expiresAt === undefined) return undefined;
  if (!isSigned(secrets, "link", cutover, text)) return undefined;
  return {
    bucket: Number.parseInt(bucket, 36),
    expiresAt: Number.parseInt(expiresAt, 36),
    account: account === "-" ? undefined : account,
  };
}

/** @param shopper a byte string @returns what tells an account from another in a link, and who it is to nobody */
export function accountOf(secret: string, cutover: string, shopper: string): string {
  return createHmac("sha256", secret)
    .update(Buffer.from(`account\0${cutover}\0${shopper}`, "latin1"))
    .digest("base64url")
    .slice(0, 12);
}
