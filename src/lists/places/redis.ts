/**
 * Lists in Redis. For a list NAME under the prefix `cutover`:
 *
 *   cutover:list:{NAME}            hash: `version`, `stamp`, `members`, `updated_at`, `updated_by`, `reason`, `parts` (the
 *                                  stamps of the 256 parts, JSON), and `p:0` to `p:255`, each part's digests in base64
 *   cutover:list:{NAME}:audit      stream, one entry a change
 *   cutover:list:{NAME}:waiting:ID a change that waits for a second person, JSON, with a TTL
 *   cutover:lists                  channel, a hint that a list has changed
 *
 * A part and the stamps are read by one command, and written by one script.
 */
import { randomUUID } from "node:crypto";
import * as z from "zod";
import { StoreUnavailable } from "../../base/errors.ts";
import { jsonOf } from "../../base/json.ts";
import { createCaller, readScript } from "../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../redis/client.ts";
import { partCount } from "../members.ts";
import { entriesKept, type ListHead, type ListPlace, neverChanged } from "../port.ts";

/** A part of ten million members is some 400 KiB: a read of many of them takes its time. */
const readMs = 5000;
const writeMs = 5000;
const byRead = () => monotonicMs() + readMs;

const field = z.string().nullable();
const stamps = z.array(z.int().min(0)).length(partCount);
const waitingChange = z.object({
  id: z.string(),
  by: z.string(),
  reason: z.string(),
  at: z.string(),
  expiresAt: z.string(),
});
const writeReply = z.union([z.tuple([z.literal("moved")]), z.tuple([z.literal("written"), z.array(field)])]);
const stream = z.array(z.tuple([z.string(), z.array(z.string())])).nullable();

const headFields = ["version", "members", "updated_at", "updated_by", "reason"] as const;

export function createRedisLists(client: RedisClient, prefix: string): ListPlace {
  const caller = createCaller(client);
  const script = readScript(new URL("./write.lua", import.meta.url));
  const key = (name: string) => `${prefix}:list:{${name}}`;
  const channel = `${prefix}:lists`;
  const waitingKey = (name: string, id: string) => `${key(name)}:waiting:${id}`;

  async function fields(name: string, wanted: readonly string[]): Promise<readonly (string | null)[]> {
    const [reply] = await caller.run([["hmget", key(name), ...wanted]], byRead());
    return z.array(field).nullable().parse(reply) ?? wanted.map(() => null);
  }

  async function some(name: string, wanted: readonly number[]) {
    const [parts = null, ...texts] = await fields(name, ["parts", ...wanted.map((at) => `p:${at}`)]);
    const stamps = stampsOf(parts);
    return wanted.map((at, index) => ({
      stamp: stamps[at] ?? 0,
      bytes: Buffer.from(texts[index] ?? "", "base64"),
    }));
  }

  return {
    async stamps(names) {
      const replies = await caller.run(
        names.map((name) => ["hget", key(name), "stamp"]),
        byRead(),
      );
      return replies.map((reply) => wholeOf(field.parse(reply)));
    },
    async parts(name) {
      const [parts = null] = await fields(name, ["parts"]);
      return stampsOf(parts);
    },
    part: async (name, at) => (await some(name, [at]))[0] ?? { stamp: 0, bytes: Buffer.alloc(0) },
    some,
    head: async (name) => headOf(await fields(name, headFields)),
    async history(name, limit) {
      const [reply] = await caller.run(
        [["xrevrange", `${key(name)}:audit`, "+", "-", "count", limit]],
        byRead(),
      );
      return (stream.parse(reply) ?? []).map(([, pairs]) => {
        const of = (wanted: string) => pairs[pairs.indexOf(wanted) + 1] ?? "";
        return {
          version: wholeOf(of("version")),
          at: of("at"),
          by: of("by"),
          added: wholeOf(of("added")),
          removed: wholeOf(of("removed")),
          reason: of("reason"),
        };
      });
    },
    async write(name, { parts, more, by, reason, entry }) {
      const id = randomUUID();
      const giveUpAtMs = monotonicMs() + writeMs;
      const reply = await caller.change(giveUpAtMs, async (change) => {
        const [time] = await caller.run([["time"]], giveUpAtMs);
        const [seconds = "0", micros = "0"] = z.array(z.string()).parse(time);
        const serverMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
        const deadline = change.deadline({ serverMs, receivedAtMs: monotonicMs() });
        return await change.once(() => ({
          script,
          keys: [key(name), `${key(name)}:audit`],
          args: {
            ...{ deadline, id, more, by, reason, channel, name, entriesKept },
            ...(entry === undefined ? {} : { entry }),
            parts: parts.map(({ at, from, bytes }) => ({ at, from, text: bytes.toString("base64") })),
          },
        }));
      });
      const [kind, values] = writeReply.parse(reply);
      return kind === "moved" ? kind : headOf(values);
    },
    async waiting(name, id) {
      const [reply] = await caller.run([["get", waitingKey(name, id)]], byRead());
      const text = field.parse(reply);
      return text === null ? undefined : waitingChange.safeParse(jsonOf(text)).data;
    },
    async wait(name, change, ttlMs) {
      const text = JSON.stringify(change);
      await caller.run([["set", waitingKey(name, change.id), text, "px", Math.ceil(ttlMs)]], byRead());
    },
    subscribe: (onHint) => client.subscribe(channel, () => onHint()),
  };
}

function wholeOf(text: string | null): number {
  return text !== null && /^\d{1,16}$/.test(text) ? Number(text) : 0;
}

/** @throws StoreUnavailable when they do not read: nothing is followed then */
function stampsOf(text: string | null): readonly number[] {
  if (text === null) return Array.from({ length: partCount }, () => 0);
  const read = stamps.safeParse(jsonOf(text));
  if (!read.success) throw new StoreUnavailable("the stamps of a list do not read");
  return read.data;
}

function headOf(values: readonly (string | null)[]): ListHead {
  const [version = null, members = null, updatedAt = null, updatedBy = null, reason = null] = values;
  if (version === null) return neverChanged;
  return {
    version: wholeOf(version),
    members: wholeOf(members),
    updatedAt: updatedAt ?? "",
    updatedBy: updatedBy ?? "",
    reason: reason ?? "",
  };
}
