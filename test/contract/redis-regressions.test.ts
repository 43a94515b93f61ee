/** A replica takes over that lacks what was accepted and followed: real keys, taken back to how they stood before. */
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import { type Change, type CutoverState, initialState, stateNames } from "../../src/state/rules/model.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { applyAll, command, setTo, stateOf } from "../support/commands.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { key, load, visible } from "./redis-views.ts";

const keys = [key, `${key}:accepted`, `${key}:audit`];

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

/** From here on nothing reaches the replica. */
async function replicated(): Promise<void> {
  for (const each of keys) {
    await server.cli("DEL", `replica:${each}`);
    await server.cli("COPY", each, `replica:${each}`);
  }
}

/** The replica takes over. */
async function failover(): Promise<void> {
  for (const each of keys) {
    await server.cli("DEL", each);
    await server.cli("COPY", `replica:${each}`, each);
  }
}

const rolledBack = { percentThousandths: 0, state: "rolled_back" };

describe("a failover that has lost a rollback", () => {
  let followed: CutoverState;

  beforeEach(async () => {
    await applyAll(store, "checkout", [setTo(10), setTo(50)]);
    await replicated();
    followed = await applyAll(store, "checkout", [{ action: "rollback" }]);
    await failover();
  });

  test("is given it back, and said once", async () => {
    const loaded = await load(store, followed);
    expect(loaded.states.get("checkout")).toEqual(followed);
    expect(loaded.regressions).toMatchObject([{ name: "checkout", followed: 3, offered: 2 }]);
    expect((await load(store, followed)).regressions).toEqual([]);
    expect(await visible(server)).toMatchObject({ state: "rolled_back", percent: "0" });
  });

  test("and has taken a raise under the same version is lowered again, audited as reconciled", async () => {
    await applyAll(store, "checkout", [setTo(60)]);
    const loaded = await load(store, followed);
    expect(loaded.states.get("checkout")).toMatchObject({ ...rolledBack, version: 4 });
    expect(loaded.regressions).toMatchObject([{ followed: 3, offered: 3 }]);
    const [entry] = await store.history("checkout", 1);
    expect(entry).toMatchObject({ action: "reconciled", by: "store check", version: 4 });
    expect(entry?.reason).toContain("another version 3");
  });

  test("and has gone on for long is lowered again", async () => {
    await applyAll(store, "checkout", [setTo(60), setTo(70), { action: "hold" }, { action: "resume" }]);
    expect((await load(store, followed)).states.get("checkout")).toMatchObject({ ...rolledBack, version: 7 });
  });

  test("and was edited by hand is not taken for resumed by hand; to resume takes another edit", async () => {
    await server.cli("HSET", key, "percent", "5");
    expect((await load(store, followed)).states.get("checkout")).toMatchObject(rolledBack);
    await server.cli("HSET", key, "state", "open");
    expect(await stateOf(store, "checkout")).toMatchObject({ state: "open", percentThousandths: 0 });
  });

  test("refuses a raise through an instance that knows of it", async () => {
    const raise = command("checkout", setTo(60), { lastGood: followed });
    expect(await store.apply(raise)).toMatchObject({ accepted: false, code: "rolled_back" });
    expect((await load(store, followed)).regressions).toHaveLength(1);
  });

  test("is not lowered once more by an instance that comes back after a person has resumed", async () => {
    await applyAll(store, "checkout", [setTo(60)]);
    await load(store, followed);
    const resumed = await applyAll(store, "checkout", [{ action: "resume" }, setTo(20)]);
    expect((await load(store, followed)).states.get("checkout")).toEqual(resumed);
  });

  test("is lowered by one version however many find it", async () => {
    await applyAll(store, "checkout", [setTo(60)]);
    const found = await Promise.all([1, 2, 3, 4].map(() => load(store, followed)));
    for (const { states } of found) expect(states.get("checkout")).toMatchObject({ version: 4 });
  });
});

test("a failover that has lost a raise keeps the lower percent, held until someone resumes", async () => {
  const before = await applyAll(store, "checkout", [setTo(10)]);
  await replicated();
  const followed = await applyAll(store, "checkout", [setTo(25)]);
  await failover();
  const loaded = await load(store, followed);
  expect(loaded.states.get("checkout")).toMatchObject({
    percentThousandths: before.percentThousandths,
    state: "held",
    version: 3,
  });
  expect(await store.apply(command("checkout", setTo(25)))).toMatchObject({ code: "held" });
});

test("a failover that has lost a hard rollback keeps the journeys void", async () => {
  await applyAll(store, "checkout", [setTo(50)]);
  await replicated();
  const followed = await applyAll(store, "checkout", [{ action: "rollback_hard" }]);
  await failover();
  await applyAll(store, "checkout", [setTo(60), setTo(70)]);
  expect((await load(store, followed)).states.get("checkout")).toMatchObject({ ...rolledBack, pinEpoch: 1 });
});

test("a failover that has lost a close leaves legacy closed", async () => {
  await applyAll(store, "checkout", [setTo(100)]);
  await replicated();
  const followed = await applyAll(store, "checkout", [{ action: "close" }]);
  await failover();
  await applyAll(store, "checkout", [setTo(90)]);
  const loaded = await load(store, followed);
  expect(loaded.states.get("checkout")).toMatchObject({ state: "closed", version: 3 });
  expect(loaded.regressions).toHaveLength(1);
});

test("what was lost but nobody had followed is not missed", async () => {
  const before = await applyAll(store, "checkout", [setTo(10)]);
  await replicated();
  await applyAll(store, "checkout", [setTo(25)]);
  await failover();
  const loaded = await load(store, before);
  expect(loaded).toMatchObject({ states: new Map([["checkout", before]]), regressions: [] });
});

test("an instance far behind follows what its version has become, also when the audit does not reach back", async () => {
  const behind = await applyAll(store, "checkout", [setTo(1)]);
  const changes = Array.from({ length: 30 }, (_, at) => setTo(at + 2));
  const now = await applyAll(store, "checkout", changes);
  expect(await load(store, behind)).toMatchObject({ states: new Map([["checkout", now]]), regressions: [] });
  await server.cli("XTRIM", `${key}:audit`, "MAXLEN", "=", "5");
  expect(await load(store, behind)).toMatchObject({ states: new Map([["checkout", now]]), regressions: [] });
});

test("a state that was given back to an emptied store and changed since is followed", async () => {
  const before = await applyAll(store, "checkout", [setTo(10), setTo(20)]);
  await server.cli("FLUSHALL");
  await load(store, before);
  const after = await applyAll(store, "checkout", [setTo(30)]);
  expect(await load(store, before)).toMatchObject({
    states: new Map([["checkout", after]]),
    regressions: [],
  });
});

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.integer({ min: 0, max: 100 }).map(setTo),
  fc.constantFrom<Change>(
    { action: "rollback" },
    { action: "rollback_hard" },
    { action: "hold" },
    { action: "resume" },
  ),
);

test("whatever was lost and whatever came instead, no instance ends above what it had followed", async () => {
  const changes = fc.array(anyChange, { maxLength: 5 });
  const seed = Number(process.env.CUTOVER_SEED ?? Date.now() % 2 ** 31);
  await fc.assert(
    fc.asyncProperty(
      changes,
      changes,
      changes,
      fc.integer({ min: 0, max: 4 }),
      async (kept, lost, instead, pick) => {
        await server.cli("FLUSHALL");
        const tryAll = async (list: readonly Change[]) => {
          const states: CutoverState[] = [];
          for (const change of list) states.push((await store.apply(command("checkout", change))).state);
          return states;
        };
        await tryAll([setTo(50), ...kept]);
        const common = await stateOf(store, "checkout");
        await replicated();
        const after = (await tryAll(lost)).filter(({ version }) => version > common.version);
        await failover();
        await tryAll(instead);
        const followed = after[pick % Math.max(1, after.length)] ?? common;
        const atFailover = await stateOf(store, "checkout");
        const final = (await load(store, followed)).states.get("checkout") ?? initialState();
        expect((await load(store, common)).states.get("checkout"), `seed ${seed}`).toEqual(final);
        if (followed === common) {
          expect(final, `seed ${seed}`).toEqual(atFailover);
          return;
        }
        const firmness = ({ state }: CutoverState) => stateNames.indexOf(state);
        for (const known of [followed, atFailover]) {
          expect(final.percentThousandths, `seed ${seed}`).toBeLessThanOrEqual(known.percentThousandths);
          expect(final.pinEpoch, `seed ${seed}`).toBeGreaterThanOrEqual(known.pinEpoch);
          expect(firmness(final), `seed ${seed}`).toBeGreaterThanOrEqual(Math.max(1, firmness(known)));
        }
        expect(final.version, `seed ${seed}`).toBeGreaterThanOrEqual(followed.version);
      },
    ),
    { seed, numRuns: 60, verbose: 1 },
  );
});
