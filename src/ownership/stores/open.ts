/** Opens the place of owners, pins and what is under way, beside the store that the configuration names. */
import type { Clock } from "../../base/clock.ts";
import type { RedisClient } from "../../redis/client.ts";
import { createMemoryStores, openFileStores } from "./in-process.ts";
import type { OwnershipStores } from "./port.ts";

interface OwnersOptions {
  /** The store's URL: `file:PATH` keeps them in PATH.owners. */
  readonly url: string;
  /** The store's connection, when it is Redis. */
  readonly redis: RedisClient | undefined;
  readonly prefix: string;
  readonly clock: Clock;
}

/** @param url the store's: whether one process has it all */
export function isEmbedded(url: string): boolean {
  return url.startsWith("memory:") || url.startsWith("file:");
}

/** @throws Error when the embedded store's file of owners cannot be read or written */
export async function openOwnershipStores(options: OwnersOptions): Promise<OwnershipStores> {
  const { url, redis, prefix, clock } = options;
  if (redis !== undefined) {
    const { createRedisStores } = await import("./redis.ts");
    return createRedisStores({ client: redis, prefix });
  }
  if (url.startsWith("file:")) return openFileStores(`${url.slice("file:".length)}.owners`, clock);
  return createMemoryStores(clock);
}
