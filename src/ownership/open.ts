/** Opens the owners' place beside the store that the configuration names. */
import type { RedisClient } from "../state/redis/client.ts";
import type { Clock } from "../state/store.ts";
import { openFileOwnerStore } from "./file.ts";
import { createMemoryOwnerStore } from "./memory.ts";
import type { OwnerStore } from "./owner-store.ts";
import { createRedisOwnerStore } from "./redis.ts";

export interface OwnersOptions {
  /** The store's URL: `file:PATH` keeps owners in PATH.owners. */
  readonly url: string;
  /** The store's connection, when it is Redis. */
  readonly redis: RedisClient | undefined;
  readonly prefix: string;
  readonly clock: Clock;
}

/** @throws Error when the embedded store's file of owners can not be read or written */
export async function openOwnerStore({ url, redis, prefix, clock }: OwnersOptions): Promise<OwnerStore> {
  if (redis !== undefined) return createRedisOwnerStore({ client: redis, prefix });
  if (url.startsWith("file:"))
    return openFileOwnerStore({ path: `${url.slice("file:".length)}.owners`, clock });
  return createMemoryOwnerStore({ clock });
}
