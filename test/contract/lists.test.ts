/** What every place of lists does alike, and what is loaded of it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock, systemTimers } from "../../src/base/clock.ts";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { changeId, changeList } from "../../src/lists/change.ts";
import { digestOf } from "../../src/lists/digest.ts";
import { type OpenedLists, openLists } from "../../src/lists/open.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { addDocumentedUser } from "../support/redis-user.ts";
import { until } from "../support/until.ts";

const digests = (...members: string[]) => members.map(digestOf);
const by = { by: "ana", reason: "first wave" };

let server: RedisServer;
let folder: string;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli("FLUSHALL");
  folder = await mkdtemp(join(tmpdir(), "cutover-lists-"));
  endings.push(() => rm(folder, { recursive: true }));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** As the user of docs/redis.md. */
async function redisClient(): Promise<RedisClient> {
  const client = createRedisClient(await addDocumentedUser(server));
  endings.push(() => client.close());
  return client;
}

async function opened(kind: "memory" | "file" | "redis", name = "a"): Promise<OpenedLists> {
  const lists = await openLists({
    url: { memory: "memory:", file: `file:${folder}/state.json`, redis: server.url }[kind],
    redis: kind === "redis" ? await redisClient() : undefined,
    prefix: "cutover",
    snapshot: join(folder, `snapshot-${name}.json`),
    clock: systemClock,
    timers: systemTimers,
    log: createRecordedLog(),
  });
  endings.push(() => lists.keeper.stop());
  return lists;
}

describe.each(["memory", "file", "redis"] as const)("lists in %s", (kind) => {
  test("begin with nobody on them", async () => {
    const { place, keeper } = await opened(kind);
    expect(await place.head("staff")).toEqual({
      version: 0,
      members: 0,
      updatedAt: "",
      updatedBy: "",
      reason: "",
    });
    expect(await place.history("staff", 10)).toEqual([]);
    keeper.follow(["staff"]);
    await keeper.refresh();
    expect(keeper.has("staff", "u-1")).toBe(false);
    expect(keeper.has("nobody's", "u-1")).toBe(false);
  });

  test("are changed, tell who did it, and are loaded as they stand", async () => {
    const { place, keeper } = await opened(kind);
    keeper.follow(["staff"]);
    const added = await changeList(place, "staff", { add: digests("u-1", "u-2", "ü-3"), remove: [], ...by });
    expect(added).toMatchObject({ changed: true, head: { version: 1, members: 3, updatedBy: "ana" } });
    await keeper.refresh();
    const bytes = (text: string) => Buffer.from(text).toString("latin1");
    const found = () => ["u-1", "u-2", bytes("ü-3"), "u-4"].map((who) => keeper.has("staff", who));
    expect(found()).toEqual([true, true, false, false]);
    const again = { add: digests("u-2", "u-4"), remove: digests("u-1", "u-9"), by: "ben", reason: "swap" };
    expect(await changeList(place, "staff", again)).toMatchObject({ changed: true, head: { members: 3 } });
    expect(await changeList(place, "staff", again)).toMatchObject({ changed: false, head: { members: 3 } });
    await keeper.refresh();
    expect(found()).toEqual([false, true, false, true]);
    expect(keeper.loaded("staff")).toBe(3);
    expect(await place.history("staff", 10)).toMatchObject([
      { version: 2, by: "ben", added: 2, removed: 2, reason: "swap" },
      { version: 1, by: "ana", added: 3, removed: 0, reason: "first wave" },
    ]);
    expect(await place.history("staff", 1)).toHaveLength(1);
    expect((await place.head("other")).version).toBe(0);
  });

  test("lose nothing of what is changed at once", async () => {
    const { place, keeper } = await opened(kind);
    keeper.follow(["staff"]);
    const shifts = Array.from({ length: 5 }, (_, shift) =>
      Array.from({ length: 12 }, (_, n) => `u-${shift}-${n}`),
    );
    await Promise.all(
      shifts.map((members) => changeList(place, "staff", { add: digests(...members), remove: [], ...by })),
    );
    await keeper.refresh();
    expect(await place.head("staff")).toMatchObject({ members: 60 });
    expect(shifts.flat().filter((member) => !keeper.has("staff", member))).toEqual([]);
  });

  test("tell a change that waits for a second person, by its content, until its time is over", async () => {
    const { place } = await opened(kind);
    const id = changeId({ add: digests("u-1", "u-2"), remove: [] });
    expect(changeId({ add: digests("u-2", "u-1"), remove: [] })).toBe(id);
    expect(changeId({ add: [], remove: digests("u-1", "u-2") })).not.toBe(id);
    const waiting = { id, by: "ana", reason: "r", at: "", expiresAt: "" };
    expect(await place.waiting("staff", id)).toBeUndefined();
    await place.wait("staff", waiting, 60_000);
    expect(await place.waiting("staff", id)).toEqual(waiting);
    expect(await place.waiting("other", id)).toBeUndefined();
    await place.wait("staff", { ...waiting, id: "x" }, 1);
    await vi.waitFor(async () => expect(await place.waiting("staff", "x")).toBeUndefined());
  });

  test("hint at a change", async () => {
    const { place } = await opened(kind);
    let hints = 0;
    endings.push(place.subscribe(() => (hints += 1)));
    if (kind === "redis") await until("the subscription", () => hints > 0);
    const before = hints;
    await changeList(place, "staff", { add: digests("u-1"), remove: [], ...by });
    await until("a hint", () => hints > before);
  });
});

test("lists in files are there again after a restart, and a copy of another's write is no change of theirs", async () => {
  const first = await opened("file");
  await changeList(first.place, "staff", { add: digests("u-1", "u-2"), remove: [], ...by });
  const { place, keeper } = await opened("file");
  keeper.follow(["staff"]);
  await keeper.refresh();
  expect(keeper.has("staff", "u-1")).toBe(true);
  expect(await place.history("staff", 10)).toHaveLength(1);
});

test("another instance on one Redis follows within its poll, by the hint", async () => {
  const [here, there] = [await opened("redis", "a"), await opened("redis", "b")];
  there.keeper.follow(["staff"]);
  await there.keeper.refresh();
  await changeList(here.place, "staff", { add: digests("u-1"), remove: [], ...by });
  await until("the other", () => there.keeper.has("staff", "u-1"));
  await changeList(here.place, "staff", { add: [], remove: digests("u-1"), ...by });
  await until("the other", () => !there.keeper.has("staff", "u-1"));
});

describe("without Redis", () => {
  test("members stay members, a start without it goes by the copy, and what was changed meanwhile is loaded then", async () => {
    const own = await startRedis();
    endings.push(() => own.stop());
    const open = async (name: string) => {
      const client = createRedisClient(own.url);
      endings.push(() => client.close());
      const log = createRecordedLog();
      const snapshot = join(folder, "snapshot.json");
      const options = { prefix: "cutover", clock: systemClock, timers: systemTimers, log };
      const lists = await openLists({ url: own.url, redis: client, snapshot, ...options });
      endings.push(() => lists.keeper.stop());
      lists.keeper.follow(["staff", name]);
      await lists.keeper.refresh();
      return { ...lists, log };
    };
    const first = await open("a");
    await changeList(first.place, "staff", { add: digests("u-1", "u-2", "u-3"), remove: [], ...by });
    await first.keeper.refresh();
    await own.freeze();
    try {
      await expect(
        changeList(first.place, "staff", { add: digests("u-4"), remove: [], ...by }),
      ).rejects.toThrow(StoreUnavailable);
      expect(first.keeper.has("staff", "u-2")).toBe(true);
      const second = await open("b");
      expect(second.keeper.has("staff", "u-3")).toBe(true);
      expect(second.keeper.has("staff", "u-4")).toBe(false);
      expect(second.keeper.loaded("staff")).toBe(3);
      await own.thaw();
      const third = await open("c");
      await changeList(third.place, "staff", { add: digests("u-4"), remove: digests("u-1"), ...by });
      const isLoaded = () => second.keeper.has("staff", "u-4") && !second.keeper.has("staff", "u-1");
      await until("what was changed", isLoaded, 10_000);
    } finally {
      await own.thaw();
    }
  }, 30_000);

  test("a store that has lost a list takes nobody off it, and one that was made anew is loaded as it is", async () => {
    const { place, keeper } = await opened("redis");
    keeper.follow(["staff"]);
    await changeList(place, "staff", { add: digests("u-1", "u-2"), remove: [], ...by });
    await keeper.refresh();
    await server.cli("FLUSHALL");
    await keeper.refresh();
    expect(keeper.has("staff", "u-1")).toBe(true);
    await changeList(place, "staff", { add: digests("u-2", "u-3"), remove: [], ...by });
    await keeper.refresh();
    expect(["u-1", "u-2", "u-3"].map((who) => keeper.has("staff", who))).toEqual([false, true, true]);
  });

  test("nonsense under a list's key is not followed", async () => {
    const { place, keeper } = await opened("redis");
    keeper.follow(["staff", "sellers"]);
    await changeList(place, "staff", { add: digests("u-1"), remove: [], ...by });
    await keeper.refresh();
    const part = Number.parseInt(digestOf("u-2").slice(0, 2), 16);
    await changeList(place, "staff", { add: digests("u-2"), remove: [], ...by });
    await server.cli("HSET", "cutover:list:{staff}", `p:${part}`, "AAAA");
    await changeList(place, "sellers", { add: digests("s-1"), remove: [], ...by });
    await keeper.refresh();
    expect(keeper.has("staff", "u-1")).toBe(true);
    expect(keeper.has("sellers", "s-1")).toBe(true);
    await server.cli("SET", "cutover:list:{staff}", "x");
    await keeper.refresh();
    expect(keeper.has("staff", "u-1")).toBe(true);
    await changeList(place, "staff", { add: digests("u-5"), remove: [], ...by });
    await keeper.refresh();
    expect(keeper.has("staff", "u-5")).toBe(true);
  });
});
