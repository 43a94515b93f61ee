/** Opens the place of owners, pins and what is open beside the store that the configuration names. */

import type { Clock } from "../../base/clock.ts";
import type { RedisClient } from "../../redis/client.ts";
import { createOpenInProcess } from "../under-way/in-process.ts";
import type { Holding } from "../under-way/port.ts";
import { createOpenInRedis } from "../under-way/redis.ts";
import { createMemoryStores, openFileStores } from "./in-process.ts";
import { createRedisStores } from "./redis.ts";

export interface OwnersOptions {
  /** The store's URL: `file:PATH` keeps them in PATH.owners. */
  readonly url: string;
  /** The store's connection, when it is Redis. */
  readonly redis: RedisClient | undefined;
  readonly prefix: string;
  readonly clock: Clock;
}

/** @throws Error when the embedded store's file of owners can not be read or written */
export async function openOwnershipStores(options: OwnersOptions): Promise<Holding> {
  const { url, redis, prefix, clock } = options;
  if (redis !== undefined) {
    return {
      ...createRedisStores({ client: redis, prefix }),
      open: createOpenInRedis({ client: redis, prefix }),
    };
  }
  const open = createOpenInProcess(clock);
  if (url.startsWith("file:"))
    return { ...(await openFileStores(`${url.slice("file:".length)}.owners`, clock)), open };
  return { ...createMemoryStores(clock), open };
}
