/**
 * What is under way, in Redis. These keys are for the journeys of a cutover NAME, and the same for its `orders`:
 *
 *   cutover:{NAME}:journeys:legacy           sorted set, the ids of journeys under way by their expiry
 *   cutover:{NAME}:journeys:legacy:started   the same ids by their start
 *   cutover:{NAME}:journeys:new[:EPOCH]      the same of new; EPOCH from 1 on, as each hard rollback begins a new one
 *   cutover:{NAME}:journeys:over             ids that have ended, by when
 */
import * as z from "zod";
import { type Call, readScript, sendCalls, sendParts, unavailable } from "../../redis/calls.ts";
import { monotonicMs, type RedisClient, type RedisReply } from "../../redis/client.ts";
import {
  mostListed,
  rememberOverMs,
  type UnderWayCount,
  type UnderWayCounts,
  type UnderWayItem,
  type UnderWayNote,
  type UnderWayQuestion,
  type UnderWayStore,
  underWayCount,
} from "./port.ts";

interface UnderWayInRedisOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** Most ids kept of each kind, cutover and side; 1,000,000 without it. */
  readonly most?: number;
  /** 1000 without it. */
  readonly deadlineMs?: number;
}

/** Notes a script, which go one after the other: what else is asked of Redis, by requests that wait, comes in between. */
const notesAtOnce = 100;

/** Ids with their starts, one after the other. */
const oldest = z.array(z.string());
const expired = z.tuple([z.number(), z.number()]);
const counts = z.tuple([...expired.def.items, z.number(), oldest, z.number(), oldest]);

/** The client is its maker's to close. */
export function createUnderWayInRedis(options: UnderWayInRedisOptions): UnderWayStore {
  const { client, prefix, most = 1_000_000, deadlineMs = 1000 } = options;
  const noteUnderWay = readScript(new URL("./note-under-way.lua", import.meta.url));
  const countUnderWay = readScript(new URL("./count-under-way.lua", import.meta.url));

  async function ask(calls: readonly Call[]): Promise<readonly RedisReply[]> {
    const sent = await sendCalls(client, calls, monotonicMs() + deadlineMs);
    if (sent.kind !== "answered") throw unavailable(client, "Redis did not answer in time");
    return sent.replies;
  }

  function noting(batch: Batch): Call {
    const { over, sets } = keysOf(prefix, batch[0]);
    const notes = batch.map(({ id, atMs, underWay }) => ({ id, atMs, ...underWay }));
    const once = batch[0].kind === "orders";
    return {
      script: noteUnderWay,
      keys: [over, ...sets],
      args: { most, rememberMs: rememberOverMs, once, notes },
    };
  }

  return {
    async note(notes) {
      const sending = { call: noting, atOnce: 1, deadlineMs };
      const refused = await sendParts(client, batches(notes), sending);
      return refused.reduce((sum, batch) => sum + batch.length, 0);
    },

    async count(questions, onExpired) {
      if (questions.length === 0) return [];
      const replies = await ask(
        questions.map((question) => ({
          script: countUnderWay,
          keys: keysOf(prefix, question).sets,
          args: { listed: mostListed },
        })),
      );
      return questions.map((question, at) => {
        const reply = replies[at];
        const value = reply?.ok === true ? reply.value : undefined;
        const gone = expired.rest(z.unknown()).safeParse(value).data;
        if (gone !== undefined) onExpired?.(question, { legacy: gone[0], new: gone[1] });
        return countsFrom(value, most);
      });
    },
  };
}

function keysOf(prefix: string, { kind, cutover, epoch }: UnderWayQuestion) {
  const all = `${prefix}:{${cutover}}:${kind}`;
  const onNew = epoch === 0 ? `${all}:new` : `${all}:new:${epoch}`;
  return {
    over: `${all}:over`,
    sets: [`${all}:legacy`, `${all}:legacy:started`, onNew, `${onNew}:started`],
  };
}

function countsFrom(value: unknown, most: number): UnderWayCounts | undefined {
  const read = counts.safeParse(value).data;
  if (read === undefined) return undefined;
  const [, , legacy, legacyOldest, onNew, newOldest] = read;
  const of = (count: number, pairs: readonly string[]): UnderWayCount => {
    const items: UnderWayItem[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2)
      items.push({ id: pairs[i] ?? "", startedAt: Number(pairs[i + 1]) });
    return underWayCount(count, count >= most, items);
  };
  return { legacy: of(legacy, legacyOldest), new: of(onNew, newOldest) };
}

/** Notes of one kind, cutover and epoch. */
type Batch = readonly [UnderWayNote, ...UnderWayNote[]];

/** In the order of the notes. */
function batches(notes: readonly UnderWayNote[]): Batch[] {
  const filling = new Map<string, UnderWayNote[]>();
  const all: Batch[] = [];
  for (const note of notes) {
    const name = `${note.kind}:${note.cutover}:${note.epoch}`;
    const batch = filling.get(name);
    if (batch !== undefined && batch.length < notesAtOnce) batch.push(note);
    else {
      const fresh: [UnderWayNote, ...UnderWayNote[]] = [note];
      filling.set(name, fresh);
      all.push(fresh);
    }
  }
  return all;
}
