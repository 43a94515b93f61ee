/**
 * Bearer tokens of an OpenID Connect issuer (JWT, RFC 7519 and 8725). The signature is checked of a token that claims to
 * be of this issuer, for this audience, in time and signed by RS256, ES256 or EdDSA; the issuer's keys decide.
 *
 * The keys are fetched at the first such token and kept for an hour; from 10 minutes on they are fetched again beside
 * the requests, so none waits for it. A key that is not known is looked for at the issuer, every 30 s at most. While
 * the issuer is out of reach the known keys go on being believed, up to the hour; without any it is not known whether
 * a token is good: `issuer_unavailable`, and the issuer is asked again after 5 s. Tokens of the configuration need
 * none of this.
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  jwtVerify,
} from "jose";
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { OidcConfig } from "../../config/auth-schema.ts";
import { clockToleranceSeconds, type IssuedIdentity, identityOf } from "./identity.ts";
import { isLoopbackHost } from "./tokens.ts";

const algorithms = ["RS256", "ES256", "EdDSA"];
const keptMs = 3_600_000;
const refreshAfterMs = 10 * 60_000;
const retryAfterMs = 5000;
const fetchTimeoutMs = 2000;
type TokenVerdict = IssuedIdentity | { readonly kind: "issuer_unavailable" };

export interface Oidc {
  /** Whether it says of itself what a right one would: known without its signature, and without the issuer. */
  isPlausible(token: string): boolean;
  /** Never rejects. @param token a JWT, or anything */
  verify(token: string): Promise<TokenVerdict>;
}

export interface OidcOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Between two searches for a key that is not known. */
  readonly cooldownMs?: number;
}

class IssuerUnavailable extends Error {}

export function createOidc(config: OidcConfig, options: OidcOptions): Oidc {
  const { clock } = options;
  const keyFor = createIssuerKeys(config, options);

  return {
    isPlausible(token) {
      try {
        return implausible(token, config, clock.now()) === undefined;
      } catch {
        return false;
      }
    },

    async verify(token) {
      try {
        // What it says of itself is compared with the configuration before a key is looked for: free of cost.
        const why = implausible(token, config, clock.now());
        if (why !== undefined) return { kind: "invalid", why };
        const { payload } = await jwtVerify(token, keyFor, {
          algorithms,
          issuer: config.issuer,
          audience: config.audience,
          clockTolerance: clockToleranceSeconds,
          currentDate: new Date(clock.now()),
          requiredClaims: ["sub", "exp"],
        });
        return identityOf(payload, config);
      } catch (error) {
        if (error instanceof IssuerUnavailable) return { kind: "issuer_unavailable" };
        return { kind: "invalid", why: error instanceof errors.JOSEError ? error.code : "ERR_JWT" };
      }
    },
  };
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;

/** The issuer's keys: found, kept, and fetched again beside the requests. @returns finds the key of a token */
function createIssuerKeys(config: OidcConfig, { clock, log, cooldownMs = 30_000 }: OidcOptions) {
  let remote: KeySet | undefined;
  let finding: Promise<KeySet> | undefined;
  let retryAtMs = Number.NEGATIVE_INFINITY;
  let refreshAtMs = Number.NEGATIVE_INFINITY;

  function unavailable(error: unknown): IssuerUnavailable {
    retryAtMs = clock.monotonic() + retryAfterMs;
    log.warn({ issuer: config.issuer, error: errorText(error) }, "the issuer's keys could not be fetched");
    return new IssuerUnavailable();
  }

  async function find(): Promise<KeySet> {
    const uri = config.jwksUri ?? (await discover(config.issuer));
    return createRemoteJWKSet(new URL(uri), {
      cacheMaxAge: keptMs,
      cooldownDuration: cooldownMs,
      timeoutDuration: fetchTimeoutMs,
    });
  }

  async function keySet(): Promise<KeySet> {
    if (remote !== undefined) return remote;
    if (clock.monotonic() < retryAtMs) throw new IssuerUnavailable();
    finding ??= find().finally(() => {
      finding = undefined;
    });
    try {
      remote = await finding;
      return remote;
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Beside the requests. */
  function refresh(keys: KeySet): void {
    const nowMs = clock.monotonic();
    if (nowMs < refreshAtMs || nowMs < retryAtMs || keys.reloading || keys.jwks() === undefined) return;
    const isFirst = refreshAtMs === Number.NEGATIVE_INFINITY;
    refreshAtMs = nowMs + refreshAfterMs;
    if (!isFirst) keys.reload().catch(unavailable);
  }

  return async (header: JWSHeaderParameters, token: FlattenedJWSInput) => {
    const keys = await keySet();
    const known = keys.jwks();
    const isWaiting = clock.monotonic() < retryAtMs;
    try {
      if (!isWaiting) return await keys(header, token);
      if (known === undefined || !keys.fresh) throw new IssuerUnavailable();
      return await createLocalJWKSet(known)(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      if (error instanceof IssuerUnavailable || (isUnknown && isWaiting)) throw new IssuerUnavailable();
      if (isUnknown || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      if (error instanceof errors.JOSENotSupported) throw error;
      throw unavailable(error);
    } finally {
      refresh(keys);
    }
  };
}

function implausible(token: string, config: OidcConfig, nowMs: number): string | undefined {
  const { alg = "" } = decodeProtectedHeader(token);
  if (!algorithms.includes(alg)) return "its algorithm is none of those allowed";
  const { iss, aud, exp = 0 } = decodeJwt(token);
  if (iss !== config.issuer) return "it is of another issuer";
  if (![aud].flat().includes(config.audience)) return "it is for another audience";
  if (exp * 1000 + clockToleranceSeconds * 1000 <= nowMs) return "it has expired";
  return undefined;
}

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** @returns where the issuer's keys are (OpenID Connect Discovery §4) */
async function discover(issuer: string): Promise<string> {
  const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
    redirect: "error",
    signal: AbortSignal.timeout(fetchTimeoutMs),
  });
  if (!response.ok) throw new Error(`the issuer's description was answered with ${response.status}`);
  const found = discovery.parse(await response.json());
  if (found.issuer !== issuer) throw new Error("the issuer's description names another issuer");
  const { protocol, hostname } = new URL(found.jwks_uri);
  if (protocol !== "https:" && !isLoopbackHost(hostname))
    throw new Error("the issuer's keys are not at https");
  return found.jwks_uri;
}
