/** Servers that fail, and how the tests of that look on. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { createRedisClient } from "../../src/redis/client.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { createRecordedLog, type RecordedLog } from "../support/recorded-log.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startTcpRelay, type TcpRelay } from "../support/tcp-relay.ts";

export interface Failing {
  server(flags?: readonly string[]): Promise<RedisServer>;
  relay(to: RedisServer): Promise<TcpRelay>;
  storeAt(url: string, log?: RecordedLog): Store;
  /** Ends all of it. */
  end(): Promise<void>;
}

export function failing(): Failing {
  const ends: (() => Promise<void>)[] = [];
  return {
    async server(flags = []) {
      const started = await startRedis(flags);
      ends.push(() => started.stop());
      return started;
    },
    async relay(to) {
      const started = await startTcpRelay(to.port);
      ends.push(() => started.close());
      return started;
    },
    storeAt(url, log = createRecordedLog()) {
      const store = createRedisStore({ client: createRedisClient(url, log) });
      ends.push(() => store.close());
      return store;
    },
    async end() {
      for (const each of ends.splice(0).reverse()) await each();
    },
  };
}

/** Awaits a condition by asking again and again. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 5000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(2);
  }
}

/** How long the work took to be rejected as unavailable, in ms. */
export async function msToUnavailable(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await expect(work).rejects.toThrow(StoreUnavailable);
  return performance.now() - began;
}

/** How many scripts the server has run. */
export async function scriptCalls(redis: RedisServer): Promise<number> {
  const calls = /cmdstat_evalsha:calls=(\d+)/.exec(String(await redis.cli("INFO", "commandstats")));
  return Number(calls?.[1] ?? 0);
}
