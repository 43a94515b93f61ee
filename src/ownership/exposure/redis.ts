/**
 * The money at risk, in Redis, beside the orders under way of a cutover NAME:
 *
 *   cutover:{NAME}:exposure         hash: the amount of each order that counts, 0 of one that is closed; `sum`, and
 *                                   `over` while that is over its cap
 *   cutover:{NAME}:exposure:until   sorted set: the same orders, by when they count no more
 */
import * as z from "zod";
import { type Call, readScript, sendCalls, unavailable, valuesOf } from "../../redis/calls.ts";
import { monotonicMs, type RedisClient } from "../../redis/client.ts";
import {
  type Exposure,
  type ExposureLimits,
  type ExposureNote,
  type ExposureStore,
  mostOrders,
  mostSum,
  rememberClosedMs,
  reopeningAmount,
} from "./port.ts";

interface ExposureInRedisOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** 1000 without it. */
  readonly deadlineMs?: number;
}

/** Of one script: what else is asked of Redis waits for no longer than it takes. */
const notesAtOnce = 500;

const standing = z.tuple([z.string().regex(/^\d+$/), z.literal([0, 1])]);

/** The client is its maker's to close. */
export function createExposureInRedis(options: ExposureInRedisOptions): ExposureStore {
  const { client, prefix, deadlineMs = 1000 } = options;
  const script = readScript(new URL("./note-exposure.lua", import.meta.url));

  function callOf(cutover: string, notes: readonly ExposureNote[], limits: ExposureLimits): Call {
    const key = `${prefix}:{${cutover}}:exposure`;
    const { maxOpenAmount: cap, forMs } = limits;
    return {
      script,
      keys: [key, `${key}:until`],
      args: {
        most: mostOrders,
        mostSum,
        rememberMs: rememberClosedMs,
        forMs,
        cap,
        reopens: reopeningAmount(cap),
        notes: notes.map(({ agoMs, ...note }) => ({ ...note, agoMs: Math.round(agoMs) })),
      },
    };
  }

  return {
    async note(cutover, notes, limits) {
      let told: Exposure | undefined;
      for (let at = 0; told === undefined || at < notes.length; at += notesAtOnce) {
        const call = callOf(cutover, notes.slice(at, at + notesAtOnce), limits);
        const sent = await sendCalls(client, [call], monotonicMs() + deadlineMs);
        if (sent.kind !== "answered") throw unavailable(client, "Redis did not answer in time");
        const [sum, over] = standing.parse(valuesOf(sent.replies)[0]);
        told = { openAmount: Number(sum), isOver: over === 1 };
      }
      return told;
    },
  };
}
