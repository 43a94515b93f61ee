/**
 * The sessions of the page, which the plugin @fastify/session keeps here: in memory of this instance alone, by a digest of
 * their id, with what a session must not outlive. They are gone at a restart and when `auth` changes.
 *
 * A session ends 15 minutes after a person last used it, 8 hours after it began, no later than the credential it was
 * made with (which the issuer may renew), when its person signs out, and when it is revoked. A tab that only asks again is no use of it. At most 8
 * of one name and 256 in all: the one unused for longest makes room.
 */
import { createHash } from "node:crypto";
import type { Session } from "fastify";
import type { Clock } from "../../base/clock.ts";
import type { Actor } from "../../state/rules/model.ts";

const idleMs = 15 * 60_000;
const lifetimeMs = 8 * 3_600_000;
/** How long before its end a session is renewed, and how long after a failure it is tried again. */
const renewedBeforeMs = 60_000;
const retryAfterMs = 5000;
const maxPerName = 8;
const maxSessions = 256;

/** What the issuer says anew of somebody; and how to ask it the next time. */
export interface Renewed {
  readonly actor: Actor;
  readonly expiresAtMs: number;
  readonly renew?: Renew;
}
/** @returns `ended`: the issuer lets the person in no more; `undefined`: it is out of reach. Never rejects. */
export type Renew = () => Promise<Renewed | "ended" | undefined>;

/** Who is signed in by a cookie, and for how long. */
export interface PageSession {
  /** Names the session to those who may revoke it; nothing comes of knowing it. */
  readonly handle: string;
  readonly actor: Actor;
  /** The segment of the page's path that the cookie goes with. */
  readonly segment: string;
  /** Milliseconds since the epoch, as all times here. */
  readonly beganAtMs: number;
  /** At the latest then. */
  readonly expiresAtMs: number;
}

declare module "fastify" {
  interface Session {
    page?: PageSession;
    /** Of @fastify/csrf-protection. */
    _csrf?: string;
  }
}

export interface PageSessions {
  /** Begins the session of this id. @param credential when it ends, and what renews it */
  begin(id: string, actor: Actor, segment: string, credential?: Credential): PageSession;
  /** The live session of this id, which stays as unused as it was. */
  find(id: string): PageSession | undefined;
  /** Whether it lives, and its person may still do what he might then. */
  isLive(session: PageSession): boolean;
  /** Asks the issuer anew about whoever's session would end within a minute, beside the request. */
  renewInTime(session: PageSession): void;
  /** A person has used it now. */
  touch(session: PageSession): void;
  /** Those that live, the one unused for longest first, with when each was last used. */
  list(): readonly (PageSession & { readonly usedAtMs: number })[];
  /** @returns whether there was such a session */
  revoke(handle: string): boolean;
  endAll(): void;
  size(): number;
  /** As @fastify/session asks for it. */
  readonly store: SessionStore;
}

export interface Credential {
  /** Milliseconds since the epoch; left out: never. */
  readonly expiresAtMs?: number | undefined;
  readonly renew?: Renew | undefined;
}

type Done = (error?: unknown) => void;
interface SessionStore {
  get(id: string, done: (error: unknown, session?: Session | null) => void): void;
  set(id: string, session: Session, done: Done): void;
  destroy(id: string, done: Done): void;
}

interface Entry {
  /** What the plugin is given back. */
  kept: Session | undefined;
  page: PageSession;
  usedAtMs: number;
  renew: Renew | undefined;
  /** When the issuer may be asked again. */
  renewsAtMs: number;
}

export function createPageSessions(clock: Clock): PageSessions {
  /** By handle, the one unused for longest first. */
  const entries = new Map<string, Entry>();

  const isOver = ({ page, usedAtMs }: Entry) =>
    clock.now() >= page.expiresAtMs || clock.now() >= usedAtMs + idleMs;

  function live(handle: string): Entry | undefined {
    const entry = entries.get(handle);
    if (entry === undefined || !isOver(entry)) return entry;
    entries.delete(handle);
    return undefined;
  }

  function makeRoom(name: string): void {
    for (const [handle, entry] of entries) if (isOver(entry)) entries.delete(handle);
    const own = [...entries].filter(([, { page }]) => page.actor.name === name);
    const [oldest] = own.length >= maxPerName ? own : entries.size >= maxSessions ? [...entries] : [];
    if (oldest !== undefined) entries.delete(oldest[0]);
  }

  const store: SessionStore = {
    get: (id, done) => done(null, live(handleOf(id))?.kept ?? null),

    /** What has ended meanwhile stays so. */
    set(id, { cookie, page, _csrf }, done) {
      const entry = live(handleOf(id));
      if (entry !== undefined && entry.page === page) {
        const { path = "/", sameSite = "lax" } = cookie;
        const kept = { cookie: { originalMaxAge: null, path, sameSite }, page };
        entry.kept = _csrf === undefined ? kept : { ...kept, _csrf };
      }
      done();
    },

    destroy(id, done) {
      entries.delete(handleOf(id));
      done();
    },
  };

  return {
    store,

    begin(id, actor, segment, { expiresAtMs: notAfterMs, renew } = {}) {
      makeRoom(actor.name);
      const handle = handleOf(id);
      const beganAtMs = clock.now();
      const expiresAtMs = endOf(beganAtMs, notAfterMs);
      const page = { handle, actor, segment, beganAtMs, expiresAtMs };
      entries.set(handle, { kept: undefined, page, usedAtMs: beganAtMs, renew, renewsAtMs: 0 });
      return page;
    },

    find: (id) => live(handleOf(id))?.page,

    isLive({ handle, actor }) {
      const now = live(handle)?.page.actor;
      return now?.name === actor.name && now.role === actor.role;
    },

    renewInTime({ handle }) {
      const entry = live(handle);
      if (entry?.renew === undefined || clock.now() < entry.renewsAtMs) return;
      const { beganAtMs, expiresAtMs } = entry.page;
      const isLast = expiresAtMs >= beganAtMs + lifetimeMs;
      if (isLast || clock.now() < expiresAtMs - renewedBeforeMs) return;
      void renewed(entry, entry.renew, clock).then((isEnded) => {
        if (isEnded) entries.delete(handle);
      });
    },

    touch({ handle }) {
      const entry = live(handle);
      if (entry === undefined) return;
      entry.usedAtMs = clock.now();
      entries.delete(handle);
      entries.set(handle, entry);
    },

    list: () =>
      [...entries.values()]
        .filter((entry) => !isOver(entry))
        .map(({ page, usedAtMs }) => ({ ...page, usedAtMs })),
    revoke: (handle) => live(handle) !== undefined && entries.delete(handle),
    endAll: () => entries.clear(),
    size: () => entries.size,
  };
}

/** @returns whether the issuer lets its person in no more */
async function renewed(entry: Entry, renew: Renew, clock: Clock): Promise<boolean> {
  // One at a time: what renews it may be good for once.
  entry.renewsAtMs = Number.POSITIVE_INFINITY;
  const result = await renew();
  entry.renewsAtMs = clock.now() + retryAfterMs;
  if (result === "ended") return true;
  if (result === undefined) return false;
  const { actor, expiresAtMs } = result;
  entry.page = { ...entry.page, actor, expiresAtMs: endOf(entry.page.beganAtMs, expiresAtMs) };
  if (entry.kept !== undefined) entry.kept = { ...entry.kept, page: entry.page };
  entry.renew = result.renew;
  return false;
}

function endOf(beganAtMs: number, notAfterMs = Number.POSITIVE_INFINITY): number {
  return Math.min(beganAtMs + lifetimeMs, notAfterMs);
}

/** An id cannot be found from it, and to look one up tells in no time how much of it fits. */
function handleOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 32);
}
