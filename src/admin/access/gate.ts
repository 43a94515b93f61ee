/**
 * Who asks, from what a request carries:
 *
 *   a bearer token   one of the configuration, else one of the OIDC issuer
 *   else a cookie    of a session of this instance; a change then repeats the session's `x-csrf-token`, which a page of
 *                    another origin cannot read
 *   auth: none       every caller is `anonymous` with the role admin, which is why the listener must then be on loopback
 *
 * Wrong tokens are counted by address and logged (attempts.ts). A right token of the configuration and a session pass
 * even where the address has failed too often; the signature of an OIDC token is not worked out then.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { AuthConfig, OidcConfig } from "../../config/schema.ts";
import type { Actor } from "../../state/rules/model.ts";
import { Refused, tooManyAttempts } from "../problem.ts";
import { createAttempts, type SignInAttempts } from "./attempts.ts";
import { safeMethods } from "./browser.ts";
import type { Oidc, OidcOptions } from "./oidc.ts";
import { createPageSessions, type PageSessions, type Session, sameSecret, sessionIdOf } from "./sessions.ts";
import { bearerSecret, createTokens } from "./tokens.ts";

export interface Asking {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** The address of the connection. */
  readonly remote: string;
}

interface Admitted {
  readonly actor: Actor;
  /** The one whose cookie admitted the request. */
  readonly session?: Session;
  /** When the token ends, ms since the epoch. */
  readonly expiresAtMs?: number;
}

export interface Gate {
  readonly sessions: PageSessions;
  /**
   * @throws Refused `unauthenticated` (RFC 6750 §3), `forbidden`, `too_many_attempts`, `issuer_unavailable`
   */
  admit(asking: Asking): Promise<Admitted>;
  /**
   * The cheap question before `admit`, counted: in how many seconds this token is looked into again, when it is not one
   * of the configuration and the address has failed too often. 0: to be admitted in full.
   */
  blockedForSeconds(authorization: string, remote: string): number;
  /** The session a request belongs to, without more; undefined where it names none that lives. */
  sessionOf(headers: IncomingHttpHeaders): Session | undefined;
  /** Believes these from now on; sessions end when that changes anything. */
  reconfigure(auth: AuthConfig): void;
}

interface GateOptions {
  readonly auth: AuthConfig;
  readonly clock: Clock;
  readonly log: Log;
}

const anonymous: Actor = { name: "anonymous", role: "admin" };

export function createGate({ auth: first, clock, log }: GateOptions): Gate {
  const attempts = createAttempts({ clock, log });
  const sessions = createPageSessions(clock);
  let known = credentialsOf(first, { clock, log });

  function sessionOf(headers: IncomingHttpHeaders): Session | undefined {
    const id = sessionIdOf(headers);
    return id === undefined ? undefined : sessions.find(id);
  }

  return {
    sessions,
    sessionOf,

    blockedForSeconds(authorization, remote) {
      const seconds = known.tokenOf === undefined ? 0 : attempts.blockedForSeconds(remote);
      const secret = seconds === 0 ? undefined : bearerSecret(authorization);
      if (secret === undefined || known.tokenOf?.(secret) !== undefined) return 0;
      attempts.refused(remote);
      return seconds;
    },

    async admit(asking) {
      const { headers, remote } = asking;
      if (known.auth === "none") return { actor: anonymous };
      if (headers.authorization !== undefined) {
        const secret = bearerSecret(headers.authorization);
        if (secret === undefined) throw unauthenticated("a bearer token is needed");
        return admitByToken(known, attempts, secret, remote);
      }
      const session = sessionOf(headers);
      if (session === undefined) throw unauthenticated("a bearer token is needed");
      return admitBySession(session, asking);
    },

    reconfigure(auth) {
      if (JSON.stringify(auth) === JSON.stringify(known.auth)) return;
      known = credentialsOf(auth, { clock, log });
      sessions.endAll();
    },
  };
}

/** What is believed, by the configuration. */
interface Credentials {
  readonly auth: AuthConfig;
  /** Whose token of the configuration a secret is; `undefined` where nobody has to sign in. */
  readonly tokenOf: ((secret: string) => Actor | undefined) | undefined;
  readonly oidc: Oidc | undefined;
}

function credentialsOf(auth: AuthConfig, options: Omit<GateOptions, "auth">): Credentials {
  if (auth === "none") return { auth, tokenOf: undefined, oidc: undefined };
  const oidc = auth.oidc && loadOidc(auth.oidc, options);
  return { auth, tokenOf: createTokens(auth.tokens ?? []), oidc };
}

const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

async function admitByToken(
  { tokenOf, oidc }: Credentials,
  attempts: SignInAttempts,
  secret: string,
  remote: string,
): Promise<Admitted> {
  const actor = tokenOf?.(secret);
  if (actor !== undefined) return { actor };
  const seconds = attempts.blockedForSeconds(remote);
  if (seconds > 0) {
    attempts.refused(remote);
    const { code, detail, retryAfter } = tooManyAttempts(seconds);
    throw new Refused(code, detail, { headers: { "retry-after": retryAfter } });
  }
  const verdict =
    oidc === undefined || !jwt.test(secret)
      ? ({ kind: "invalid", why: "the token is not known" } as const)
      : await oidc.verify(secret);
  switch (verdict.kind) {
    case "known":
      return { actor: verdict.actor, expiresAtMs: verdict.expiresAtMs };
    case "no_role":
      throw new Refused("forbidden", "the token is good, but gives no role here");
    case "issuer_unavailable": {
      const detail = "the issuer's keys are out of reach: a token of the configuration works";
      throw new Refused("issuer_unavailable", detail, { headers: { "retry-after": "5" } });
    }
    case "invalid":
      attempts.failed(remote, verdict.why);
      throw unauthenticated("the token is not known", ', error="invalid_token"');
  }
}

function admitBySession(session: Session, { method, headers }: Asking): Admitted {
  const given = headers["x-csrf-token"];
  if (!safeMethods.has(method) && !sameSecret(typeof given === "string" ? given : "", session.csrf)) {
    throw new Refused("forbidden", "a change made with the cookie needs the session's x-csrf-token");
  }
  return { actor: session.actor, session };
}

function unauthenticated(detail: string, more = ""): Refused {
  return new Refused("unauthenticated", detail, {
    headers: { "www-authenticate": `Bearer realm="cutover"${more}` },
  });
}

/** What verifies an issuer's tokens. @throws Error when it is not where the program was started from any more */
export const loadIssuers = () => import("./oidc.ts");

/** An instance without an issuer does not load what verifies its tokens. */
function loadOidc(config: OidcConfig, options: OidcOptions): Oidc {
  const loading = loadIssuers().then(({ createOidc }) => createOidc(config, options));
  loading.catch(() => undefined);
  return { verify: async (token) => (await loading).verify(token) };
}
