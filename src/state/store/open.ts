/** Opens the store that the configuration names. */

import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { RedisClient } from "../../redis/client.ts";
import { placeOfStore } from "../../redis/url.ts";
import { openFileStore } from "./file.ts";
import { createMemoryStore } from "./in-process.ts";
import type { StartsOf, Store } from "./port.ts";

interface StoreOptions {
  /** Each key in Redis begins with it. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Without it no cohort has a percent of its own. */
  readonly starts?: StartsOf;
}

interface OpenedStore {
  readonly store: Store;
  /** The store's connection, for what else is kept in the same Redis; ends with the store. */
  readonly redis: RedisClient | undefined;
}

/**
 * @param url `memory:`, `file:PATH`, or Redis (redis/url.ts)
 * @throws Error when the URL is none of these, or the file cannot be opened. A Redis that is out of reach is no
 *   error here: its calls reject with StoreUnavailable until it is back.
 */
export async function openStore(url: string, options: StoreOptions): Promise<OpenedStore> {
  const { prefix, clock, log, starts } = options;
  const [scheme] = url.split(":", 1);
  switch (scheme) {
    case "memory":
      return { store: createMemoryStore({ clock, starts }), redis: undefined };
    case "file":
      return {
        store: await openFileStore({ path: url.slice("file:".length), clock, starts }),
        redis: undefined,
      };
    case "redis":
    case "rediss":
    case "redis-sentinel":
    case "redis-cluster": {
      // A process without Redis does not load what speaks to it.
      const [{ createRedisClient }, { createRedisStore }] = await Promise.all([
        import("../../redis/client.ts"),
        import("./redis/store.ts"),
      ]);
      const client = createRedisClient(url, log);
      return { store: createRedisStore({ client, prefix, starts }), redis: client };
    }
    default:
      throw new Error(
        "expected a store of memory:, file:PATH, redis://HOST:PORT, rediss://, redis-sentinel:// or redis-cluster://",
      );
  }
}

/** @returns what tells one store from another, for people too: where it is and under which prefix, nothing secret */
export function nameOfStore(url: string, prefix: string): string {
  return `${placeOfStore(url)} ${prefix}`;
}
