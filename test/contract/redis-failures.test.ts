import { afterEach, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import type { Store } from "../../src/state/store/port.ts";
import { applyAll, command, noneKnown, setTo, stateOf } from "../support/commands.ts";
import { createRecordedLog } from "../support/recorded-log.ts";
import { failing, msToUnavailable, until } from "./redis-failing.ts";

const given = failing();
const answers = (store: Store) =>
  store.roster().then(
    () => true,
    () => false,
  );
afterEach(() => given.end());

describe("a killed server", () => {
  test("makes calls unavailable, and answers within 1 s of its restart", async () => {
    const redis = await given.server(["--appendonly", "yes", "--appendfsync", "always"]);
    const log = createRecordedLog();
    const store = given.storeAt(redis.url, log);
    let hints = 0;
    store.subscribe(() => {
      hints += 1;
    });
    await until("the subscription", () => hints === 1);
    const before = await applyAll(store, "checkout", [setTo(10)]);
    await redis.kill();
    expect(await msToUnavailable(store.apply(command("checkout", setTo(90))))).toBeLessThan(2000);
    expect(await msToUnavailable(store.load(["checkout"], noneKnown))).toBeLessThan(2000);
    const hintsBefore = hints;
    await redis.restart();
    await until("an answer", () => answers(store), 1000);
    expect(await stateOf(store, "checkout")).toEqual(before);
    await until("a hint after the restart", () => hints > hintsBefore, 1500);
    expect(log.about("no connection").length).toBeGreaterThan(0);
    expect(log.about("no connection").length).toBeLessThan(6);
  });

  test("that has been away for a second makes every call unavailable at once", async () => {
    const redis = await given.server();
    const store = given.storeAt(redis.url);
    await applyAll(store, "checkout", [setTo(10)]);
    await redis.kill();
    await msToUnavailable(store.load(["checkout"], noneKnown));
    const times = [
      await msToUnavailable(store.apply(command("checkout", setTo(90)))),
      await msToUnavailable(store.load(["checkout"], noneKnown)),
      await msToUnavailable(store.roster()),
    ];
    expect(Math.max(...times)).toBeLessThan(50);
  });

  test("that is back within the time for a change costs nobody an error", async () => {
    const redis = await given.server(["--appendonly", "yes", "--appendfsync", "always"]);
    const store = given.storeAt(redis.url);
    await applyAll(store, "checkout", [setTo(10)]);
    await redis.kill();
    const pending = store.apply(command("checkout", setTo(20)));
    await redis.restart();
    expect(await pending).toMatchObject({ changed: true, state: { version: 2 } });
  });
});

test("a server that is still loading is unavailable, and used as soon as it has loaded", async () => {
  const slow = ["--key-load-delay", "4000", "--loading-process-events-interval-bytes", "1024"];
  const redis = await given.server(slow);
  const store = given.storeAt(redis.url);
  const before = await applyAll(store, "checkout", [setTo(10)]);
  const fill = "for i = 1, 500 do redis.call('SET', 'filler:' .. i, string.rep('x', 200)) end";
  await redis.cli("EVAL", fill, 0);
  await redis.cli("SAVE");
  await redis.kill();
  const restarted = redis.restart();
  await until("the server to say that it is loading", () =>
    redis.cli("GET", "x").then(
      () => false,
      (error) => String(error).includes("LOADING"),
    ),
  );
  const times = await Promise.all([
    msToUnavailable(store.apply(command("checkout", setTo(20)))),
    msToUnavailable(store.load(["checkout"], noneKnown)),
  ]);
  expect(Math.max(...times)).toBeLessThan(2000);
  await restarted;
  expect(await stateOf(store, "checkout")).toEqual(before);
});

test("a server that was never there is unavailable, and used as soon as it is there", async () => {
  const redis = await given.server();
  await redis.kill();
  const store = given.storeAt(redis.url);
  expect(await msToUnavailable(store.load(["checkout"], noneKnown))).toBeLessThan(2000);
  await redis.restart();
  await until("an answer", () => answers(store), 1000);
  expect((await stateOf(store, "checkout")).version).toBe(0);
});

test("a missing or wrong password is unavailable and said in the log, without the password", async () => {
  const redis = await given.server(["--requirepass", "sesame"]);
  for (const [url, code] of [
    [redis.url, "NOAUTH"],
    [`redis://:abracadabra@127.0.0.1:${redis.port}`, "WRONGPASS"],
  ] as const) {
    const log = createRecordedLog();
    const store = given.storeAt(url, log);
    expect(await msToUnavailable(store.load(["checkout"], noneKnown))).toBeLessThan(2000);
    expect(log.about("refuses the connection").map((line) => line.fields.code)).toEqual([code]);
    expect(JSON.stringify(log.lines)).not.toContain("abracadabra");
  }
  const store = given.storeAt(`redis://:sesame@127.0.0.1:${redis.port}`);
  expect((await stateOf(store, "checkout")).version).toBe(0);
});

test("a server that has become a replica is unavailable for changes until it is a primary again", async () => {
  const redis = await given.server();
  const store = given.storeAt(redis.url);
  await applyAll(store, "checkout", [setTo(10)]);
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  await msToUnavailable(store.apply(command("checkout", setTo(20))));
  expect((await stateOf(store, "checkout")).version).toBe(1);
  await redis.cli("REPLICAOF", "NO", "ONE");
  expect(await store.apply(command("checkout", setTo(20)))).toMatchObject({ state: { version: 2 } });
});

test("a full server is unavailable for changes, and nothing is half written", async () => {
  const redis = await given.server();
  const store = given.storeAt(redis.url);
  const before = await applyAll(store, "checkout", [setTo(10)]);
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  await msToUnavailable(store.apply(command("checkout", setTo(20))));
  expect(await stateOf(store, "checkout")).toEqual(before);
  await redis.cli("CONFIG", "SET", "maxmemory", "0");
  expect(await store.history("checkout", 10)).toHaveLength(1);
  expect(await store.apply(command("checkout", setTo(20)))).toMatchObject({ state: { version: 2 } });
});

test("the client refuses a URL that does not read, without repeating it", () => {
  expect(() => createRedisClient("redis://:sesame@:::")).toThrow(/^(?!.*sesame)/);
});
