/** Opens the lists of a process: where the store keeps them, and what is loaded of them here. */
import type { Clock, Timers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { RedisClient } from "../redis/client.ts";
import { createListKeeper, type ListKeeper } from "./keeper.ts";
import { createFileLists, createListCopies } from "./places/files.ts";
import { createMemoryLists } from "./places/memory.ts";
import type { ListPlace } from "./port.ts";

interface ListsOptions {
  /** The store's URL: `file:PATH` keeps them in the folder PATH.lists. */
  readonly url: string;
  /** The store's connection, when it is Redis. */
  readonly redis: RedisClient | undefined;
  readonly prefix: string;
  /** The snapshot's file, beside which copies are kept for a start without Redis; without it, none are. */
  readonly snapshot: string | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
}

export interface OpenedLists {
  readonly place: ListPlace;
  readonly keeper: ListKeeper;
}

export async function openLists(options: ListsOptions): Promise<OpenedLists> {
  const { redis, snapshot, timers, clock, log } = options;
  const place = await openPlace(options);
  const cache =
    redis === undefined || snapshot === undefined ? undefined : createListCopies(`${snapshot}.lists`);
  return {
    place,
    keeper: createListKeeper({ source: place, subscribe: place.subscribe, cache, timers, clock, log }),
  };
}

async function openPlace({ url, redis, prefix, clock }: ListsOptions): Promise<ListPlace> {
  if (redis !== undefined) {
    const { createRedisLists } = await import("./places/redis.ts");
    return createRedisLists(redis, prefix);
  }
  if (url.startsWith("file:")) return createFileLists(`${url.slice("file:".length)}.lists`, clock);
  return createMemoryLists(clock);
}
