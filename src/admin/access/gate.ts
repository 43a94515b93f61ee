/**
 * Who asks, from what a request carries:
 *
 *   a bearer token   one of the configuration, else one of the OIDC issuer
 *   else a cookie    of a session of this instance, on the session's own path (session-cookie.ts)
 *   auth: none       every caller is `anonymous` with the role admin, which is why the listener must then be on loopback
 *
 * Wrong tokens are counted by address and logged (attempts.ts). What is right passes at any time, whatever else the address
 * has sent: a token of the configuration, a session, and a token of the issuer.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { AuthConfig, OidcConfig, TokenConfig } from "../../config/auth-schema.ts";
import type { Actor } from "../../state/rules/model.ts";
import { Refused, tooManyAttempts } from "../problem.ts";
import { createAttempts, type SignInAttempts } from "./attempts.ts";
import type { CodeFlow } from "./code-flow.ts";
import { type AccessCounts, noAccessCounts } from "./metrics.ts";
import type { Oidc, OidcOptions } from "./oidc.ts";
import { createPageSessions, type PageSession, type PageSessions } from "./sessions.ts";
import { bearerSecret, createTokens } from "./tokens.ts";

export interface Asking {
  readonly headers: IncomingHttpHeaders;
  /** The address of the connection. */
  readonly remote: string;
  /** The session that its cookie is of. */
  readonly page?: PageSession | undefined;
}

interface Admitted {
  readonly actor: Actor;
  /** The one whose cookie admitted the request. */
  readonly page?: PageSession;
  /** When the token ends, ms since the epoch. */
  readonly expiresAtMs?: number;
  /** Whether it would not admit any more: the session or token has ended, or gives another role now. */
  isOver(): boolean;
}

export interface Gate {
  readonly sessions: PageSessions;
  /**
   * @throws Refused `unauthenticated` (RFC 6750 §3), `forbidden`, `too_many_attempts`, `issuer_unavailable`
   */
  admit(asking: Asking): Promise<Admitted>;
  /**
   * The cheap question before `admit`, counted: in how many seconds this token is looked into again, when it cannot be a
   * right one and the address has failed too often. 0: to be admitted in full.
   */
  blockedForSeconds(authorization: string, remote: string): number;
  /** How people sign in to the page at the issuer; `undefined`: they do not. @throws Error as loadIssuers */
  codeFlow(): Promise<CodeFlow> | undefined;
  /** Counts and logs, within bounds, that a sign-in there came to nothing. @param why a word of the protocol */
  failedAtIssuer(remote: string, why: string): void;
  /** The issuer that is believed; `undefined`: none. */
  issuer(): OidcConfig | undefined;
  /** Believes these from now on; sessions end when that changes anything. */
  reconfigure(auth: AuthConfig): void;
}

interface GateOptions {
  readonly auth: AuthConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly counts?: Pick<AccessCounts, "wrongToken">;
}

const anonymous: Actor = { name: "anonymous", role: "admin" };

export function createGate({ auth: first, clock, log, counts = noAccessCounts }: GateOptions): Gate {
  const attempts = createAttempts({ clock, log, counts });
  const sessions = createPageSessions(clock);
  let known = credentialsOf(first, { clock, log });

  async function admitByToken(secret: string, remote: string): Promise<Admitted> {
    const token = known.tokenOf?.(secret);
    if (token !== undefined) {
      const { name, role } = token;
      return { actor: { name, role }, isOver: () => !knows(known.auth, token) };
    }
    const by = known.oidcKey;
    const { actor, expiresAtMs } = await admitByIssuer(known, attempts, secret, remote);
    return { actor, expiresAtMs, isOver: () => clock.now() >= expiresAtMs || known.oidcKey !== by };
  }

  return {
    sessions,

    blockedForSeconds(authorization, remote) {
      const seconds = known.tokenOf === undefined ? 0 : attempts.blockedForSeconds(remote);
      const secret = seconds === 0 ? undefined : bearerSecret(authorization);
      if (secret === undefined || known.tokenOf?.(secret) !== undefined) return 0;
      if (known.oidc?.mayBeRight(secret) === true) return 0;
      attempts.refused(remote);
      return seconds;
    },

    async admit({ headers, remote, page }) {
      if (known.auth === "none") return { actor: anonymous, isOver: () => false };
      if (headers.authorization !== undefined) {
        const secret = bearerSecret(headers.authorization);
        if (secret === undefined) throw unauthenticated("a bearer token is needed");
        return admitByToken(secret, remote);
      }
      if (page === undefined) throw unauthenticated("a bearer token is needed");
      return { actor: page.actor, page, isOver: () => !sessions.isLive(page) };
    },

    codeFlow: () => known.codeFlow?.(),
    failedAtIssuer: (remote, why) => attempts.failed(remote, `at the issuer: ${why}`),
    issuer: () => (known.auth === "none" ? undefined : known.auth.oidc),

    reconfigure(auth) {
      if (JSON.stringify(auth) === JSON.stringify(known.auth)) return;
      known = credentialsOf(auth, { clock, log });
      sessions.endAll();
    },
  };
}

/** Whether a token is still one of the configuration, by the same name and with the same role. */
function knows(auth: AuthConfig, token: TokenConfig): boolean {
  if (auth === "none") return false;
  return (auth.tokens ?? []).some(
    ({ sha256, name, role }) => sha256 === token.sha256 && name === token.name && role === token.role,
  );
}

/** What is believed, by the configuration. */
interface Credentials {
  readonly auth: AuthConfig;
  /** Which token of the configuration a secret is; `undefined` where nobody has to sign in. */
  readonly tokenOf: ((secret: string) => TokenConfig | undefined) | undefined;
  readonly oidc: IssuedTokens | undefined;
  readonly codeFlow: (() => Promise<CodeFlow>) | undefined;
  /** Differs with whatever the issuer's tokens are judged by. */
  readonly oidcKey: string;
}

interface IssuedTokens extends Pick<Oidc, "verify"> {
  /** Whether it is worth a look at its signature; as long as that is not known, it is. */
  mayBeRight(token: string): boolean;
}

function credentialsOf(auth: AuthConfig, options: Omit<GateOptions, "auth">): Credentials {
  if (auth === "none") return { auth, tokenOf: undefined, oidc: undefined, codeFlow: undefined, oidcKey: "" };
  const oidc = auth.oidc && loadOidc(auth.oidc, options);
  const codeFlow = auth.oidc && loadCodeFlow(auth.oidc, options);
  const oidcKey = JSON.stringify(auth.oidc ?? null);
  return { auth, tokenOf: createTokens(auth.tokens ?? []), oidc, codeFlow, oidcKey };
}

async function admitByIssuer(
  { oidc }: Credentials,
  attempts: SignInAttempts,
  secret: string,
  remote: string,
): Promise<Pick<Admitted, "actor"> & { readonly expiresAtMs: number }> {
  // A right one is let in whatever its address has failed at: so it is looked into first, and counted then.
  const verdict =
    (await oidc?.verify(secret)) ?? ({ kind: "invalid", why: "the token is not known" } as const);
  switch (verdict.kind) {
    case "known":
      return { actor: verdict.actor, expiresAtMs: verdict.expiresAtMs };
    case "no_role":
      throw new Refused("forbidden", "the token is good, but gives no role here");
    case "issuer_unavailable": {
      const detail = "the issuer's keys are out of reach: a token of the configuration works";
      throw new Refused("issuer_unavailable", detail, { headers: { "retry-after": "5" } });
    }
    case "invalid": {
      const seconds = attempts.blockedForSeconds(remote);
      if (seconds > 0) {
        attempts.refused(remote);
        const { code, detail, retryAfter } = tooManyAttempts(seconds);
        throw new Refused(code, detail, { headers: { "retry-after": retryAfter } });
      }
      attempts.failed(remote, verdict.why);
      throw unauthenticated("the token is not known", ', error="invalid_token"');
    }
  }
}

function unauthenticated(detail: string, more = ""): Refused {
  return new Refused("unauthenticated", detail, {
    headers: { "www-authenticate": `Bearer realm="cutover"${more}` },
  });
}

const loadVerifier = () => import("./oidc.ts");
async function loadSignIn() {
  const { createCodeFlow } = await import("./code-flow.ts");
  return createCodeFlow;
}

/** What works with an issuer. @throws Error when it is not where the program was started from any more */
export async function loadIssuers({ page }: OidcConfig): Promise<void> {
  await Promise.all([loadVerifier(), page === undefined ? undefined : loadSignIn()]);
}

/** Once somebody signs in. */
function loadCodeFlow(config: OidcConfig, { log }: OidcOptions): (() => Promise<CodeFlow>) | undefined {
  const { page } = config;
  if (page === undefined) return undefined;
  let loading: Promise<CodeFlow> | undefined;
  return () => {
    loading ??= loadSignIn().then((createCodeFlow) => createCodeFlow({ ...config, page }, log));
    return loading;
  };
}

const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** An instance without an issuer does not load what verifies its tokens. */
function loadOidc(config: OidcConfig, options: OidcOptions): IssuedTokens {
  let loaded: Oidc | undefined;
  const loading = loadVerifier().then(({ createOidc }) => {
    loaded = createOidc(config, options);
    return loaded;
  });
  loading.catch(() => undefined);
  return {
    mayBeRight: (token) => jwt.test(token) && (loaded === undefined || loaded.isPlausible(token)),
    verify: async (token) =>
      jwt.test(token)
        ? (await loading).verify(token)
        : ({ kind: "invalid", why: "the token is not known" } as const),
  };
}
