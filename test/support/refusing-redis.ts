/** What makes a real Redis answer reads and refuse writes, a word each, and what makes it take them again. */
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { RedisServer } from "./redis.ts";

export interface Refusal {
  readonly word: string;
  begin(redis: RedisServer): Promise<unknown>;
  end(redis: RedisServer): Promise<unknown>;
}

export const refusals: readonly Refusal[] = [
  {
    word: "OOM",
    begin: (redis) => redis.cli("CONFIG", "SET", "maxmemory", "1"),
    end: (redis) => redis.cli("CONFIG", "SET", "maxmemory", "0"),
  },
  {
    word: "NOREPLICAS",
    begin: (redis) => redis.cli("CONFIG", "SET", "min-replicas-to-write", "1"),
    end: (redis) => redis.cli("CONFIG", "SET", "min-replicas-to-write", "0"),
  },
  {
    word: "READONLY",
    begin: (redis) => redis.cli("REPLICAOF", "127.0.0.1", "1"),
    end: (redis) => redis.cli("REPLICAOF", "NO", "ONE"),
  },
  { word: "MISCONF", begin: failToSave, end: saveAgain },
  {
    word: "NOPERM",
    begin: (redis) => allow(redis, "-set", "-del", "-zadd", "-hset", "-xadd", "-zrem"),
    end: (redis) => allow(redis, "+@all"),
  },
];

/** Every user there is. */
async function allow(redis: RedisServer, ...rules: readonly string[]): Promise<void> {
  const users = await redis.cli("ACL", "USERS");
  if (!Array.isArray(users)) throw new Error("no users");
  for (const user of users) await redis.cli("ACL", "SETUSER", String(user), ...rules);
}

/** A folder stands where the file would: that stops root, too. */
async function failToSave(redis: RedisServer): Promise<void> {
  await mkdir(await dumpOf(redis));
  await redis.cli("CONFIG", "SET", "save", "3600 1");
  await save(redis, (told) => told.includes("MISCONF"));
}

async function saveAgain(redis: RedisServer): Promise<void> {
  await rmdir(await dumpOf(redis));
  await save(redis, (told) => told === "OK");
}

async function dumpOf(redis: RedisServer): Promise<string> {
  const told = await redis.cli("CONFIG", "GET", "dir");
  if (!Array.isArray(told)) throw new Error("no folder");
  return join(String(told[1]), "dump.rdb");
}

async function save(redis: RedisServer, isOver: (told: string) => boolean): Promise<void> {
  await redis.cli("BGSAVE");
  for (let asked = 0; asked < 2000; asked++) {
    if (isOver(String(await redis.cli("SET", "filler", "x").catch(String)))) return;
  }
  throw new Error("the save is not over");
}
