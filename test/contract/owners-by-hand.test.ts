/** What a person sees under a key and puts right, in every place of owners. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KnownOfKey, OwnersByHand } from "../../src/ownership/stores/by-hand.ts";
import { createMemoryStores, openFileStores } from "../../src/ownership/stores/in-process.ts";
import type { OwnershipStores } from "../../src/ownership/stores/port.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { claim, fact } from "../support/named-keys.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

let redis: RedisServer;
let clients: RedisClient[] = [];
let folder: string;

beforeAll(async () => {
  redis = await startRedis();
  clients = [createRedisClient(redis.url), createRedisClient(redis.url)];
  folder = await mkdtemp(join(tmpdir(), "cutover-by-hand-"));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

const hour = 3_600_000;
const inRedis = (client = clients[0]) => {
  if (client === undefined) throw new Error("no client");
  return createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 });
};
const places: Readonly<Record<string, () => OwnershipStores | Promise<OwnershipStores>>> = {
  memory: () => createMemoryStores(Date),
  file: () => openFileStores(join(folder, "by-hand.owners"), Date),
  redis: () => inRedis(),
};

describe.each(Object.entries(places))("owners by hand in %s", (kind, open) => {
  let stores: OwnershipStores;
  let byHand: OwnersByHand;
  beforeAll(async () => {
    stores = await open();
    if (stores.byHand === undefined) throw new Error(kind);
    byHand = stores.byHand;
  });
  afterAll(() => stores.close());

  const shown = async (key: string) => {
    const { fact: made, claim: claimed } = await byHand.inspect("shop", key);
    return [made?.side, claimed?.side, claimed?.isTentative];
  };
  const found = (key: string) => stores.owners.lookup("shop", [fact(key), claim(key)]);

  test("a fact, a claim, a tentative one and a claim apart are told apart, with their ends", async () => {
    const { owners } = stores;
    await owners.record("shop", fact("a"), "new", hour);
    await owners.record("shop", claim("b"), "legacy", 2 * hour);
    await owners.record("shop", claim("c"), "new", hour, false, "token");
    await owners.record("shop", claim("d"), "legacy", hour);
    await owners.record("shop", fact("d"), "new", hour);
    expect(await shown("a")).toEqual(["new", undefined, undefined]);
    expect(await shown("b")).toEqual([undefined, "legacy", false]);
    expect(await shown("c")).toEqual([undefined, "new", true]);
    expect(await shown("d")).toEqual(["new", "legacy", false]);
    expect(await shown("nobody's")).toEqual([undefined, undefined, undefined]);
    const { fact: a } = await byHand.inspect("shop", "a");
    const { claim: b } = await byHand.inspect("shop", "b");
    expect(Math.abs((a?.until ?? 0) - Date.now() - hour)).toBeLessThan(60_000);
    expect(Math.abs((b?.until ?? 0) - Date.now() - 2 * hour)).toBeLessThan(60_000);
  });

  test("a key is given to a side, whatever it was, and what was but claimed stays a claim", async () => {
    for (const key of ["a", "b", "c", "d"]) await byHand.put("shop", key, "legacy", hour);
    expect(await found("a")).toEqual(["legacy", "legacy"]);
    expect(await shown("b")).toEqual([undefined, "legacy", false]);
    await byHand.put("shop", "b", "new", hour);
    expect(await shown("b")).toEqual([undefined, "new", false]);
    expect((await found("b"))[1]).toBe("new");
    expect(await shown("c")).toEqual([undefined, "legacy", false]);
    expect(await found("d")).toEqual(["legacy", "legacy"]);
    await byHand.put("shop", "e", "new", hour);
    expect(await found("e")).toEqual(["new", "new"]);
    expect(await stores.owners.record("shop", claim("e"), "legacy", hour)).toBe("new");
  });

  test("a key that is released is nobody's, and the next request claims it", async () => {
    for (const key of ["a", "b", "d", "never there"]) {
      await byHand.put("shop", key, undefined, hour);
      expect(await found(key)).toEqual([undefined, undefined]);
    }
    expect(await stores.owners.record("shop", claim("b"), "legacy", hour)).toBeUndefined();
    expect(await shown("b")).toEqual([undefined, "legacy", false]);
  });

  test("a change waits for another person, in place of the one before, until it is made", async () => {
    const at = new Date().toISOString();
    const change = { side: null, by: "ana", reason: "“lost”", at, expiresAt: at } as const;
    expect(await byHand.waiting("shop", "a")).toBeUndefined();
    await byHand.wait("shop", "a", change, hour);
    await byHand.wait("shop", "a", { ...change, by: "ben" }, hour);
    expect(await byHand.waiting("shop", "a")).toEqual({ ...change, by: "ben" });
    await byHand.wait("shop", "a", undefined, hour);
    expect(await byHand.waiting("shop", "a")).toBeUndefined();
  });

  test("keys are bytes", async () => {
    const key = Buffer.from("ключ:7 ", "utf8").toString("latin1");
    await byHand.put("shop", key, "new", hour);
    expect((await found(key))[0]).toBe("new");
  });
});

test("an instance answers what it knows of a key, and who does not answer is told as silent", async () => {
  const [asking, answering] = clients.map((client) => inRedis(client));
  const { one, other } = { one: asking?.byHand, other: answering?.byHand };
  // As each instance does: an answer to a question is heard by who listens already.
  const leave = asking?.watch?.(() => {});
  const known: KnownOfKey = { fact: "new", claim: null, inFlight: 2, inDoubt: false };
  const asked: unknown[] = [];
  const stop = other?.answer?.("other", async (question) => {
    asked.push(question);
    return known;
  });
  const listens = () => redis.cli("PUBSUB", "NUMSUB", "cutover:owners");
  await expect.poll(listens).toEqual(["cutover:owners", 2]);
  const key = Buffer.from("ключ", "utf8").toString("latin1");
  const question = { cutover: "shop", key, forget: true };
  await expect
    .poll(async () => Object.fromEntries((await one?.ask?.(question, ["other"])) ?? []), { timeout: 5000 })
    .toEqual({ other: known });
  expect(asked.at(-1)).toEqual(question);
  expect((await one?.ask?.(question, ["other", "gone"]))?.has("gone")).toBe(false);
  stop?.();
  leave?.();
});
