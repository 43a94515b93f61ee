/**
 * Past requests, in Redis:
 *
 *   cutover:{NAME}:past:DIGEST              how requests with the key were decided, JSON (record.ts), with a TTL
 *   cutover:{NAME}:doubt:legacy             sorted set, those in doubt on legacy by since when (ms); of what yet waits, by when
 *                                           its instance counts as gone. The same of new
 *   cutover:{NAME}:doubt:legacy:requests    hash, what is known of each, JSON; under `>DIGEST` which of them have that key
 */
import { StoreUnavailable } from "../../base/errors.ts";
import { type Call, readScript, sendCalls, sendParts, unavailable, valuesOf } from "../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../redis/client.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import {
  type DoubtCount,
  type DoubtNote,
  type InDoubt,
  type KeyNote,
  mostInDoubt,
  mostOthers,
  type PastStore,
  settledMs,
} from "./port.ts";
import { mostDecisions, readDoubt, readRecord } from "./record.ts";

interface PastInRedisOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** Most in doubt of each cutover and side. */
  readonly most?: number;
  /** 1000 without it. */
  readonly deadlineMs?: number;
}

/** Notes a script, which go one after the other: what else is asked of Redis, by requests that wait, comes in between. */
const notesAtOnce = 50;
const readAtOnce = 1000;

/** The client is its maker's to close. */
export function createPastInRedis(options: PastInRedisOptions): PastStore {
  const { client, prefix, most = mostInDoubt, deadlineMs = 1000 } = options;
  const notePast = readScript(new URL("./note-past.lua", import.meta.url));
  const readInDoubt = readScript(new URL("./read-in-doubt.lua", import.meta.url));
  const names = (cutover: string, side: Side) => {
    const set = `${prefix}:{${cutover}}:doubt:${side}`;
    return [set, `${set}:requests`];
  };
  const recordOf = (cutover: string, digest: string) => `${prefix}:{${cutover}}:past:${digest}`;

  async function ask(calls: readonly (Call | ["get", string])[]): Promise<readonly unknown[]> {
    const sent = await sendCalls(client, calls, monotonicMs() + deadlineMs);
    if (sent.kind !== "answered") throw unavailable(client, "Redis did not answer in time");
    return valuesOf(sent.replies);
  }

  function noting({ cutover, keys, doubts }: Batch): Call {
    const records: string[] = [];
    /** @returns its place among the script's keys */
    const place = (digest: string) => 4 + records.push(recordOf(cutover, digest));
    const placedKeys = keys.map(({ digest, ttlMs, decisions, answered }) => {
      const made = decisions.map((one) => [one.atMs, one.side, one.reason, one.version, one.route]);
      return { record: place(digest), digest, ttlMs, decisions: made, answered };
    });
    const placedDoubts = doubts.map(({ side, digest, others, sentAtMs, sinceMs, route, outcome }) => {
      const told = { side, digest, others, sentAt: sentAtMs, since: sinceMs, route };
      const all = [digest, ...others].map(place);
      return { records: all, ...told, ...(outcome === null ? {} : { outcome }) };
    });
    return {
      script: notePast,
      keys: [...sides.flatMap((side) => names(cutover, side)), ...records],
      args: { most, mostDecisions, mostOthers, keys: placedKeys, doubts: placedDoubts },
    };
  }

  async function page(cutover: string, side: Side, from: number, skip: number, count: number) {
    const args = { from, skip, count };
    const [told] = await ask([{ script: readInDoubt, keys: names(cutover, side), args }]);
    return readPage(side, told);
  }

  async function inDoubt(cutover: string, side: Side, count: number): Promise<InDoubt[]> {
    const all: InDoubt[] = [];
    let [from, skip] = [0, 0];
    while (all.length < count) {
      const { requests, since } = await page(cutover, side, from, skip, Math.min(readAtOnce, count));
      all.push(...requests);
      const last = since.at(-1);
      if (last === undefined || since.length < readAtOnce) break;
      // The next page begins behind those that are in doubt since the same moment.
      const alike = since.filter((one) => one === last).length;
      skip = last === from ? skip + alike : alike;
      from = last;
    }
    return all.slice(0, count);
  }

  return {
    async note({ keys, doubts }) {
      let lost = 0;
      const refused = await sendParts(client, batches(keys, doubts), {
        call: noting,
        atOnce: 1,
        deadlineMs,
        onTaken: (value) => {
          lost += Array.isArray(value) ? Number(value[0]) : 0;
        },
      });
      return refused.reduce((sum, batch) => sum + batch.keys.length + batch.doubts.length, lost);
    },
    async of(cutover, digest) {
      const [text] = await ask([["get", recordOf(cutover, digest)]]);
      return readRecord(text);
    },
    async inDoubt(cutover, count) {
      return (await Promise.all(sides.map((side) => inDoubt(cutover, side, count)))).flat();
    },
    async counts(cutovers) {
      if (cutovers.length === 0) return [];
      const args = { from: 0, skip: 0, count: 0 };
      const asked = cutovers.flatMap((cutover) => sides.map((side) => names(cutover, side)));
      const told = await ask(asked.map((keys) => ({ script: readInDoubt, keys, args })));
      return cutovers.map((_, i) => {
        const [legacy, onNew] = [countIn(told[2 * i]), countIn(told[2 * i + 1])];
        return legacy === undefined || onNew === undefined ? undefined : { legacy, new: onNew };
      });
    },
    async settle(cutover, digest, atMs) {
      const answered = { legacy: atMs, new: atMs };
      const keys = [{ cutover, digest, ttlMs: settledMs, decisions: [], answered }];
      const [told] = await ask([noting({ cutover, keys, doubts: [] })]);
      if (!Array.isArray(told)) throw new StoreUnavailable("what is in doubt cannot be read");
      return Number(told[1]);
    },
  };
}

function countIn(told: unknown): DoubtCount | undefined {
  if (!Array.isArray(told)) return undefined;
  const [count, oldest]: unknown[] = told;
  return { count: Number(count), oldestSinceMs: oldest === "" ? undefined : Number(oldest) };
}

function readPage(side: Side, told: unknown): { requests: InDoubt[]; since: number[] } {
  const fields: unknown[] = Array.isArray(told) ? told.slice(2) : [];
  const requests: InDoubt[] = [];
  const since: number[] = [];
  for (let i = 0; i < fields.length; i += 3) {
    const sinceMs = Number(fields[i + 1]);
    const request = readDoubt({ side, digest: String(fields[i]) }, fields[i + 2], sinceMs);
    since.push(sinceMs);
    if (request !== undefined) requests.push(request);
  }
  return { requests, since };
}

/** Notes of one cutover. */
interface Batch {
  readonly cutover: string;
  readonly keys: KeyNote[];
  readonly doubts: DoubtNote[];
}

/** What was answered comes before what is in doubt. */
function batches(keys: readonly KeyNote[], doubts: readonly DoubtNote[]): Batch[] {
  const all: Batch[] = [];
  const filling = new Map<string, Batch>();
  const batchOf = (cutover: string) => {
    const known = filling.get(cutover);
    if (known !== undefined && known.keys.length + known.doubts.length < notesAtOnce) return known;
    const batch: Batch = { cutover, keys: [], doubts: [] };
    filling.set(cutover, batch);
    all.push(batch);
    return batch;
  };
  for (const note of keys) batchOf(note.cutover).keys.push(note);
  for (const note of doubts) batchOf(note.cutover).doubts.push(note);
  return all;
}
