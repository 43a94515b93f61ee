/**
 * Who asks. A token is known by its SHA-256 alone; its name is what the history shows. With `auth: none` whoever
 * reaches the listener is `anonymous` with the role admin, which is why the listener must then be on loopback.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIPv4 } from "node:net";
import type { AuthConfig } from "../config/schema.ts";
import type { Actor } from "../state/model.ts";
import { Refused } from "./problem.ts";

export interface Authenticator {
  /**
   * @param authorization the field as received
   * @throws Refused `unauthenticated` (RFC 6750 §3) when it names no known token
   */
  authenticate(authorization: string | undefined): Actor;
}

const anonymous: Actor = { name: "anonymous", role: "admin" };

export function createAuthenticator(config: AuthConfig): Authenticator {
  if (config === "none") return { authenticate: () => anonymous };
  const known = config.tokens.map((token) => ({
    actor: { name: token.name, role: token.role },
    digest: Buffer.from(token.sha256, "hex"),
  }));
  return {
    authenticate(authorization) {
      const secret = bearerSecret(authorization);
      if (secret === undefined) {
        throw unauthenticated("a bearer token is needed", 'Bearer realm="cutover"');
      }
      const presented = createHash("sha256").update(secret).digest();
      // Every digest is compared, so that the time taken tells neither whether nor which one fits.
      let found: Actor | undefined;
      for (const { actor, digest } of known) {
        const fits = timingSafeEqual(presented, digest);
        found = fits && found === undefined ? actor : found;
      }
      if (found === undefined) {
        throw unauthenticated("the token is not known", 'Bearer realm="cutover", error="invalid_token"');
      }
      return found;
    },
  };
}

function unauthenticated(detail: string, challenge: string): Refused {
  return new Refused("unauthenticated", detail, { headers: { "www-authenticate": challenge } });
}

function bearerSecret(authorization: string | undefined): string | undefined {
  const [, secret] = /^bearer +([^\s]+)$/i.exec(authorization ?? "") ?? [];
  return secret;
}

/** Whether a listener on this host is reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return bare === "localhost" || bare === "::1" || (isIPv4(bare) && bare.startsWith("127."));
}
