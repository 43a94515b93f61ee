/** Signing in at the issuer from a terminal: the device flow (RFC 8628), by openid-client; loaded by who signs in. */
import * as client from "openid-client";
import type { SignInWays } from "../../admin/api/sign-in.ts";
import { jsonOf } from "../../base/json.ts";
import { exitCodes, fail, type Result, succeed } from "../exit.ts";
import type { KeptSignIn } from "./kept-sign-in.ts";

type Way = NonNullable<SignInWays["cli"]>;
type Renewal = NonNullable<KeptSignIn["renewal"]>;

const timeoutSeconds = 5;

interface DeviceSignIn {
  /** Where a person goes, with the code filled in where the issuer can. */
  readonly uri: string;
  readonly userCode: string;
  readonly expiresInSeconds: number;
  /** Waits until the person has agreed, or has not. */
  wait(signal: AbortSignal): Promise<Result<KeptSignIn>>;
}

/** Asks the issuer for a code. Never rejects. */
export async function beginDeviceFlow(way: Way): Promise<Result<DeviceSignIn>> {
  const asked = { ...way.parameters, scope: way.scope };
  try {
    const issuer = await issuerOf(way);
    const begun = await client.initiateDeviceAuthorization(issuer, asked);
    return succeed({
      uri: begun.verification_uri_complete ?? begun.verification_uri,
      userCode: begun.user_code,
      expiresInSeconds: begun.expires_in,
      async wait(signal) {
        try {
          const polled = client.pollDeviceAuthorizationGrant(issuer, begun, way.parameters, { signal });
          return signInOf(await polled, way);
        } catch (error) {
          return signal.aborted ? fail(exitCodes.refused, "the sign-in was interrupted") : failed(error, way);
        }
      },
    });
  } catch (error) {
    return failed(error, way);
  }
}

/** @returns the sign-in anew; `undefined` where the issuer does not, or does not answer */
export async function renew(renewal: Renewal): Promise<KeptSignIn | undefined> {
  try {
    const tokens = await client.refreshTokenGrant(await issuerOf(renewal), renewal.refreshToken);
    const signIn = signInOf(tokens, renewal);
    if (!signIn.ok) return undefined;
    // An issuer that gives no new one lets the old one be used again.
    return signIn.value.renewal === undefined ? { ...signIn.value, renewal } : signIn.value;
  } catch {
    return undefined;
  }
}

type Believed = Pick<Way, "issuer" | "clientId" | "audience">;

/** @throws Error when the issuer is out of reach, or could be overheard */
async function issuerOf({ issuer, clientId }: Believed): Promise<client.Configuration> {
  const { protocol, hostname } = new URL(issuer);
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
  return client.discovery(new URL(issuer), clientId, undefined, client.None(), {
    execute: protocol === "http:" && isLoopback ? [client.allowInsecureRequests] : [],
    timeout: timeoutSeconds,
  });
}

/** The token that the admin API takes: the access token, else the ID token, whichever is for its audience. */
function signInOf(tokens: client.TokenEndpointResponse, believed: Believed): Result<KeptSignIn> {
  const { audience, issuer, clientId } = believed;
  const found = [tokens.access_token, tokens.id_token ?? ""]
    .map((token) => ({ token, claims: claimsIn(token) }))
    .find(({ claims }) => [claims?.aud].flat().includes(audience));
  if (found === undefined) {
    return fail(
      exitCodes.refused,
      `the issuer gave no token for the audience ${audience}`,
      "Its client needs one: a mapper or resource of the issuer, or parameters of auth.oidc.cli.",
    );
  }
  const exp = typeof found.claims?.exp === "number" ? found.claims.exp : 0;
  const { refresh_token: refreshToken } = tokens;
  const renewal = refreshToken === undefined ? {} : { renewal: { issuer, clientId, audience, refreshToken } };
  return succeed({ token: found.token, expiresAt: exp * 1000, ...renewal });
}

/** What a JWT says; nothing is believed of it here. */
function claimsIn(token: string): { readonly aud?: unknown; readonly exp?: unknown } | undefined {
  const [, payload = ""] = token.split(".");
  const read = jsonOf(Buffer.from(payload, "base64url").toString());
  return typeof read === "object" && read !== null ? read : undefined;
}

function failed(error: unknown, { issuer }: Believed): Result<never> {
  const code = error instanceof client.ResponseBodyError ? error.error : undefined;
  if (code === "access_denied") return fail(exitCodes.refused, "the issuer did not let you in");
  if (code === "expired_token") {
    return fail(exitCodes.refused, "nobody entered the code in time", "Again: cutover login");
  }
  if (code !== undefined) {
    const next = "Its client (auth.oidc.cli) must be public and may use the device flow.";
    return fail(
      exitCodes.refused,
      `the issuer refused (${code.replace(/[^\w.-]/g, "?").slice(0, 100)})`,
      next,
    );
  }
  return fail(
    exitCodes.refused,
    `the issuer at ${issuer} is out of reach, or has no device flow`,
    "A token of the configuration works: CUTOVER_TOKEN, or --token-file FILE.",
  );
}
