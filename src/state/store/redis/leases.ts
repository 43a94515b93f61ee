/** Leases in Redis, and the notes of a cutover, which may be written under their fence: each a hash of its revision and its text. */
import * as z from "zod";
import type { Caller, ServerTime } from "../../../redis/calls.ts";
import { assertKept, assertLease, assertLeaseName, cutoverOf } from "../../rules/leases/lease.ts";
import { assertNote, type Note } from "../../rules/leases/note.ts";
import { longestKept, type Store } from "../port.ts";
import { isKept, isReleased, keptFrom, leasedFrom } from "./replies.ts";
import type { Calls, LeaseArguments } from "./scripts.ts";

interface InRedis {
  readonly caller: Caller;
  readonly calls: Calls;
  /** The time of the server that has the cutover's keys. */
  readonly serverTime: (name: string, giveUpAtMs: number) => Promise<ServerTime>;
  readonly byRead: () => number;
  readonly byWrite: () => number;
  /** @throws StoreUnavailable, and nothing else */
  readonly answered: <T>(work: () => Promise<T>) => Promise<T>;
}

/** A lease that is answered with StoreUnavailable is neither taken nor given back later. */
export function leasesIn({
  caller,
  calls,
  serverTime,
  byRead,
  byWrite,
  answered,
}: InRedis): Pick<Store, "lease" | "release" | "keep" | "kept"> {
  const ask = (name: string, asked: Omit<LeaseArguments, "deadline">, giveUpAtMs: number) =>
    caller.change(giveUpAtMs, async (change) => {
      const deadline = change.deadline(await serverTime(cutoverOf(name), giveUpAtMs));
      return await change.once(() => calls.lease(name, { deadline, ...asked }));
    });
  return {
    async lease(name, holder, ttlMs) {
      assertLease(name, holder, ttlMs);
      return await answered(async () => {
        return leasedFrom(await ask(name, { take: { holder, ttlMs } }, byWrite()));
      });
    },

    async release(name, token) {
      assertLeaseName(name);
      return await answered(async () => {
        return isReleased(await ask(name, { release: { token } }, byWrite()));
      });
    },

    async keep(fence, text) {
      assertKept(fence, text, longestKept);
      return await answered(async () => {
        // Twice is as good as once, and the next text comes soon.
        const [reply] = await caller.run([calls.keep(fence, text)], byRead());
        return isKept(reply);
      });
    },

    async kept(lease) {
      assertLeaseName(lease);
      return await answered(async () => {
        const [found] = await caller.run([["hget", calls.keys.lease(lease), "kept"]], byRead());
        return keptFrom(found);
      });
    },
  };
}

export function notesIn(redis: InRedis): Pick<Store, "note" | "writeNote"> {
  const { caller, calls, serverTime, byRead, byWrite, answered } = redis;
  return {
    note: (name, what) =>
      answered(async () => {
        const key = calls.keys.note(name, what);
        const [found] = await caller.run([["hmget", key, "revision", "text"]], byRead());
        return noteFrom(found);
      }),

    async writeNote(name, what, writing) {
      assertNote(name, writing);
      return await answered(() => {
        const giveUpAtMs = byWrite();
        return caller.change(giveUpAtMs, async (change) => {
          const deadline = change.deadline(await serverTime(name, giveUpAtMs));
          const [answer] = outcome.parse(
            await change.once((again) => calls.writeNote(name, what, { deadline, again, ...writing })),
          );
          return answer;
        });
      });
    },
  };
}

const outcome = z.tuple([z.enum(["written", "moved", "fenced"])]);
const stored = z.tuple([z.string().regex(/^\d{1,15}$/), z.string()]);

/** What is no note, or does not read, is none: the next writing finds the same revision. */
function noteFrom(reply: unknown): Note {
  const found = stored.safeParse(reply).data;
  return found === undefined ? { revision: 0, text: "" } : { revision: Number(found[0]), text: found[1] };
}
