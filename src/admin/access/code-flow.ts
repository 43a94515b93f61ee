/**
 * People sign in to the page at the issuer: the code flow with PKCE (OpenID Connect Core §3.1, RFC 7636), by openid-client.
 *
 *   begin    the browser is sent to the issuer; what belongs to this one sign-in (state, nonce, verifier) it keeps
 *            itself, encrypted for this instance alone. Nothing is kept here, so nobody can use it up
 *   finish   it comes back with a code, which is traded for an ID token; its claims, else the issuer's userinfo, give the
 *            role
 *
 *   renew    where the issuer gave a refresh token, it is asked anew before the ID token ends: who is let in there no more,
 *            or gives no role any more, is signed out here
 *
 * What the browser keeps it is sent back on an unguessable path alone, as the session's cookie (session-cookie.ts). The
 * issuer knows one fixed address to return to; the state says which path is meant.
 */
import { randomBytes } from "node:crypto";
import { EncryptJWT, jwtDecrypt } from "jose";
import * as client from "openid-client";
import * as z from "zod";
import { errorText, type Log } from "../../base/log.ts";
import type { OidcConfig } from "../../config/auth-schema.ts";
import { claimAt, clockToleranceSeconds, identityOf } from "./identity.ts";
import type { Renewed } from "./sessions.ts";
import { isLoopbackHost } from "./tokens.ts";

const timeoutSeconds = 5;
/** How long a person may take at the issuer. */
const pendingSeconds = 600;
/** What the issuer says of itself is asked for again after this. */
const describedForMs = 3_600_000;
const retryAfterMs = 5000;

type PageClient = OidcConfig & { readonly page: NonNullable<OidcConfig["page"]> };

type Finished =
  | ({ readonly kind: "known" } & Renewed)
  /** `stale`: begun by another browser, too long ago, or finished already. */
  | { readonly kind: "stale" | "no_role" }
  /** `why` is a word of the protocol. */
  | { readonly kind: "denied" | "unavailable"; readonly why: string };

export interface CodeFlow {
  /**
   * @param segment of the path that the browser is to come back on
   * @returns where the browser goes, and what it keeps meanwhile, for so long; `undefined`: the issuer is out of reach
   */
  begin(
    segment: string,
  ): Promise<{ readonly location: string; readonly pending: string; readonly seconds: number } | undefined>;
  /**
   * Never rejects.
   *
   * @param search the query that the browser came back with, with its `?`
   * @param pending what it had kept; others may have set namesakes
   */
  finish(search: string, pending: readonly string[]): Promise<Finished>;
}

type Tokens = Pick<client.TokenEndpointResponse, "refresh_token">;

const signingIn = z.object({ state: z.string(), nonce: z.string(), verifier: z.string() });
type SigningIn = z.output<typeof signingIn>;

export function createCodeFlow(config: PageClient, log: Log): CodeFlow {
  const { page, issuer } = config;
  const redirectUri = new URL("/sign-in/callback", page.url).href;
  const key = randomBytes(32);
  const describe = createDescriptions(config, log);

  async function keptOf(pending: readonly string[], state: string | null): Promise<SigningIn | undefined> {
    for (const text of pending) {
      const read = await jwtDecrypt(text, key).then(
        ({ payload }) => signingIn.safeParse(payload).data,
        () => undefined,
      );
      if (read !== undefined && read.state === state) return read;
    }
    return undefined;
  }

  /** Nothing where the issuer gave nothing to renew by. */
  function renewalOf(tokens: Tokens, { actor }: Pick<Renewed, "actor">): Pick<Renewed, "renew"> {
    const { refresh_token: refreshToken } = tokens;
    return refreshToken === undefined ? {} : { renew: () => renew(refreshToken, actor.name) };
  }

  async function renew(refreshToken: string, name: string): Promise<Renewed | "ended" | undefined> {
    try {
      const described = await describe();
      const tokens = await client.refreshTokenGrant(described, refreshToken);
      const identity = identityOf(await claimsOf(described, tokens, config), config);
      // Another person's would be a fault of the issuer's.
      if (identity.kind !== "known" || identity.actor.name !== name) return "ended";
      // An issuer that gives no new one lets the old one be used again.
      return { ...identity, ...renewalOf({ refresh_token: refreshToken, ...tokens }, identity) };
    } catch (error) {
      const isEnded = kindOf(error) !== "unavailable";
      log.warn({ issuer, by: name, isEnded, error: codeIn(error) }, "a session of the page was not renewed");
      return isEnded ? "ended" : undefined;
    }
  }

  return {
    async begin(segment) {
      const kept = {
        state: `${segment}.${client.randomState()}`,
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      try {
        const location = client.buildAuthorizationUrl(await describe(), {
          ...page.parameters,
          redirect_uri: redirectUri,
          scope: page.scopes.join(" "),
          state: kept.state,
          nonce: kept.nonce,
          code_challenge: await client.calculatePKCECodeChallenge(kept.verifier),
          code_challenge_method: "S256",
        });
        const pending = await encrypted(kept, key);
        return { location: location.href, pending, seconds: pendingSeconds };
      } catch {
        return undefined;
      }
    },

    async finish(search, pending) {
      const kept = await keptOf(pending, new URLSearchParams(search).get("state"));
      if (kept === undefined) return { kind: "stale" };
      try {
        const described = await describe();
        const tokens = await client.authorizationCodeGrant(described, new URL(search, redirectUri), {
          pkceCodeVerifier: kept.verifier,
          expectedState: kept.state,
          expectedNonce: kept.nonce,
        });
        const identity = identityOf(await claimsOf(described, tokens, config), config);
        if (identity.kind === "invalid") return { kind: "denied", why: identity.why };
        if (identity.kind === "no_role") return identity;
        return { ...identity, ...renewalOf(tokens, identity) };
      } catch (error) {
        const kind = kindOf(error);
        return kind === "stale" ? { kind } : { kind, why: codeIn(error) };
      }
    },
  };
}

/** @returns what the issuer says of itself, kept for an hour; it rejects while that is out of reach, and for 5 s after */
function createDescriptions({ issuer, page }: PageClient, log: Log): () => Promise<client.Configuration> {
  let known: { readonly config: client.Configuration; readonly atMs: number } | undefined;
  const { protocol, hostname } = new URL(issuer);
  const isPlain = protocol === "http:" && isLoopbackHost(hostname);
  const allow = isPlain ? [client.allowInsecureRequests] : [];
  const authentication = page.secret === "" ? client.None() : client.ClientSecretBasic(page.secret);
  const metadata = { [client.clockTolerance]: clockToleranceSeconds };

  let asking: Promise<client.Configuration> | undefined;
  let retryAtMs = Number.NEGATIVE_INFINITY;

  async function ask(): Promise<client.Configuration> {
    try {
      const config = await client.discovery(new URL(issuer), page.clientId, metadata, authentication, {
        execute: [...allow, client.enableNonRepudiationChecks],
        timeout: timeoutSeconds,
      });
      known = { config, atMs: performance.now() };
      return config;
    } catch (error) {
      retryAtMs = performance.now() + retryAfterMs;
      log.warn({ issuer, error: errorText(error) }, "nobody can sign in at the issuer");
      throw error;
    } finally {
      asking = undefined;
    }
  }

  // Anybody may begin to sign in: however many do, the issuer is asked once.
  return async () => {
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.atMs < describedForMs) return known.config;
    if (asking === undefined && nowMs < retryAtMs) throw new Error("the issuer was out of reach just now");
    asking ??= ask();
    return asking;
  };
}

/** Those of the ID token; where the one that gives the role is not among them, the issuer's userinfo has it. */
async function claimsOf(
  described: client.Configuration,
  tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
  { claim }: OidcConfig,
): Promise<Readonly<Record<string, unknown>>> {
  const claims = tokens.claims();
  if (claims === undefined) throw new Error("the issuer gave no ID token");
  const isMissing = claimAt(claims, claim) === undefined;
  if (!isMissing || described.serverMetadata().userinfo_endpoint === undefined) return claims;
  return { ...(await client.fetchUserInfo(described, tokens.access_token, claims.sub)), ...claims };
}

function encrypted(kept: SigningIn, key: Uint8Array): Promise<string> {
  return new EncryptJWT(kept)
    .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
    .setExpirationTime(`${pendingSeconds}s`)
    .encrypt(key);
}

const outages: ReadonlySet<string> = new Set([
  ...["OAUTH_TIMEOUT", "OAUTH_ABORT", "OAUTH_PARSE_ERROR"],
  ...["OAUTH_RESPONSE_IS_NOT_CONFORM", "OAUTH_RESPONSE_IS_NOT_JSON"],
]);

function kindOf(error: unknown): "denied" | "stale" | "unavailable" {
  if (error instanceof client.AuthorizationResponseError) return "denied";
  if (error instanceof client.ResponseBodyError) {
    if (error.error === "invalid_grant") return "stale";
    return error.status < 500 ? "denied" : "unavailable";
  }
  // What it answered with is no sign-in of this person; or it answered with nothing of the kind.
  const isOddAnswer = error instanceof client.ClientError && !outages.has(error.code ?? "");
  return isOddAnswer ? "denied" : "unavailable";
}

/** An error's own text may repeat what the issuer answered with. */
function codeIn(error: unknown): string {
  const isAnswer =
    error instanceof client.AuthorizationResponseError || error instanceof client.ResponseBodyError;
  const code = isAnswer ? error.error : error instanceof client.ClientError ? error.code : undefined;
  return (code ?? "out of reach").replace(/[^ -~]/g, "?").slice(0, 100);
}
