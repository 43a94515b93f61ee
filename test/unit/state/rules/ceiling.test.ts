/** Changes made on one instance alone, as its follower makes, keeps, offers and gives them up. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createFollower } from "../../../../src/state/follow/follow.ts";
import { createSnapshotFile, type SnapshotFile } from "../../../../src/state/follow/snapshot-file.ts";
import type { LocalAction } from "../../../../src/state/rules/ceiling.ts";
import type { Change } from "../../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import { watchRollbacks } from "../../../../src/telemetry/metrics.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";
import { createTroubledStore } from "../../../support/troubled-store.ts";

const ops = { name: "ops", role: "responder" } as const;

async function setUp(snapshotFile?: SnapshotFile, name?: string) {
  const time = createManualTime();
  const truth = createMemoryStore({ clock: time });
  const store = createTroubledStore(truth);
  const log = createRecordedLog();
  const follower = createFollower({
    store,
    names: ["checkout", "returns"],
    instance: { id: "i1", startedAt: "" },
    profile: () => ({ name }),
    traffic: () => ({}),
    clock: time,
    timers: time,
    random: () => 0.999,
    log,
    snapshotFile,
  });
  const change = (asked: Change) =>
    truth.apply({ name: "checkout", change: asked, actor: { name: "ana", role: "admin" }, reason: "" });
  const set = (percent: number) => change({ action: "set", percentThousandths: percent * 1000 });
  const make = (action: LocalAction) =>
    follower.makeLocally({ name: "checkout", action, actor: ops, reason: "errors" });
  const checkout = () => follower.current().states.get("checkout");
  await set(50);
  await follower.start();
  return { time, truth, store, log, follower, change, set, make, checkout };
}

describe("a rollback without the store", () => {
  test("stands in the history with the instance by the name a person finds it by, not by its id alone", async () => {
    const { store, truth, make, time } = await setUp(undefined, "shop-1:8080");
    store.mood("fail");
    make("rollback");
    store.mood("well");
    await time.advance(700);
    const [entry] = await truth.history("checkout", 1);
    expect(entry?.reason).toMatch(/^rolled back on instance shop-1:8080 \(i1\) alone at .*: errors$/);
  });

  test("is in force when it returns, at the store's version, and named as local", async () => {
    const { store, make, checkout, follower, time } = await setUp();
    store.mood("fail");
    expect(make("rollback")).toMatchObject({ accepted: true, changed: true });
    expect(checkout()).toEqual({
      percentThousandths: 0,
      state: "rolled_back",
      pinEpoch: 0,
      version: 1,
      updatedAt: new Date(epoch).toISOString(),
      updatedBy: "ops",
      reason: "errors",
    });
    expect([...(follower.current().local ?? [])]).toEqual(["checkout"]);
    expect(follower.pendingLocally("checkout")).toMatchObject([{ action: "rollback", instance: "i1" }]);
    await time.advance(10_000);
    expect(checkout()).toMatchObject({ state: "rolled_back" });
  });

  test("becomes a version of the store's as soon as it answers, and never shows what was before", async () => {
    const { store, make, checkout, follower, time, truth } = await setUp();
    store.mood("fail");
    make("rollback_hard");
    const seen: string[] = [];
    follower.onSwap(({ states }) => seen.push(`${states.get("checkout")?.state}`));
    store.mood("well");
    await time.advance(700);
    expect(checkout()).toMatchObject({ state: "rolled_back", version: 2, pinEpoch: 1, updatedBy: "ops" });
    expect(follower.current().local?.size).toBe(0);
    expect(new Set(seen)).toEqual(new Set(["rolled_back"]));
    expect((await truth.history("checkout", 1))[0]).toMatchObject({
      action: "reconciled",
      reason: `rolled back hard on instance i1 alone at ${new Date(epoch).toISOString()}: errors`,
    });
    expect((await truth.instances())[0]?.versions).toMatchObject({ checkout: 2 });
  });

  test("is the fleet's once the store has it, also when its news come before its answer", async () => {
    const { store, make, follower, time } = await setUp();
    store.mood("fail");
    make("rollback");
    const { apply } = store;
    let answer = () => {};
    store.apply = async (command) => {
      const applied = await apply(command);
      await new Promise<void>((resume) => {
        answer = resume;
      });
      return applied;
    };
    store.mood("well");
    await time.advance(700);
    expect(follower.current().states.get("checkout")).toMatchObject({ state: "rolled_back", version: 2 });
    expect([...(follower.current().local ?? [])]).toEqual([]);
    answer();
    await time.advance(0);
    expect(follower.current().local?.size).toBe(0);
  });

  test("wins over a raise and a resume that the others made meanwhile", async () => {
    const { store, make, checkout, time, set, change } = await setUp();
    store.mood("fail");
    make("rollback");
    await change({ action: "hold" });
    await change({ action: "resume" });
    await set(90);
    store.mood("well");
    await time.advance(700);
    expect(checkout()).toMatchObject({ percentThousandths: 0, state: "rolled_back", version: 5 });
  });

  test("stays in force while the store reads but does not write, said once", async () => {
    const { store, make, checkout, time, set, truth, log } = await setUp();
    store.mood("fail");
    make("rollback");
    const { apply } = store;
    store.apply = async () => {
      throw new Error("READONLY");
    };
    store.mood("well");
    await set(70);
    await time.advance(5000);
    expect(checkout()).toMatchObject({ percentThousandths: 0, state: "rolled_back", version: 2 });
    expect(log.about("could not be reconciled yet")).toHaveLength(1);
    store.apply = apply;
    await time.advance(700);
    expect((await truth.history("checkout", 1))[0]).toMatchObject({ action: "reconciled", version: 3 });
  });

  test("is dropped, with an error line, where legacy has been closed meanwhile", async () => {
    const { store, make, checkout, time, set, change, log, follower } = await setUp();
    store.mood("fail");
    make("rollback");
    await set(100);
    await change({ action: "close" });
    store.mood("well");
    await time.advance(700);
    expect(checkout()).toMatchObject({ state: "closed", percentThousandths: 100_000 });
    expect(follower.pendingLocally("checkout")).toEqual([]);
    expect(log.about("closed for good").map(({ level }) => level)).toEqual(["error"]);
  });

  test("can be resumed once it is reconciled, and is not offered again", async () => {
    const { store, make, checkout, time, change } = await setUp();
    store.mood("fail");
    make("rollback");
    store.mood("well");
    await time.advance(700);
    await change({ action: "resume" });
    await time.advance(5000);
    expect(checkout()).toMatchObject({ state: "open", version: 3 });
  });

  test("counts as a rollback of trigger local, once", async () => {
    const { store, make, follower, time } = await setUp();
    const counted: string[] = [];
    follower.onSwap(watchRollbacks({ rollback: (name, trigger) => counted.push(`${name} ${trigger}`) }));
    store.mood("fail");
    make("rollback");
    make("rollback");
    store.mood("well");
    await time.advance(700);
    expect(counted).toEqual(["checkout local"]);
  });
});

test("a hold freezes at the percent of its moment, the lower one wins", async () => {
  const { store, make, checkout, time, set } = await setUp();
  store.mood("fail");
  expect(make("hold")).toMatchObject({ changed: true, state: { state: "held", percentThousandths: 50_000 } });
  await set(80);
  store.mood("well");
  await time.advance(700);
  expect(checkout()).toMatchObject({ state: "held", percentThousandths: 50_000, version: 3 });
  await time.advance(700);
  expect(make("hold")).toMatchObject({ accepted: true, changed: false });
});

test("the rules refuse as they do in the store, and nothing is kept of it", async () => {
  const { store, make, follower } = await setUp();
  store.mood("fail");
  make("rollback");
  expect(make("hold")).toMatchObject({ accepted: false, code: "rolled_back" });
  const viewer = { name: "eve", role: "viewer" } as const;
  const asked = { name: "returns", action: "rollback", actor: viewer, reason: "" } as const;
  expect(follower.makeLocally(asked)).toMatchObject({ accepted: false, code: "forbidden" });
  const late = { ...asked, actor: ops, ifVersion: 9 };
  expect(follower.makeLocally(late)).toMatchObject({ accepted: false, code: "version_conflict" });
  expect(follower.pendingLocally("returns")).toEqual([]);
});

describe("the snapshot file", () => {
  async function withFile() {
    const folder = await mkdtemp(join(tmpdir(), "cutover-local-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "snapshot.json");
    const open = () => createSnapshotFile({ path, clock: createManualTime(), log: createRecordedLog() });
    return { path, open };
  }

  test("holds it before the answer is given, and until the store has accepted it", async () => {
    const { path, open } = await withFile();
    const file = open();
    const { store, make, follower, time } = await setUp(file);
    store.mood("fail");
    make("rollback");
    await file.settled();
    const { local } = JSON.parse(await readFile(path, "utf8"));
    expect(Object.values(local)).toMatchObject([{ name: "checkout", action: "rollback", by: "ops" }]);
    store.mood("well");
    await time.advance(700);
    expect(follower.pendingLocally("checkout")).toEqual([]);
    await file.settled();
    expect(JSON.parse(await readFile(path, "utf8"))).not.toHaveProperty("local");
  });

  test("brings it back into force at a start without the store", async () => {
    const { open } = await withFile();
    const before = open();
    const first = await setUp(before);
    first.store.mood("fail");
    first.make("hold");
    first.make("rollback");
    await before.settled();

    const time = createManualTime();
    const store = createTroubledStore(createMemoryStore({ clock: time }));
    store.mood("fail");
    const log = createRecordedLog();
    const follower = createFollower({
      store,
      names: ["checkout"],
      instance: { id: "i2", startedAt: "" },
      traffic: () => ({}),
      clock: time,
      timers: time,
      log,
      snapshotFile: open(),
    });
    await follower.start();
    expect(follower.current().states.get("checkout")).toMatchObject({ state: "rolled_back", version: 1 });
    expect(follower.pendingLocally("checkout").map(({ action }) => action)).toEqual(["hold", "rollback"]);
    expect(log.about("in force again")).toHaveLength(2);
  });

  test("shared with another instance loses neither's", async () => {
    const { path, open } = await withFile();
    const files = [open(), open()] as const;
    const one = await setUp(files[0]);
    const other = await setUp(files[1]);
    for (const { store } of [one, other]) store.mood("fail");
    one.make("rollback");
    await files[0].settled();
    other.make("hold");
    await files[1].settled();
    one.store.mood("well");
    await one.time.advance(700);
    await files[0].settled();
    const { local } = JSON.parse(await readFile(path, "utf8"));
    expect(Object.values(local)).toMatchObject([{ action: "hold" }]);
  });
});
