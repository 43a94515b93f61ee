/** Who somebody is by the issuer's claims, and what he may do by the configuration. */
import * as z from "zod";
import type { OidcConfig } from "../../config/auth-schema.ts";
import { type Actor, type Role, roles } from "../../state/rules/model.ts";

/** How far the clocks of the issuer and of this host may be apart. */
export const clockToleranceSeconds = 30;
/** OpenID Connect Core §2: at most 255 ASCII characters. It stands in the history. */
const subject = z.string().regex(/^[\x21-\x7e]{1,255}$/);

export type IssuedIdentity =
  | { readonly kind: "known"; readonly actor: Actor /** ms since the epoch */; readonly expiresAtMs: number }
  /** Good, but no role comes of its claim. */
  | { readonly kind: "no_role" }
  | { readonly kind: "invalid"; readonly why: string };

type Claims = Readonly<Record<string, unknown>>;

/** @param claims `sub`, `exp` in seconds, and the one that gives the role */
export function identityOf(claims: Claims, config: Pick<OidcConfig, "claim" | "roles">): IssuedIdentity {
  const sub = subject.safeParse(claims.sub);
  if (!sub.success) return { kind: "invalid", why: "its subject is none" };
  const role = roleOf(claimAt(claims, config.claim), config.roles);
  if (role === undefined) return { kind: "no_role" };
  const exp = typeof claims.exp === "number" ? claims.exp : 0;
  const expiresAtMs = (exp + clockToleranceSeconds) * 1000;
  return { kind: "known", actor: { name: `oidc:${sub.data}`, role }, expiresAtMs };
}

/** @param claim its name, or `/` and the names on the way to it */
export function claimAt(claims: Claims, claim: string): unknown {
  const path = claim.startsWith("/") ? claim.slice(1).split("/") : [claim];
  return path.reduce<unknown>((at, key) => {
    const isObject = typeof at === "object" && at !== null && Object.hasOwn(at, key);
    return isObject ? Object.entries(at).find(([name]) => name === key)?.[1] : undefined;
  }, claims);
}

/** The highest of the roles that the values give. */
function roleOf(claim: unknown, given: Readonly<Record<string, Role>>): Role | undefined {
  const values = [claim].flat();
  const found = Object.entries(given).flatMap(([value, role]) => (values.includes(value) ? role : []));
  return roles.findLast((role) => found.includes(role));
}
