/**
 * Owners in Redis as people see them and put them right; and the instances, asked what they know of a key.
 *
 *   cutover:{NAME}:owner-change:KEY   a change that waits for a second person, JSON, with a TTL
 *   cutover:owners                    channel; `key:` and JSON: a question to all instances, or the answer of one
 */
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { systemTimers, within } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { jsonOf } from "../../base/json.ts";
import { type Caller, readScript, sendCalls } from "../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../redis/client.ts";
import { type KnownOfKey, knownOfKey, type OwnersByHand, waitingChange } from "./by-hand.ts";
import { claimIn, sideOf } from "./port.ts";

interface ByHandOptions {
  readonly client: RedisClient;
  readonly caller: Caller;
  readonly prefix: string;
  readonly channel: string;
  /** Hears what the channel says of this kind; `undefined`: whatever it says from now on. @returns the way out */
  readonly listen: (hear: (message: Buffer | undefined) => void) => () => void;
}

/** A person waits longer than a request. */
const patienceMs = 1500;
/** How long the instances have to say what they know. */
const answerMs = 1000;

/** What messages of this kind begin with. */
export const questionMark = "key:";
const said = z.union([
  z.object({ ask: z.string(), cutover: z.string(), key: z.string(), forget: z.boolean() }),
  z.object({ to: z.string(), instance: z.string(), known: knownOfKey }),
]);
type Said = z.output<typeof said>;

export function createOwnersByHandInRedis(options: ByHandOptions): OwnersByHand {
  const { client, caller, prefix, channel } = options;
  const putOwner = readScript(new URL("./put-owner.lua", import.meta.url));
  const keyOf = (cutover: string, record: string, key: string) =>
    Buffer.from(`${prefix}:{${cutover}}:${record}:${key}`, "latin1");
  const run = async (...calls: Parameters<Caller["run"]>[0]) => caller.run(calls, monotonicMs() + patienceMs);
  return {
    ...asking(options),
    async inspect(cutover, key) {
      const names = [keyOf(cutover, "owner", key), keyOf(cutover, "claim", key)] as const;
      const [records] = await run(["mget", ...names]);
      const [owner, record]: unknown[] = Array.isArray(records) ? records : [];
      const [owned, claimed] = await endsOf(client, names);
      const claim = claimIn(record);
      const side = sideOf(owner);
      const isClaim = claim !== undefined && !claim.isApart && owner === claim.side;
      return {
        fact: side === undefined || isClaim ? undefined : { side, until: owned, isTentative: false },
        claim: claim && { side: claim.side, until: claimed, isTentative: claim.token !== undefined },
      };
    },
    async put(cutover, key, side, ttlMs) {
      await run({
        script: putOwner,
        keys: [keyOf(cutover, "owner", key), keyOf(cutover, "claim", key)],
        args: { side, ttlMs, channel },
        bytes: [Buffer.from(`${cutover}:${key}`, "latin1")],
      });
    },
    async waiting(cutover, key) {
      const [kept] = await run(["get", keyOf(cutover, "owner-change", key)]);
      return typeof kept === "string" ? waitingChange.safeParse(jsonOf(kept)).data : undefined;
    },
    async wait(cutover, key, change, ttlMs) {
      const name = keyOf(cutover, "owner-change", key);
      await run(change === undefined ? ["del", name] : ["set", name, JSON.stringify(change), "PX", ttlMs]);
    },
  };
}

/** When the records end. A user without the right to ask gets none of it, and all the rest. */
async function endsOf(client: RedisClient, names: readonly Buffer[]): Promise<(number | undefined)[]> {
  const sent = await sendCalls(
    client,
    names.map((name) => ["pttl", name]),
    monotonicMs() + patienceMs,
  );
  if (sent.kind !== "answered") throw new StoreUnavailable("Redis did not answer in time");
  return sent.replies.map((reply) => {
    return reply.ok && typeof reply.value === "number" && reply.value >= 0
      ? Date.now() + reply.value
      : undefined;
  });
}

function asking({
  client,
  caller,
  channel,
  listen,
}: ByHandOptions): Required<Pick<OwnersByHand, "ask" | "answer">> {
  const publish = (message: Said) =>
    caller.run([["publish", channel, `${questionMark}${JSON.stringify(message)}`]], monotonicMs() + answerMs);
  const hear = (take: (message: Said) => void, onHearing?: () => void) =>
    listen((message) => {
      if (message === undefined) return onHearing?.();
      const read = said.safeParse(jsonOf(message.toString("utf8", questionMark.length)));
      if (read.success) take(read.data);
    });
  return {
    async ask({ cutover, key, forget }, instances) {
      const heard = new Map<string, KnownOfKey>();
      if (instances.length === 0 || !client.isReady()) return heard;
      const ask = randomBytes(9).toString("base64url");
      let leave = () => {};
      let onHearing = () => {};
      const hearing = new Promise<void>((resolve) => {
        onHearing = resolve;
      });
      const all = new Promise<void>((resolve) => {
        leave = hear((message) => {
          if ("to" in message && message.to === ask) heard.set(message.instance, message.known);
          if (instances.every((id) => heard.has(id))) resolve();
        }, onHearing);
      });
      // An answer that comes before this process hears would be missed.
      const asked = hearing.then(() => publish({ ask, cutover, key, forget }));
      try {
        await within(answerMs, systemTimers, Promise.all([asked, all]));
      } catch {
        // Who has not answered is told as silent.
      } finally {
        leave();
      }
      return heard;
    },
    answer: (instance, answer) =>
      hear((message) => {
        if (!("ask" in message)) return;
        const { ask: to, ...question } = message;
        answer(question)
          .then((known) => publish({ to, instance, known }))
          .catch(() => undefined);
      }),
  };
}
