/** What a person with redis-cli writes into the store on Redis, and what comes of it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, command, setTo, stateOf } from "../support/commands.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
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

describe("a valid edit", () => {
  test("is followed, as one new version and one history entry out of band", async () => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, "percent", "0");
    const { states, rejections } = await load(store, before);
    expect(states.get("checkout")).toMatchObject({ percentThousandths: 0, version: 2, updatedBy: "by hand" });
    expect(rejections).toEqual([]);
    expect(await visible(server)).toMatchObject({ percent: "0", version: "2", updated_by: "by hand" });
    expect(await store.history("checkout", 10)).toMatchObject([
      {
        version: 2,
        by: "by hand",
        action: "out_of_band",
        from: { percentThousandths: 40_000, state: "open" },
        to: { percentThousandths: 0, state: "open" },
      },
      { version: 1, action: "set" },
    ]);
    expect(await load(store, before)).toEqual(await load(store));
    expect(await store.history("checkout", 10)).toHaveLength(2);
  });

  test("makes one version for fifty instances that see it at once", async () => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    const fleet = Array.from({ length: 10 }, () =>
      createRedisStore({ client: createRedisClient(server.url) }),
    );
    try {
      const known = new Map([["checkout", before]]);
      await Promise.all(fleet.map((instance) => instance.load(["checkout"], known)));
      await server.cli("HSET", key, "percent", "7.5");
      const seen = await Promise.all(
        Array.from({ length: 50 }, (_, i) => fleet[i % fleet.length]?.load(["checkout"], known)),
      );
      for (const loaded of seen) {
        expect(loaded?.states.get("checkout")).toMatchObject({ percentThousandths: 7500, version: 2 });
      }
      expect(await store.history("checkout", 10)).toHaveLength(2);
    } finally {
      await Promise.all(fleet.map((instance) => instance.close()));
    }
  });

  test("is announced to the other instances", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    const other = createRedisStore({ client: createRedisClient(server.url) });
    let hints = 0;
    other.subscribe(() => {
      hints += 1;
    });
    await until("the subscription", () => hints > 0);
    const before = hints;
    await server.cli("HSET", key, "percent", "0");
    await load(store);
    await until("a hint", () => hints > before);
    await other.close();
  });

  test("is adopted before a change through the API, which then counts on", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, "percent", "50");
    const applied = await store.apply(command("checkout", setTo(60), { ifVersion: 1 }));
    expect(applied).toMatchObject({ accepted: false, code: "version_conflict", state: { version: 2 } });
    const next = await store.apply(command("checkout", setTo(60), { ifVersion: 2 }));
    expect(next).toMatchObject({ changed: true, state: { version: 3, percentThousandths: 60_000 } });
    const actions = (await store.history("checkout", 10)).map((entry) => entry.action);
    expect(actions).toEqual(["set", "out_of_band", "set"]);
  });

  test("may put a side into maintenance, or end that, in every state", async () => {
    await applyAll(store, "checkout", [setTo(100), { action: "close" }]);
    await server.cli("HSET", key, "maintenance", "New 2026-03-01T15:00:00+01:00");
    const state = await stateOf(store, "checkout");
    expect(state).toMatchObject({ version: 3, state: "closed", maintenance: "new 2026-03-01T14:00:00.000Z" });
    expect(await visible(server)).toMatchObject({ maintenance: "new 2026-03-01T14:00:00.000Z" });
    expect(await store.history("checkout", 1)).toMatchObject([
      { action: "out_of_band", to: { maintenance: "new 2026-03-01T14:00:00.000Z" } },
    ]);
    await server.cli("HSET", key, "maintenance", "new soon");
    const { states, rejections } = await load(store);
    expect(states.get("checkout")).toEqual(state);
    expect(rejections).toMatchObject([{ fields: ["maintenance"], found: { maintenance: "new soon" } }]);
    await server.cli("HSET", key, "maintenance", "off");
    expect((await stateOf(store, "checkout")).maintenance).toBeUndefined();
  });

  test("that a release without maintenance writes leaves the maintenance as it is", async () => {
    const until = "2026-03-01T14:00:00.000Z";
    await applyAll(store, "checkout", [setTo(40), { action: "maintain", side: "legacy", until }]);
    const before = await stateOf(store, "checkout");
    // What such a release writes of a change: seven fields of both hashes, and an entry without the eighth.
    const state = ["percent", "50", "version", "3", "updated_at", until, "updated_by", "old", "reason", "r"];
    await server.cli("HSET", key, ...state);
    await server.cli("HSET", `${key}:accepted`, ...state);
    const audit = [
      "version",
      "3",
      "at",
      until,
      "by",
      "old",
      "action",
      "set",
      "from_percent",
      "40",
      "from_state",
    ];
    await server.cli(
      ...["XADD", `${key}:audit`, "*", ...audit, "open", "from_at", before.updatedAt, "to_percent", "50"],
      ...["to_state", "open", "to_pin_epoch", "0", "reason", "r"],
    );
    const followed = await stateOf(store, "checkout", before);
    expect(followed).toMatchObject({
      percentThousandths: 50_000,
      version: 3,
      maintenance: `legacy ${until}`,
    });
    await applyAll(store, "checkout", [setTo(60)]);
    const { regressions } = await load(store, followed);
    expect(regressions).toEqual([]);
    expect(await stateOf(store, "checkout")).toMatchObject({ state: "open", version: 4 });
  });

  test("may be the first thing ever written", async () => {
    await server.cli("HSET", key, "percent", "10");
    expect(await stateOf(store, "checkout")).toMatchObject({ percentThousandths: 10_000, version: 1 });
    expect(await visible(server)).toMatchObject({
      percent: "10",
      state: "open",
      pin_epoch: "0",
      version: "1",
    });
  });

  test("to state rolled_back alone takes percent to 0", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, "state", "rolled_back");
    expect(await stateOf(store, "checkout")).toMatchObject({ percentThousandths: 0, state: "rolled_back" });
    expect(await visible(server)).toMatchObject({ percent: "0", state: "rolled_back" });
  });

  test("beside a field that is refused is followed, and the refused field stays to be seen", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, "percent", "lots", "state", "held");
    for (const loaded of [await load(store), await load(store)]) {
      expect(loaded.states.get("checkout")).toMatchObject({
        percentThousandths: 40_000,
        state: "held",
        version: 2,
      });
      expect(loaded.rejections).toMatchObject([{ name: "checkout", fields: ["percent"] }]);
    }
    expect(await visible(server)).toMatchObject({ percent: "lots", state: "held", version: "2" });
  });
});

test.each([
  ["percent", "0%\n", { percentThousandths: 0, state: "open" }],
  ["percent", " 00", { percentThousandths: 0, state: "open" }],
  ["state", "ROLLED_BACK", { percentThousandths: 0, state: "rolled_back" }],
  ["state", "held ", { percentThousandths: 40_000, state: "held" }],
])(
  "an edit of %s to %j is followed as it was meant, and stands there as everybody writes it",
  async (field, value, to) => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, field, value);
    const { states, rejections } = await load(store);
    expect({ state: states.get("checkout"), rejections }).toMatchObject({
      state: { ...to, version: 2 },
      rejections: [],
    });
    expect((await visible(server)).state).toBe(to.state);
  },
);

test("a hash whose key was written without braces is found, and nothing else is taken for one", async () => {
  expect(await store.strays?.(["checkout", "returns"])).toEqual([]);
  await server.cli("HSET", "cutover:checkout", "percent", "0");
  await server.cli("SET", "cutover:returns", "x");
  expect(await store.strays?.(["checkout", "returns"])).toEqual(["checkout"]);
});

describe("an edit that does not validate", () => {
  test.each([
    ["percent", "banana"],
    ["percent", ""],
    ["percent", "-1"],
    ["percent", "9".repeat(100_000)],
    ["state", "off"],
    ["pin_epoch", "-1"],
  ] as const)("to %s routes as before and is named at each load", async (field, value) => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, field, value);
    const first = await load(store, before);
    expect(first.states.get("checkout")).toEqual(before);
    expect(first.rejections).toMatchObject([
      { name: "checkout", fields: [field], found: { [field]: value.slice(0, 64) } },
    ]);
    expect(await load(store)).toEqual(first);
    expect((await visible(server))[field]).toBe(value);
    expect(await store.history("checkout", 10)).toHaveLength(1);
  });

  test("is told apart by a fingerprint from the next one, without its value", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    const fingerprints: (string | undefined)[] = [];
    for (const value of ["banana", "cherry", "banana"]) {
      await server.cli("HSET", key, "percent", value);
      fingerprints.push((await load(store)).rejections[0]?.fingerprint);
    }
    const [one, two, three] = fingerprints;
    expect(one).toMatch(/^[0-9a-f]{40}$/);
    expect(two).not.toBe(one);
    expect(three).toBe(one);
  });

  test("is repaired by the next change through the API", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, "percent", "banana");
    await applyAll(store, "checkout", [setTo(41)]);
    expect(await visible(server)).toMatchObject({ percent: "41", version: "2" });
    expect((await load(store)).rejections).toEqual([]);
  });

  test("is repaired by a change that changes nothing, too", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("HSET", key, "percent", "banana");
    expect(await store.apply(command("checkout", setTo(40)))).toMatchObject({ changed: false });
    expect(await visible(server)).toMatchObject({ percent: "40", version: "1" });
  });

  test("holding bytes that are no text is refused and repaired like any other", async () => {
    await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("EVAL", `return redis.call('HSET', KEYS[1], 'percent', '\\255\\0\\254')`, 1, key);
    expect((await load(store)).rejections).toMatchObject([{ fields: ["percent"] }]);
    await applyAll(store, "checkout", [setTo(41)]);
    expect(await visible(server)).toMatchObject({ percent: "41" });
  });

  test.each([
    ["SET", key, "x"],
    ["RPUSH", key, "x"],
  ])("by a key of another kind (%s) is refused and repaired by the next change", async (...edit) => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    await server.cli("DEL", key);
    await server.cli(...edit);
    const loaded = await load(store, before);
    expect(loaded.states.get("checkout")).toEqual(before);
    expect(loaded.rejections).toMatchObject([{ name: "checkout", fields: ["type"] }]);
    await applyAll(store, "checkout", [setTo(41)]);
    expect(await visible(server)).toMatchObject({ percent: "41", version: "2" });
  });

  test("by an accepted state or an audit of another kind is repaired by the next change", async () => {
    const before = await applyAll(store, "checkout", [setTo(40)]);
    for (const part of [`${key}:accepted`, `${key}:audit`]) {
      await server.cli("DEL", part);
      await server.cli("SET", part, "x");
    }
    expect(await store.history("checkout", 10)).toEqual([]);
    const applied = await store.apply(command("checkout", setTo(41), { lastGood: before }));
    expect(applied).toMatchObject({ changed: true, state: { version: 2 } });
    expect(await store.history("checkout", 10)).toMatchObject([{ version: 2 }]);
  });

  test("while rolled back, a percent above 0, routes nothing to new", async () => {
    await applyAll(store, "checkout", [setTo(40), { action: "rollback" }]);
    await server.cli("HSET", key, "percent", "40");
    const loaded = await load(store);
    expect(loaded.states.get("checkout")).toMatchObject({ percentThousandths: 0, version: 2 });
    expect(loaded.rejections).toMatchObject([{ fields: ["percent"] }]);
    expect(await store.apply(command("checkout", { action: "resume" }))).toMatchObject({
      state: { percentThousandths: 0, state: "open", version: 3 },
    });
    expect(await visible(server)).toMatchObject({ percent: "0", state: "open" });
    expect((await load(store)).rejections).toEqual([]);
  });

  test("after closing changes nothing", async () => {
    const closed = await applyAll(store, "checkout", [setTo(100), { action: "close" }]);
    await server.cli("HSET", key, "percent", "0", "state", "open");
    const loaded = await load(store);
    expect(loaded.states.get("checkout")).toEqual(closed);
    expect(loaded.rejections).toMatchObject([{ fields: ["state", "percent"] }]);
  });
});
