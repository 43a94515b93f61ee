/** What a Redis says that answers and does not do what it is asked: its own word is passed on, whatever it was asked. */
import { afterEach, describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../src/base/errors.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createUnderWayInRedis } from "../../src/ownership/under-way/redis.ts";
import { createRedisClient } from "../../src/redis/client.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { command, noneKnown, setTo } from "../support/commands.ts";
import { freePort } from "../support/free-port.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { refusals } from "../support/refusing-redis.ts";
import { failing, until } from "./redis-failing.ts";

const given = failing();
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await given.end();
});

function asking(url: string) {
  const log = createRecordedLog();
  const client = createRedisClient(url, log);
  const store = createRedisStore({ client });
  const { owners, pins } = createRedisStores({ client, prefix: "cutover" });
  const underWay = createUnderWayInRedis({ client, prefix: "cutover" });
  ends.push(() => store.close());
  const record = { id: "a", startedAt: "", seenAt: "", versions: {}, traffic: {} };
  const pin = { id: "abcdefghijkl", side: "new", epoch: 0, startedAt: 1, expiresAt: 2 } as const;
  const note = { kind: "journeys", cutover: "checkout", id: "a", epoch: 0, atMs: 1 } as const;
  const reads = {
    load: () => store.load(["checkout"], noneKnown),
    roster: () => store.roster(),
    lookup: () => owners.lookup("checkout", [{ key: "k", claimed: true }]),
    find: () => pins.find("checkout", "ann", 60),
  };
  const writes = {
    apply: () => store.apply(command("checkout", setTo(10))),
    acknowledge: () => store.acknowledge(record),
    learn: () => owners.record("checkout", { key: "k", claimed: false }, "new", 1000),
    claim: () => owners.record("checkout", { key: "k", claimed: true }, "new", 1000),
    reserve: () => pins.reserve("checkout", "ann", pin, 60, 60),
    start: () => pins.start("checkout", "ann", pin, 60),
    note: () => underWay.note([{ ...note, underWay: { side: "new", startedAt: 1, expiresAt: 9e9 } }]),
  };
  return { log, reads, writes, client };
}

type Calls = Readonly<Record<string, () => Promise<unknown>>>;

/** The word of each call; `done` for one that is done. */
async function wordsOf(calls: Calls): Promise<Readonly<Record<string, string | undefined>>> {
  const told: Record<string, string | undefined> = {};
  for (const [name, call] of Object.entries(calls)) {
    told[name] = await call().then(
      () => "done",
      (error) => (error instanceof StoreUnavailable ? error.word : String(error)),
    );
  }
  return told;
}

const all = (calls: Calls, word: string) =>
  Object.fromEntries(Object.keys(calls).map((name) => [name, word]));

const withUser = async (...rules: string[]) => {
  const redis = await given.server();
  await redis.cli("ACL", "SETUSER", "cutover", "on", ">sesame", "~*", "&*", ...rules);
  return redis.url.replace("//", "//cutover:sesame@");
};

describe("a server that lets nobody in, or does nothing", () => {
  test.each([
    ["WRONGPASS", "the password was changed", async () => (await withUser("+@all")).replace("sesame", "old")],
    [
      "WRONGPASS",
      "a Cluster's too",
      async () => {
        const url = await withUser("+@all");
        return url.replace("redis://", "redis-cluster://").replace("sesame", "old");
      },
    ],
    [
      "NOAUTH",
      "it wants a password, none is configured",
      async () => (await given.server(["--requirepass", "x"])).url,
    ],
    ["NOPERM", "its user may do nothing", () => withUser("-@all")],
    [
      "CLUSTERDOWN",
      "a Cluster without slots",
      async () => {
        // Nodes talk to each other on a second port, which else may be another server's.
        const bus = String(await freePort());
        const redis = await given.server(["--cluster-enabled", "yes", "--cluster-port", bus]);
        return redis.url;
      },
    ],
  ])("says %s: %s", async (word, _, urlOf) => {
    const { reads, writes, log } = asking(await urlOf());
    await until("a first answer", async () => (await wordsOf({ load: reads.load })).load !== undefined);
    expect(await wordsOf({ ...reads, ...writes })).toEqual(all({ ...reads, ...writes }, word));
    expect(JSON.stringify(log.lines)).not.toMatch(/out of reach|no connection/);
  });
});

describe.each(refusals)("a server that answers reads and says $word to writes", ({ word, begin, end }) => {
  test("is read; each write is told its word, and done once it takes them again", async () => {
    const redis = await given.server();
    const { reads, writes } = asking(redis.url);
    await until("a first answer", async () => (await wordsOf({ load: reads.load })).load === "done");
    await begin(redis);
    expect(await wordsOf(reads)).toEqual(all(reads, "done"));
    expect(await wordsOf(writes)).toEqual(all(writes, word));
    await end(redis);
    expect(await wordsOf({ ...reads, ...writes })).toEqual(all({ ...reads, ...writes }, "done"));
  });
});

test("a replica that has lost its primary says MASTERDOWN", async () => {
  const redis = await given.server(["--replica-serve-stale-data", "no"]);
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  const { reads } = asking(redis.url);
  await until("a first answer", async () => (await wordsOf({ load: reads.load })).load !== undefined);
  expect(await wordsOf(reads)).toEqual(all(reads, "MASTERDOWN"));
});

test("a server that is still loading says LOADING to all, and does it once it has loaded", async () => {
  const slow = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
  const redis = await given.server(slow);
  const { reads, writes } = asking(redis.url);
  await redis.cli("EVAL", "for i = 1, 500 do redis.call('SET', 'filler:' .. i, string.rep('x', 200)) end", 0);
  await redis.cli("SAVE");
  await redis.kill();
  const restarted = redis.restart();
  await until("it is loading", async () => (await wordsOf({ load: reads.load })).load === "LOADING");
  const told = await wordsOf({ lookup: reads.lookup, learn: writes.learn, start: writes.start });
  expect(told).toEqual({ lookup: "LOADING", learn: "LOADING", start: "LOADING" });
  await restarted;
  expect(await wordsOf({ ...reads, ...writes })).toEqual(all({ ...reads, ...writes }, "done"));
});
