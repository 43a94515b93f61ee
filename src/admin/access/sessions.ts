/**
 * The sessions of the page: a token is traded for a random id in a cookie, so that the token itself is kept nowhere in the
 * browser. In memory of this instance alone, by the id's SHA-256; gone at a restart and when `auth` changes.
 *
 * A session ends 15 minutes after its last request, 8 hours after it began, and no later than the credential it was
 * made with. At most 8 of one name and 256 in all: the one unused for longest makes room.
 *
 * The cookie is HttpOnly and SameSite=Strict always; over https it is also Secure and bears the prefix `__Host-`, so that
 * no other host of the domain can set it (RFC 6265bis §4.1.3.2).
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { Actor } from "../../state/rules/model.ts";

const idleMs = 15 * 60_000;
const lifetimeMs = 8 * 3_600_000;
const maxPerName = 8;
const maxSessions = 256;

export interface Session {
  readonly actor: Actor;
  /** What a change made with the cookie has to repeat in a header field. */
  readonly csrf: string;
  /** Milliseconds since the epoch: at the latest then. */
  readonly expiresAtMs: number;
}

export interface PageSessions {
  /** @param notAfterMs milliseconds since the epoch, when the credential ends */
  begin(actor: Actor, notAfterMs?: number): { readonly id: string; readonly session: Session };
  /** The session of this id, which counts as used now. */
  find(id: string): Session | undefined;
  end(id: string): void;
  endAll(): void;
  size(): number;
}

interface Entry {
  readonly session: Session;
  usedAtMs: number;
}

export function createPageSessions(clock: Clock): PageSessions {
  /** By the id's digest, the one unused for longest first. */
  const entries = new Map<string, Entry>();

  const isOver = ({ session, usedAtMs }: Entry) =>
    clock.now() >= session.expiresAtMs || clock.now() >= usedAtMs + idleMs;

  function makeRoom(name: string): void {
    for (const [key, entry] of entries) if (isOver(entry)) entries.delete(key);
    const own = [...entries].filter(([, { session }]) => session.actor.name === name);
    const [oldest] = own.length >= maxPerName ? own : entries.size >= maxSessions ? [...entries] : [];
    if (oldest !== undefined) entries.delete(oldest[0]);
  }

  return {
    begin(actor, notAfterMs = Number.POSITIVE_INFINITY) {
      makeRoom(actor.name);
      const id = randomBytes(32).toString("base64url");
      const csrf = randomBytes(32).toString("base64url");
      const session = { actor, csrf, expiresAtMs: Math.min(clock.now() + lifetimeMs, notAfterMs) };
      entries.set(digestOf(id), { session, usedAtMs: clock.now() });
      return { id, session };
    },

    find(id) {
      const key = digestOf(id);
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (isOver(entry)) return undefined;
      entry.usedAtMs = clock.now();
      entries.set(key, entry);
      return entry.session;
    },

    end: (id) => void entries.delete(digestOf(id)),
    endAll: () => entries.clear(),
    size: () => entries.size,
  };
}

function digestOf(id: string): string {
  return createHash("sha256").update(id).digest("hex");
}

/** In a time that does not tell how much of it fits. */
export function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

const plainName = "cutover_session";
const secureName = `__Host-${plainName}`;
const attributes = "Path=/; HttpOnly; SameSite=Strict";

/** @returns the session's id; `undefined` without exactly one */
export function sessionIdOf({ cookie }: IncomingHttpHeaders): string | undefined {
  const pairs = (cookie ?? "").split(";").map((pair) => pair.trim());
  for (const name of [secureName, plainName]) {
    const [found, ...more] = pairs.filter((pair) => pair.startsWith(`${name}=`));
    if (found !== undefined) return more.length === 0 ? found.slice(name.length + 1) : undefined;
  }
  return undefined;
}

/**
 * Whether the browser speaks https: this listener does not, but what stands before it may. A client that forges the
 * field changes only its own cookie.
 */
export function isSecure(headers: IncomingHttpHeaders): boolean {
  const [first] = [headers["x-forwarded-proto"]].flat();
  return first?.split(",")[0]?.trim().toLowerCase() === "https";
}

export function sessionCookie(id: string, secure: boolean): string {
  return secure ? `${secureName}=${id}; ${attributes}; Secure` : `${plainName}=${id}; ${attributes}`;
}

/** What takes the cookie out of the browser again. */
export function endedCookie(secure: boolean): string {
  return `${sessionCookie("", secure)}; Max-Age=0`;
}
