/** The notes of a cutover in Redis, each a hash of its revision and its text. */
import * as z from "zod";
import type { Caller, ServerTime } from "../../../redis/calls.ts";
import { assertNote, type Note } from "../../rules/note.ts";
import type { Store } from "../port.ts";
import type { Calls } from "./scripts.ts";

interface NotesInRedis {
  readonly caller: Caller;
  readonly calls: Calls;
  /** The time of the server that has the cutover's keys. */
  readonly serverTime: (name: string, giveUpAtMs: number) => Promise<ServerTime>;
  readonly byRead: () => number;
  readonly byWrite: () => number;
  /** @throws StoreUnavailable, and nothing else */
  readonly answered: <T>(work: () => Promise<T>) => Promise<T>;
}

export function notesIn(redis: NotesInRedis): Pick<Store, "note" | "writeNote"> {
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

export type WriteNoteArguments = {
  readonly deadline: number;
  readonly again: boolean;
} & Parameters<Store["writeNote"]>[2];
