/** Anonymous requests with ever new keys cannot fill the Redis that a rollback needs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { createFixture } from "../support/exchange-fixture.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

let redis: RedisServer;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedis();
  client = createRedisClient(redis.url);
});
afterAll(async () => {
  await client.close();
  await redis.stop();
});

const stores = () => createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 });
const mib = 1024 ** 2;

async function usedMemory(): Promise<number> {
  const memory = String(await redis.cli("INFO", "memory"));
  return Number(/used_memory:(\d+)/.exec(memory)?.[1]);
}

test("16,000 requests with new keys do not fill Redis: past the share they are refused, and a rollback is written", async () => {
  const most = Math.ceil((await usedMemory()) / 0.8 + mib);
  await redis.cli("CONFIG", "SET", "maxmemory", most);
  const fixture = createFixture({
    owners: stores().owners,
    cutover: { owners: { budget: "off", keys: [{ key: "header:idempotency-key" }] } },
  });
  const codes = () => fixture.entries.map(({ code }) => code);
  let sent = 0;
  while (!codes().includes("store_filling") && sent < 16_000) {
    const arrived = fixture.attempts.length + fixture.entries.length;
    for (let i = 0; i < 200; i++, sent++) {
      const fields = ["Host", "shop", "Idempotency-Key", `attack-${sent}`];
      fixture.send({ method: "POST", target: "/callbacks/payment", fields });
    }
    await until("all are sent on or refused", () => {
      return fixture.attempts.length + fixture.entries.length === arrived + 200;
    });
    // The answer on the memory is there before the next ones come.
    await stores().owners.memoryInUse?.("checkout");
    fixture.time.ms += 2000;
  }
  expect(sent).toBeLessThan(16_000);
  const share = (await usedMemory()) / most;
  expect(share).toBeGreaterThan(0.75);
  expect(share).toBeLessThan(0.95);
  expect(await redis.cli("HSET", "cutover:{checkout}", "percent", "0")).toBe(1);
  expect(await stores().owners.memoryInUse?.("checkout")).toBeCloseTo(share, 1);
});

test("a Redis without a bound, or one that drops keys by itself, says nothing of its share", async () => {
  await redis.cli("CONFIG", "SET", "maxmemory", 100 * mib);
  await redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  expect(await stores().owners.memoryInUse?.("checkout")).toBeUndefined();
  await redis.cli("CONFIG", "SET", "maxmemory-policy", "volatile-ttl");
  expect(await stores().owners.memoryInUse?.("checkout")).toBeGreaterThan(0);
  await redis.cli("CONFIG", "SET", "maxmemory", 0);
  expect(await stores().owners.memoryInUse?.("checkout")).toBeUndefined();
});
