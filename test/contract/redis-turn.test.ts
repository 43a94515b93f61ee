/** What is asked of a real Redis in one turn of the event loop. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import type { Script } from "../../src/redis/calls.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { createTurn, type Turn } from "../../src/redis/turn.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { scriptCalls, until } from "./redis-failing.ts";

const append: Script = { source: "return redis.call('APPEND', KEYS[1], ARGV[2]) -- more", sha1: "" };
const told: Script = {
  source: "return { #KEYS, #ARGV, cjson.decode(ARGV[1]).say, ARGV[2] or 'none' }",
  sha1: "",
};
const fails: Script = { source: "redis.call('SET', KEYS[1], 'x') error('on purpose')", sha1: "" };
const nothing: Script = { source: "local x = 1", sha1: "" };

let redis: RedisServer;
let client: RedisClient;
let turn: Turn;

beforeAll(async () => {
  redis = await startRedis();
  client = createRedisClient(redis.url);
  turn = createTurn({ client, scripts: [append, told, fails, nothing], deadlineMs: 5000 });
});
afterAll(async () => {
  await client.close();
  await redis.stop();
});
beforeEach(async () => void (await redis.cli("FLUSHALL")));

const letter = (text: string) => turn.run("a", { script: append, keys: ["{a}log"], bytes: [text] });
const wordOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error) => (error instanceof StoreUnavailable ? error.word : "another"),
  );

test("scripts run in the order they were asked for, more than go together too, and reads see what they wrote", async () => {
  await Promise.all([letter(""), turn.read("a", ["{a}log"])]);
  const text = "abcdefghij".repeat(20);
  const seen = turn.read("a", ["{a}log", Buffer.from("{a}none")]);
  const lengths = await Promise.all([...text].map(letter));
  expect(lengths).toEqual([...text].map((_, i) => i + 1));
  expect(await redis.cli("GET", "{a}log")).toBe(text);
  const [log, none] = await seen;
  expect([String(log).length > 60, none]).toEqual([true, null]);
});

test("each has its own keys and arguments", async () => {
  const keys = ["{a}1", "{a}2"];
  expect(
    await Promise.all([
      turn.run("a", { script: told, keys, args: { say: "two" }, bytes: [Buffer.from("bytes")] }),
      turn.run("a", { script: nothing, keys: [] }),
      turn.run("a", { script: told, keys: ["{a}1"], args: { say: "one" } }),
      turn.run("b", { script: told, keys: [], args: { say: "other" } }),
    ]),
  ).toEqual([[2, 2, "two", "bytes"], null, [1, 1, "one", "none"], [0, 1, "other", "none"]]);
});

test("one that fails leaves the others as they are; a key of another kind holds nothing", async () => {
  await redis.cli("HSET", "{a}hash", "f", "v");
  const before = await scriptCalls(redis);
  const [failed, ofAnotherKind, done] = await Promise.all([
    wordOf(turn.run("a", { script: fails, keys: ["{a}x"] })),
    turn.run("a", { script: append, keys: ["{a}hash"], bytes: ["b"] }),
    letter("c"),
  ]);
  expect([failed, ofAnotherKind, done]).toEqual(["ERROR", null, 1]);
  expect((await scriptCalls(redis)) - before).toBe(1);
});

test("a server that takes no writes says why to each that writes, and answers the others", async () => {
  await letter("a");
  await redis.cli("CONFIG", "SET", "min-replicas-to-write", "1");
  const [refused, answered, read] = await Promise.all([
    wordOf(letter("b")),
    turn.run("a", { script: told, keys: [], args: { say: "yes" } }),
    turn.read("a", ["{a}log"]),
  ]);
  await redis.cli("CONFIG", "SET", "min-replicas-to-write", "0");
  expect([refused, answered, read]).toEqual(["NOREPLICAS", [0, 1, "yes", "none"], ["a"]]);
});

test("a server that has become a replica is left for the one in its place, though only scripts write", async () => {
  const connections = async () =>
    Number(/total_connections_received:(\d+)/.exec(String(await redis.cli("INFO", "stats")))?.[1]);
  await letter("a");
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  const words = Promise.all([wordOf(letter("b")), turn.run("a", { script: nothing, keys: [] })]);
  expect(await words).toEqual(["READONLY", null]);
  await until("it connects anew", () => client.backSinceMs() > 0 || client.refusal() === "READONLY");
  const before = await connections();
  await redis.cli("REPLICAOF", "NO", "ONE");
  await until("the primary is found", () => client.isReady());
  expect(await letter("c")).toBe(2);
  expect(await connections()).toBeGreaterThan(before);
});

test("what was asked last is sent before the end", async () => {
  const sent = letter("z");
  await turn.idle();
  expect(await redis.cli("GET", "{a}log")).toBe("z");
  expect(await sent).toBe(1);
});
