/** What the store keeps in Redis besides the state, and its scripts met without it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import { initialState } from "../../src/state/rules/model.ts";
import type { Store } from "../../src/state/store/port.ts";
import { loadScripts } from "../../src/state/store/redis/scripts.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, command, setTo, stateOf } from "../support/commands.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { key } from "./redis-views.ts";

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

test("the store leaves a record that does not read out of the instances, and foreign entries out of the history", async () => {
  await applyAll(store, "checkout", [setTo(40)]);
  await server.cli("XADD", `${key}:audit`, "*", "note", "by hand");
  await server.cli("ZADD", "cutover:{instances}:index", "99999999999999", "x", "99999999999999", "gone");
  await server.cli("SET", "cutover:instance:x", "{nonsense");
  const at = "2026-01-01T00:00:00.000Z";
  const record = { id: "a", startedAt: at, seenAt: at, versions: {}, traffic: {} };
  await store.acknowledge(record);
  expect(await store.instances()).toEqual([record]);
  expect(await store.history("checkout", 10)).toHaveLength(1);
});

test("the store keeps a bound on the history: about 10,000 entries, the oldest go first", async () => {
  await applyAll(store, "checkout", [setTo(40)]);
  const fill = "for i = 1, 12000 do redis.call('XADD', KEYS[1], '*', 'version', '0', 'at', 'x') end";
  await server.cli("EVAL", fill, "1", `${key}:audit`);
  await applyAll(store, "checkout", [setTo(50)]);
  const length = Number(await server.cli("XLEN", `${key}:audit`));
  expect(length).toBeGreaterThanOrEqual(10_000);
  expect(length).toBeLessThan(10_200);
  expect(await store.history("checkout", 1)).toMatchObject([{ version: 2 }]);
});

test("the store finds its way when an index or a shared value is of another kind", async () => {
  await server.cli("SET", "cutover:{instances}:index", "x");
  await server.cli("RPUSH", "cutover:shared:secret", "x");
  expect(await store.instances()).toEqual([]);
  const at = "2026-01-01T00:00:00.000Z";
  await store.acknowledge({ id: "a", startedAt: at, seenAt: at, versions: {}, traffic: {} });
  expect(await store.instances()).toHaveLength(1);
  expect(await store.shared("secret", "1")).toBe("1");
  expect(await store.shared("secret", "2")).toBe("1");
});

test("the store makes a change of one id once, however often and late it is asked for", async () => {
  await applyAll(store, "checkout", [setTo(40)]);
  const ceiling = { percentThousandths: 0, state: "rolled_back", pinEpoch: 0 } as const;
  const asked = command("checkout", { action: "reconciled", ceiling }, { id: "once" });
  expect(await store.apply(asked)).toMatchObject({ changed: true, state: { version: 2 } });
  const resumed = await applyAll(store, "checkout", [{ action: "resume" }, setTo(10)]);
  expect(await store.apply(asked)).toMatchObject({ accepted: true, state: { version: 2 } });
  expect(await stateOf(store, "checkout")).toEqual(resumed);
});

test("the store leaves what does not read out of the roster", async () => {
  await server.cli("HSET", "cutover:{instances}:roster", "x", "{nonsense", "y", "[1,{}]");
  const at = "2026-01-01T00:00:00.000Z";
  await store.acknowledge({ id: "a", startedAt: at, seenAt: at, versions: {}, traffic: {} });
  expect((await store.roster()).members.map(({ id }) => id)).toEqual(["a"]);
  await server.cli("SET", "cutover:{instances}:roster", "x");
  expect((await store.roster()).members).toEqual([]);
  await store.acknowledge({ id: "a", startedAt: at, seenAt: at, versions: {}, traffic: {} });
  expect((await store.roster()).members).toHaveLength(1);
});

describe("the script for changes, called past the program", () => {
  const { apply, read } = loadScripts();
  const keys = [key, `${key}:accepted`, `${key}:audit`];

  async function call(action: string, percent: unknown, role: string, deadline: unknown = 9e15) {
    const seen = await server.cli("EVAL", read.source, keys.length, ...keys, "{}");
    if (!Array.isArray(seen)) throw new Error("no answer");
    const args = {
      seen: { visible: seen[3], accepted: seen[4] },
      deadline,
      write: "id",
      again: false,
      channel: "cutover:changes",
      command: {
        name: "checkout",
        change: { action, percentThousandths: percent },
        actor: { name: "mallory", role },
        reason: "because",
      },
    };
    return server.cli("EVAL", apply.source, keys.length, ...keys, JSON.stringify(args));
  }

  test.each([
    ["set", 60_000, "responder", "forbidden"],
    ["set", 60_000, "root", "forbidden"],
    ["set", 60_000, "operator", "held"],
    ["close", "", "admin", "held"],
  ])("refuses %s %s by the role %s: %s", async (action, percent, role, code) => {
    const before = await applyAll(store, "checkout", [setTo(40), { action: "hold" }]);
    const answer = await call(action, percent, role);
    expect(Array.isArray(answer) && answer.slice(0, 2)).toEqual(["refused", code]);
    expect(await stateOf(store, "checkout")).toEqual(before);
  });

  test.each([
    ["raise", 60_000],
    ["set", 100_001],
    ["set", -1],
    ["set", 0.5],
    ["set", "60000"],
    ["set", undefined],
    ["set", null],
  ])("has nothing to do with %s %s", async (action, percent) => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    await expect(call(action, percent, "admin")).rejects.toThrow(/^ERR/);
    expect(await stateOf(store, "checkout")).toEqual(before);
  });

  test.each([0, "9e15", "", null])("is late by the deadline %j", async (deadline) => {
    expect(await call("set", 1000, "admin", deadline)).toEqual(["late"]);
    expect(await stateOf(store, "checkout")).toEqual(initialState());
  });
});

test("the store keeps everything under its prefix, and cutovers in hash tags of their own", async () => {
  const other = createRedisStore({ client: createRedisClient(server.url), prefix: "shop" });
  await applyAll(other, "checkout", [setTo(5)]);
  const at = "2026-01-01T00:00:00.000Z";
  await other.acknowledge({ id: "a", startedAt: at, seenAt: at, versions: {}, traffic: {} });
  await other.shared("secret", "1");
  const keys = await server.cli("KEYS", "*");
  expect(Array.isArray(keys) ? [...keys].sort() : keys).toEqual([
    "shop:instance:a",
    "shop:shared:secret",
    "shop:{checkout}",
    "shop:{checkout}:accepted",
    "shop:{checkout}:audit",
    "shop:{instances}:index",
    "shop:{instances}:roster",
  ]);
  expect(await stateOf(store, "checkout")).toEqual(initialState());
  await other.close();
});

test("the store takes any text as a reason: half a surrogate pair becomes U+FFFD, and what nobody sees is spelled out", async () => {
  const applied = await store.apply(command("checkout", setTo(5), { reason: "a\ud800b\0c" }));
  expect(applied).toMatchObject({ changed: true, state: { reason: "a\ufffdb\\u{0}c" } });
  expect(await stateOf(store, "checkout")).toEqual(applied.state);
});

test("the store needs no script to be known to the server already", async () => {
  await applyAll(store, "checkout", [setTo(5)]);
  await server.cli("SCRIPT", "FLUSH");
  expect(await stateOf(store, "checkout")).toMatchObject({ version: 1 });
  await server.cli("SCRIPT", "FLUSH");
  expect(await applyAll(store, "checkout", [setTo(6)])).toMatchObject({ version: 2 });
});
