/** What the store on Redis makes of losses: fields, keys, everything; an old backup. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import { initialState } from "../../src/state/rules/model.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, setTo, stateOf } from "../support/commands.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { key, load, visible } from "./redis-views.ts";

let server: RedisServer;
let store: Store;

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.cli("FLUSHALL");
  store = createRedisStore({ client: createRedisClient(server.url) });
});
afterEach(() => store.close());
afterAll(() => server.stop());

describe("what is missing", () => {
  test.each([["percent"], ["state"], ["pin_epoch"], ["percent", "state", "pin_epoch"]])(
    "field by field (%s) comes from the last good state",
    async (...fields) => {
      const before = await applyAll(store, "checkout", [setTo(40), { action: "hold" }]);
      await server.cli("HDEL", key, ...fields);
      const loaded = await load(store);
      expect(loaded.states.get("checkout")).toEqual(before);
      expect(loaded.rejections).toEqual([]);
    },
  );

  test("as a whole hash is written back", async () => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("DEL", key);
    const loaded = await load(store);
    expect(loaded).toMatchObject({ states: new Map([["checkout", before]]), restored: [] });
    expect(await visible(server)).toMatchObject({ percent: "40", version: "1", updated_by: "ann" });
  });

  test("as an accepted state keeps the visible one", async () => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("DEL", `${key}:accepted`);
    const loaded = await load(store, before);
    expect(loaded).toMatchObject({ states: new Map([["checkout", before]]), restored: ["checkout"] });
  });
});

describe("a store that was emptied", () => {
  test("gets the last good state back, and versions go on", async () => {
    const before = await applyAll(store, "checkout", [setTo(40), setTo(41)]);
    await server.cli("FLUSHALL");
    const loaded = await load(store, before);
    expect(loaded).toMatchObject({ states: new Map([["checkout", before]]), restored: ["checkout"] });
    expect(await visible(server)).toMatchObject({
      percent: "41",
      version: "2",
      updated_at: before.updatedAt,
    });
    expect(await stateOf(store, "checkout")).toEqual(before);
    expect(await applyAll(store, "checkout", [setTo(42)])).toMatchObject({ version: 3 });
  });

  test("and given the earlier of two states that instances know is held at the lower of both", async () => {
    const earlier = await applyAll(store, "checkout", [setTo(40)]);
    const later = await applyAll(store, "checkout", [setTo(41)]);
    await server.cli("FLUSHALL");
    expect((await load(store, earlier)).states.get("checkout")).toEqual(earlier);
    const held = { percentThousandths: 40_000, state: "held", version: 3 };
    expect((await load(store, later)).states.get("checkout")).toMatchObject(held);
    expect((await load(store, earlier)).states.get("checkout")).toMatchObject(held);
    expect(await visible(server)).toMatchObject({ percent: "40", state: "held", version: "3" });
  });

  test("and edited by hand before anybody looked is held against the last good state", async () => {
    const before = await applyAll(store, "checkout", [setTo(40), { action: "hold" }]);
    await server.cli("FLUSHALL");
    await server.cli("HSET", key, "percent", "0");
    const loaded = await load(store, before);
    expect(loaded.restored).toEqual(["checkout"]);
    expect(loaded.states.get("checkout")).toMatchObject({ percentThousandths: 0, state: "held", version: 3 });
  });

  test("and filled from an old backup is not taken for an edit", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    const [visibleDump, acceptedDump] = await Promise.all([
      server.cli("EVAL", "return redis.call('HGETALL', KEYS[1])", 1, key),
      server.cli("EVAL", "return redis.call('HGETALL', KEYS[1])", 1, `${key}:accepted`),
    ]);
    const before = await applyAll(store, "checkout", [setTo(10), { action: "rollback" }]);
    await server.cli("FLUSHALL");
    for (const [name, dump] of [
      [key, visibleDump],
      [`${key}:accepted`, acceptedDump],
    ] as const) {
      if (Array.isArray(dump)) await server.cli("HSET", name, ...dump.map(String));
    }
    const loaded = await load(store, before);
    expect(loaded).toMatchObject({ states: new Map([["checkout", before]]), restored: ["checkout"] });
    expect(await visible(server)).toMatchObject({ percent: "0", state: "rolled_back", version: "3" });
    expect(await store.history("checkout", 10)).toEqual([]);
  });

  test("with nobody who knows anything begins anew", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("FLUSHALL");
    expect(await load(store)).toMatchObject({
      states: new Map([["checkout", initialState()]]),
      restored: [],
    });
    expect(await server.cli("DBSIZE")).toBe(0);
  });
});
