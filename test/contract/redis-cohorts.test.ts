/** Cohorts in Redis: what a person writes by hand, and what programs do that know of no cohorts. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import type { Change } from "../../src/state/rules/model.ts";
import type { Announcement } from "../../src/state/rules/succession.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, setTo, stateOf } from "../support/commands.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { key, load, visible } from "./redis-views.ts";

let server: RedisServer;
let store: Store;

const jakarta = (percent: number): Change => ({
  action: "set",
  percentThousandths: percent * 1000,
  cohort: "jakarta",
});
const starts = () => ({ jakarta: 40_000 });
const open = () => createRedisStore({ client: createRedisClient(server.url), starts });

beforeAll(async () => {
  server = await startRedis();
});
beforeEach(async () => {
  await server.cli("FLUSHALL");
  store = open();
});
afterEach(() => store.close());
afterAll(() => server.stop());

test("a cohort's percent stands beside the cutover's own, for people", async () => {
  await applyAll(store, "checkout", [setTo(10), jakarta(12.5)]);
  expect(await visible(server)).toMatchObject({ percent: "10", "percent:jakarta": "12.5" });
});

test("a cutover without cohorts has no field more than before", async () => {
  const plain = createRedisStore({ client: createRedisClient(server.url) });
  await applyAll(plain, "checkout", [setTo(10), { action: "rollback" }]);
  const fields = await server.cli("HKEYS", `${key}:accepted`);
  expect([fields].flat()).not.toContain("cohorts");
  expect(Object.keys(await visible(server)).filter((field) => field.startsWith("percent"))).toEqual([
    "percent",
  ]);
  await plain.close();
});

test("what is written by hand of a cohort is followed, as one version and one history entry", async () => {
  const before = await applyAll(store, "checkout", [setTo(10)]);
  await server.cli("HSET", key, "percent:jakarta", "7.5%");
  const { states, rejections } = await load(store, before);
  expect(states.get("checkout")).toMatchObject({
    ...{ percentThousandths: 10_000, cohorts: { jakarta: 7500 }, version: 2, updatedBy: "by hand" },
  });
  expect(rejections).toEqual([]);
  expect(await store.history("checkout", 10)).toMatchObject([
    { action: "out_of_band", from: { cohorts: { jakarta: 40_000 } }, to: { cohorts: { jakarta: 7500 } } },
    { action: "set" },
  ]);
});

test("what is written by hand of a cohort may be the first thing ever written", async () => {
  await server.cli("HSET", key, "percent:jakarta", "20");
  expect(await stateOf(store, "checkout")).toMatchObject({ cohorts: { jakarta: 20_000 }, version: 1 });
  expect(await visible(server)).toMatchObject({ percent: "0", "percent:jakarta": "20" });
});

test("what is no percent is refused, and put right by the next write", async () => {
  const before = await applyAll(store, "checkout", [setTo(10)]);
  await server.cli("HSET", key, "percent:jakarta", "lots");
  const { states, rejections } = await load(store, before);
  expect(states.get("checkout")).toEqual(before);
  expect(rejections).toMatchObject([{ fields: ["percent:jakarta"], found: { "percent:jakarta": "lots" } }]);
  await applyAll(store, "checkout", [setTo(11)]);
  expect(await visible(server)).toMatchObject({ "percent:jakarta": "40" });
});

test("by hand a cohort is not raised while the cutover is held, and not at all while it is rolled back", async () => {
  const held = await applyAll(store, "checkout", [setTo(10), { action: "hold" }]);
  await server.cli("HSET", key, "percent:jakarta", "50");
  expect((await load(store, held)).rejections).toMatchObject([{ fields: ["percent:jakarta"] }]);
  await server.cli("HSET", key, "percent:jakarta", "20");
  expect((await load(store, held)).states.get("checkout")?.cohorts).toEqual({ jakarta: 20_000 });

  await server.cli("HSET", key, "state", "rolled_back");
  const rolledBack = await stateOf(store, "checkout");
  expect(rolledBack).toMatchObject({ state: "rolled_back", cohorts: { jakarta: 0 } });
  expect(await visible(server)).toMatchObject({ percent: "0", "percent:jakarta": "0" });
  await server.cli("HSET", key, "percent:jakarta", "50");
  const { states, rejections } = await load(store, rolledBack);
  expect(states.get("checkout")).toEqual(rolledBack);
  expect(rejections).toMatchObject([{ fields: ["percent:jakarta"] }]);
});

test("a change of a cohort is announced with all that it made", async () => {
  const before = await applyAll(store, "checkout", [setTo(10)]);
  const other = open();
  const heard: Announcement[] = [];
  let isListening = false;
  other.subscribe((announced) => {
    if (announced === undefined) isListening = true;
    else heard.push(announced);
  });
  await until("the subscription", () => isListening);
  const after = await applyAll(store, "checkout", [jakarta(60)]);
  await until("the announcement", () => heard.length > 0);
  expect(heard).toMatchObject([{ name: "checkout", from: { cohorts: before.cohorts }, state: after }]);
  await other.close();
});

/** As a program writes that knows of no cohorts: the seven fields that it has, in both hashes. */
async function olderWrites(fields: Readonly<Record<string, string>>): Promise<void> {
  const pairs = Object.entries({ updated_by: "old", reason: "", pin_epoch: "0", ...fields }).flat();
  for (const hash of [key, `${key}:accepted`]) await server.cli("HSET", hash, ...pairs);
}

test("an older program's change leaves the cohorts where they stand, and nobody takes it for a lost one", async () => {
  const before = await applyAll(store, "checkout", [setTo(10), jakarta(60)]);
  const at = "2026-01-01T00:00:00.000Z";
  await olderWrites({ percent: "20", state: "open", version: "3", updated_at: at });
  const { states, regressions } = await load(store, before);
  expect(regressions).toEqual([]);
  expect(states.get("checkout")).toMatchObject({
    ...{ percentThousandths: 20_000, cohorts: { jakarta: 60_000 }, state: "open", version: 3 },
  });
});

test("an older program's rollback takes the cohorts to 0, also once it is resumed", async () => {
  const before = await applyAll(store, "checkout", [setTo(10), jakarta(60)]);
  const at = "2026-01-01T00:00:00.000Z";
  await olderWrites({ percent: "0", state: "rolled_back", version: "3", updated_at: at });
  const rolledBack = await load(store, before);
  expect(rolledBack.states.get("checkout")).toMatchObject({ state: "rolled_back", cohorts: { jakarta: 0 } });
  expect(rolledBack.rejections).toEqual([]);
  expect(await visible(server)).toMatchObject({ "percent:jakarta": "0" });
  await olderWrites({ percent: "0", state: "open", version: "4", updated_at: at });
  const { states, regressions } = await load(store, rolledBack.states.get("checkout"));
  expect(states.get("checkout")).toMatchObject({ state: "open", cohorts: { jakarta: 0 }, version: 4 });
  expect(regressions).toEqual([]);
});

test("a store that lost everything is given the cohorts back with the rest", async () => {
  const before = await applyAll(store, "checkout", [setTo(10), jakarta(60)]);
  await server.cli("FLUSHALL");
  const { states, restored } = await load(store, before);
  expect(restored).toEqual(["checkout"]);
  expect(states.get("checkout")).toEqual(before);
  expect(await visible(server)).toMatchObject({ "percent:jakarta": "60" });
});

test("a store that lost a raise of a cohort is lowered to the safer of both", async () => {
  const before = await applyAll(store, "checkout", [setTo(10), jakarta(60)]);
  const lost = { ...before, cohorts: { jakarta: 5000 }, updatedAt: "2026-01-01T00:00:00.000Z" };
  const { states, regressions } = await load(store, lost);
  expect(regressions).toHaveLength(1);
  expect(states.get("checkout")).toMatchObject({ state: "held", cohorts: { jakarta: 5000 } });
});
