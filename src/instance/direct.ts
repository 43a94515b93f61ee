/**
 * Rolling back and holding past every admin API: straight to the store, by the same rule book, as `direct`. For the
 * hour in which no instance's admin listener can be reached.
 */

import { hostname, userInfo } from "node:os";
import { appliedView } from "../admin/api/applied-view.ts";
import { warningsAfter } from "../admin/api/sides/maintenance.ts";
import type { DirectAnswer, DirectWrite } from "../admin/api/write.ts";
import { writeView } from "../admin/api/write.ts";
import { systemClock } from "../base/clock.ts";
import { StoreUnavailable } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { waitApplied } from "../state/follow/applied.ts";
import { type Roster, reachOf } from "../state/rules/completion.ts";
import type { Actor } from "../state/rules/model.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import { openStore } from "../state/store/open.ts";
import type { Store } from "../state/store/port.ts";

/** Whoever has the store's password: nobody vouches for who that is but the host the command was typed on. */
function actorHere(): Actor {
  return {
    name: `${nameOfUser()}@${hostname()}`.replace(/[^\x21-\x7e]/g, "?").slice(0, 100),
    role: "responder",
  };
}

function nameOfUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a user that has no entry.
    return `uid ${process.getuid?.() ?? "?"}`.replace(" ", "-");
  }
}

/**
 * Nothing is made for a name that neither the store nor an instance knows: a misspelt one would look like success.
 *
 * @throws Error when the URL is none of Redis; its text is not repeated, it may hold a password
 */
export async function writeDirectly(write: DirectWrite): Promise<DirectAnswer> {
  if (!/^redis(?:s|-sentinel|-cluster)?:/.test(write.url))
    throw new Error("--direct takes a URL as redis://HOST:PORT");
  const clock = systemClock;
  const begunMs = clock.monotonic();
  const trouble = rememberTrouble();
  const { store } = await openStore(write.url, { prefix: write.prefix, clock, log: trouble.log });
  try {
    return await attempt(store, write, begunMs);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return {
      kind: "out_of_reach",
      why: error.word ?? trouble.code() ?? error.message,
      answers: error.word !== undefined,
    };
  } finally {
    await store.close();
  }
}

async function attempt(store: Store, write: DirectWrite, begunMs: number): Promise<DirectAnswer> {
  const { name } = write;
  if (name !== undefined) return one(store, { ...write, name }, begunMs);
  const known = namesOf(await store.roster());
  if (known.length === 0) return { kind: "unknown_name", known };
  const answers = await Promise.all(
    known.map(async (each) => {
      const answer = await one(store, { ...write, name: each }, begunMs);
      if (answer.kind === "answered") return answer.answer;
      const { code, stands } = answer.kind === "refused" ? answer : { code: "not_found", stands: undefined };
      return { name: each, refused: { code, ...(stands === undefined ? {} : { current: stands }) } };
    }),
  );
  return { kind: "answered_all", answers };
}

type OneAnswer = Extract<DirectAnswer, { kind: "answered" | "refused" | "unknown_name" }>;

async function one(
  store: Store,
  write: DirectWrite & { readonly name: string },
  begunMs: number,
): Promise<OneAnswer> {
  const { name, action, reason, ifVersion, waitMs } = write;
  const { states } = await store.load([name], new Map());
  const roster = await store.roster();
  const known = namesOf(roster);
  if (!known.includes(name) && (states.get(name)?.version ?? 0) === 0) return { kind: "unknown_name", known };

  const change = { action };
  const applied = await store.apply({
    name,
    change,
    actor: actorHere(),
    reason,
    origin: { via: "direct" },
    ...(ifVersion === undefined ? {} : { ifVersion }),
  });
  const { percentThousandths, state, version } = applied.state;
  if (!applied.accepted) {
    const stands = { percent: percentToNumber(percentThousandths), state, version };
    return { kind: "refused", code: applied.code, stands };
  }
  const completion = await waitApplied({
    store,
    name,
    version,
    reach: reachOf(change, undefined),
    waitMs,
    clock: systemClock,
  });
  const ms = Math.round((systemClock.monotonic() - begunMs) * 10) / 10;
  const where = appliedView(completion, ms);
  return {
    kind: "answered",
    answer: writeView(name, applied, where, warningsAfter(applied.state, systemClock.now())),
  };
}

function namesOf({ members }: Roster): readonly string[] {
  return [...new Set(members.flatMap(({ versions }) => Object.keys(versions)))].sort();
}

/** What the connection complains of, by its code. */
function rememberTrouble(): { readonly log: Log; code(): string | undefined } {
  let code: string | undefined;
  const log: Log = {
    info: () => undefined,
    warn: (fields) => {
      if (typeof fields.code === "string") code = fields.code;
    },
    error: () => undefined,
  };
  return { log, code: () => code };
}
