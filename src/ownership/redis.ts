/** Owners in Redis: a key an owner, its value the side, its TTL how long it is kept. */
import type { Side } from "../state/model.ts";
import { monotonicMs, type RedisClient, type RedisCommand } from "../state/redis/client.ts";
import { StoreUnavailable } from "../state/store.ts";
import type { OwnerStore } from "./owner-store.ts";

export interface RedisOwnerStoreOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  /** How long a request may wait for an answer, in ms; 250 without it. */
  readonly deadlineMs?: number;
}

export function createRedisOwnerStore(options: RedisOwnerStoreOptions): OwnerStore {
  const { client, prefix, deadlineMs = 250 } = options;
  const keyOf = (cutover: string, key: string) => `${prefix}:{${cutover}}:owner:${textOf(key)}`;

  async function ask(command: RedisCommand): Promise<unknown> {
    const sent = await client.send([command], monotonicMs() + deadlineMs);
    const [reply] = sent.kind === "answered" ? sent.replies : [];
    if (reply?.ok !== true) throw new StoreUnavailable("owners are out of reach");
    return reply.value;
  }

  return {
    async lookup(cutover, keys) {
      const found = await ask(["MGET", ...keys.map((key) => keyOf(cutover, key))]);
      return Array.isArray(found) ? found.map(sideOf) : [];
    },
    async claim(cutover, key, side, ttlMs) {
      const before = await ask(["SET", keyOf(cutover, key), side, "PX", ttlMs, "NX", "GET"]);
      return sideOf(before) ?? side;
    },
    async close() {},
  };
}

/** What stands under an owner's key that is no side is nobody's word. */
function sideOf(value: unknown): Side | undefined {
  return value === "legacy" || value === "new" ? value : undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A byte string as the text whose UTF-8 it is, so that a person finds the key as it is written. */
function textOf(bytes: string): string {
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return bytes;
  }
}
