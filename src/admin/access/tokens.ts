/** Tokens of the configuration: each known by its SHA-256 alone; its name is what the history shows. */
import { hash, timingSafeEqual } from "node:crypto";
import { isIPv4 } from "node:net";
import type { TokenConfig } from "../../config/auth-schema.ts";

/** @returns what tells which token a secret is; `undefined`: none */
export function createTokens(tokens: readonly TokenConfig[]): (secret: string) => TokenConfig | undefined {
  const known = tokens.map((token) => ({ token, digest: Buffer.from(token.sha256, "hex") }));
  return (secret) => {
    const presented = hash("sha256", secret, "buffer");
    // Every digest is compared, so that the time taken tells neither whether nor which one fits.
    let found: TokenConfig | undefined;
    for (const { token, digest } of known) {
      const fits = timingSafeEqual(presented, digest);
      found = fits && found === undefined ? token : found;
    }
    return found;
  };
}

/** @param authorization the field as received @returns `undefined` when it has no bearer token (RFC 6750 §2.1) */
export function bearerSecret(authorization: string | undefined): string | undefined {
  const [, secret] = /^bearer +([^\s]+)$/i.exec(authorization ?? "") ?? [];
  return secret;
}

/** Whether a listener on this host is reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return bare === "localhost" || bare === "::1" || (isIPv4(bare) && bare.startsWith("127."));
}
