import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Log } from "../../../../src/base/log.ts";
import { createFollower, type FollowerOptions } from "../../../../src/state/follow/follow.ts";
import { createSnapshotFile } from "../../../../src/state/follow/snapshot-file.ts";
import { type Change, type CutoverState, initialState } from "../../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import type { Rejection } from "../../../../src/state/store/port.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";
import { createTroubledStore } from "../../../support/troubled-store.ts";

function setUp(extra: Partial<FollowerOptions> = {}) {
  const time = createManualTime();
  const truth = createMemoryStore({ clock: time });
  const store = createTroubledStore(truth);
  const log = createRecordedLog();
  const rejected: string[] = [];
  const follower = createFollower({
    store,
    names: ["checkout", "returns"],
    instance: { id: "i1", startedAt: "2026-01-01T00:00:00.000Z" },
    traffic: () => ({ checkout: "figures" }),
    clock: time,
    timers: time,
    random: () => 0.999,
    log,
    onRejected: (name) => rejected.push(name),
    ...extra,
  });
  const start = async (ms = 0) => {
    let started = false;
    void follower.start().then(() => {
      started = true;
    });
    await time.advance(ms);
    return () => started;
  };
  const change = (asked: Change, name = "checkout") =>
    truth.apply({ name, change: asked, actor: { name: "ana", role: "admin" }, reason: "because" });
  const percent = (percentThousandths: number, name?: string) =>
    change({ action: "set", percentThousandths }, name);
  const checkout = () => follower.current().states.get("checkout");
  const restored = () => log.about("had lost").map(({ fields }) => fields.cutover);
  const count = (call: string) => store.calls.filter((made) => made === call).length;
  return { time, truth, store, log, follower, start, change, percent, checkout, count, rejected, restored };
}

describe("start", () => {
  test("serves by what the store holds, and is listed with its versions before it resolves", async () => {
    const { follower, start, percent, checkout, truth } = setUp();
    await percent(25_000);
    const started = await start();
    expect(started()).toBe(true);
    expect(checkout()).toMatchObject({ percentThousandths: 25_000, version: 1 });
    expect(follower.current().states.get("returns")).toEqual(initialState());
    expect(await truth.instances()).toEqual([
      {
        id: "i1",
        startedAt: "2026-01-01T00:00:00.000Z",
        seenAt: new Date(epoch).toISOString(),
        versions: { checkout: 1, returns: 0 },
        traffic: { checkout: "figures" },
      },
    ]);
    await follower.stop();
  });

  test("without store and file: every cutover at percent 0, an error line, and no failure", async () => {
    const { start, store, checkout, log, follower } = setUp();
    store.mood("fail");
    const started = await start();
    expect(started()).toBe(true);
    expect(checkout()).toEqual(initialState());
    expect(log.lines.map(({ level }) => level)).toEqual(["warn", "error"]);
    expect(log.about("at percent 0")[0]?.fields).toEqual({ cutovers: ["checkout", "returns"] });
    expect(follower.contact().up).toBe(false);
  });

  test("waits 2 s at most for a store that hangs, and takes its answer when it comes", async () => {
    const { start, store, time, percent, checkout, truth, log } = setUp();
    await percent(25_000);
    store.mood("hang");
    const started = await start(1999);
    expect(started()).toBe(false);
    await time.advance(1);
    expect(started()).toBe(true);
    expect(checkout()).toEqual(initialState());
    store.mood("well");
    await time.advance(0);
    expect(checkout()?.version).toBe(1);
    expect((await truth.instances())[0]?.versions).toEqual({ checkout: 1, returns: 0 });
    expect(log.about("out of reach")).toHaveLength(1);
    expect(log.about("store back")).toHaveLength(1);
  });

  test("a change made while it starts is followed", async () => {
    const { follower, store, time, percent, checkout } = setUp();
    store.mood("hang");
    void follower.start();
    await time.advance(0);
    await percent(25_000);
    store.mood("well");
    await time.advance(0);
    expect(checkout()?.version).toBe(1);
  });

  test("pino's logger serves as its log", () => {
    const log: Log = pino({ enabled: false });
    log.info({ cutover: "checkout" }, "state followed");
  });
});

describe("following", () => {
  test("a hint is followed at once, acknowledged at once and logged in one line", async () => {
    const { start, time, percent, checkout, truth, log } = setUp();
    await start();
    await percent(12_500);
    await time.advance(0);
    expect(checkout()?.percentThousandths).toBe(12_500);
    expect((await truth.instances())[0]?.versions).toMatchObject({ checkout: 1 });
    expect(log.about("state followed").map(({ fields }) => fields)).toEqual([
      {
        cutover: "checkout",
        from: { percent: 0, state: "open" },
        to: { percent: 12.5, state: "open" },
        version: 1,
        by: "ana",
      },
    ]);
  });

  describe("a hint that tells the change", () => {
    async function told() {
      const set = setUp();
      await set.start();
      set.store.hints(false);
      const from = set.checkout();
      await set.percent(12_500);
      const state = (await set.truth.load(["checkout"], new Map())).states.get("checkout");
      if (from === undefined || state === undefined) throw new Error("no state");
      const tell = (isSure = true) => set.store.tell({ name: "checkout", from, state, isSure });
      return { ...set, tell, from, state };
    }

    test("is followed at once and acknowledged, without a read", async () => {
      const { tell, time, checkout, truth, count } = await told();
      const reads = count("load");
      tell();
      expect(checkout()?.version).toBe(1);
      await time.advance(0);
      expect((await truth.instances())[0]?.versions).toMatchObject({ checkout: 1 });
      expect(count("load")).toBe(reads);
      tell();
      await time.advance(0);
      expect(count("load")).toBe(reads);
    });

    test("by a server that is not read from: a raise is read before it is followed", async () => {
      const { tell, time, checkout, count } = await told();
      const reads = count("load");
      tell(false);
      expect(checkout()?.version).toBe(0);
      await time.advance(0);
      expect(count("load")).toBe(reads + 1);
      expect(checkout()?.version).toBe(1);
    });

    test("while the store is out of reach, a raise waits for it", async () => {
      const { tell, time, checkout, store } = await told();
      store.mood("fail");
      await time.advance(700);
      tell();
      await time.advance(0);
      expect(checkout()?.version).toBe(0);
    });

    test("is not a contact: it keeps nobody from growing stale", async () => {
      const { tell, time, store, follower, state } = await told();
      store.mood("fail");
      await time.advance(29_000);
      const before = { ...state, version: 0 };
      store.tell({ name: "checkout", from: before, state, isSure: false });
      tell();
      await time.advance(1500);
      expect(follower.isStale(30_000)).toBe(true);
    });

    test("is not undone by an answer that was under way, and nobody speaks of an older version", async () => {
      const { tell, time, store, checkout, log, truth } = await told();
      const old = await truth.load(["checkout"], new Map());
      store.mood("hang");
      await time.advance(700);
      expect(store.loading()).toBe(1);
      tell();
      let answers = 0;
      const outdated = { ...old, states: new Map([["checkout", initialState()]]) };
      store.answering((loaded) => (answers++ === 0 ? outdated : loaded));
      store.mood("well");
      await time.advance(0);
      expect(checkout()?.version).toBe(1);
      await time.advance(700);
      expect(checkout()?.version).toBe(1);
      expect(answers).toBeGreaterThan(1);
      expect(log.about("older version")).toEqual([]);
    });

    test("of a cutover that is not configured is none", async () => {
      const { time, store, from, state, count } = await told();
      const reads = count("load");
      store.tell({ name: "another", from, state, isSure: true });
      await time.advance(0);
      expect(count("load")).toBe(reads);
    });
  });

  test("a lost hint is made up for by the next poll, 700 ms after the last read at most", async () => {
    const { start, time, percent, checkout, store } = setUp();
    await start();
    store.hints(false);
    await percent(12_500);
    await time.advance(699);
    expect(checkout()?.version).toBe(0);
    await time.advance(1);
    expect(checkout()?.version).toBe(1);
  });

  test("polls are spread over the last quarter of the interval", async () => {
    const { start, time, count } = setUp({ random: () => 0 });
    await start();
    await time.advance(524);
    expect(count("load")).toBe(1);
    await time.advance(1);
    expect(count("load")).toBe(2);
  });

  test("hints during a load cause exactly one more load, and loads never overlap", async () => {
    const { start, time, store, percent, count, checkout } = setUp();
    await start();
    store.mood("hang");
    await percent(1000);
    await time.advance(0);
    for (const thousandths of [2000, 3000, 4000]) await percent(thousandths);
    await time.advance(0);
    expect(store.loading()).toBe(1);
    expect(count("load")).toBe(2);
    store.mood("well");
    await time.advance(0);
    expect(count("load")).toBe(3);
    expect(checkout()?.version).toBe(4);
  });

  test("refresh resolves when what was written before it is in force", async () => {
    const { start, time, store, percent, follower, checkout } = setUp();
    await start();
    store.hints(false);
    await percent(1000);
    await follower.refresh();
    expect(checkout()?.version).toBe(1);

    store.mood("hang");
    let answered = false;
    const early = follower.refresh();
    void follower.refresh().then(() => {
      answered = true;
    });
    await percent(2000);
    store.mood("well");
    await early;
    await time.advance(0);
    expect(answered).toBe(true);
    expect(checkout()?.version).toBe(2);
  });

  test("refresh resolves after 2 s when the store hangs", async () => {
    const { start, time, store, follower } = setUp();
    await start();
    store.mood("hang");
    let resolved = false;
    void follower.refresh().then(() => {
      resolved = true;
    });
    await time.advance(2000);
    expect(resolved).toBe(true);
  });

  test("the snapshot is swapped whole: one object holds the states of one moment and never changes", async () => {
    const { start, time, percent, follower } = setUp();
    await start();
    const before = follower.current();
    await percent(1000);
    await percent(2000, "returns");
    await time.advance(0);
    expect([...before.states.values()]).toEqual([initialState(), initialState()]);
    expect([...follower.current().states.values()].map(({ version }) => version)).toEqual([1, 1]);
    const after = follower.current();
    await time.advance(5000);
    expect(follower.current()).toBe(after);
  });

  test("listeners hear of a swap before it is acknowledged; one that fails harms nobody", async () => {
    const { start, time, percent, follower, truth, log } = setUp();
    await start();
    const heard: string[] = [];
    follower.onSwap(() => {
      throw new Error("broken listener");
    });
    const leave = follower.onSwap((snapshot, previous) => {
      const versions = [previous, snapshot].map(({ states }) => states.get("checkout")?.version);
      heard.push(versions.join(">"));
      void truth.instances().then(([record]) => heard.push(`acknowledged ${record?.versions.checkout}`));
    });
    await percent(1000);
    await time.advance(0);
    expect(heard).toEqual(["0>1", "acknowledged 0"]);
    expect(log.about("listener")).toHaveLength(1);
    leave();
    await percent(2000);
    await time.advance(0);
    expect(heard).toHaveLength(2);
  });

  test("an older version is not followed and said once; what the store does not name stays", async () => {
    const { start, time, store, percent, checkout, log } = setUp();
    await percent(1000);
    await percent(2000);
    await start();
    store.answering((loaded) => ({ ...loaded, states: new Map([["checkout", initialState()]]) }));
    await time.advance(3000);
    expect(checkout()?.version).toBe(2);
    expect(log.about("older version")).toEqual([
      expect.objectContaining({ level: "error", fields: { cutover: "checkout", kept: 2, offered: 0 } }),
    ]);
    store.answering((loaded) => ({ ...loaded, states: new Map() }));
    await time.advance(3000);
    expect(checkout()?.version).toBe(2);
  });

  test("of two states of one version the store's is the true one", async () => {
    const { start, time, store, percent, checkout } = setUp();
    await percent(1000);
    await start();
    const other: CutoverState = { ...initialState(), version: 1, percentThousandths: 5000 };
    store.answering((loaded) => ({ ...loaded, states: new Map([["checkout", other]]) }));
    await time.advance(700);
    expect(checkout()?.percentThousandths).toBe(5000);
  });
});

describe("heartbeat", () => {
  test("the record is renewed each second, so that the lease of 3 s never runs out", async () => {
    const { start, time, truth, count } = setUp();
    await start();
    const before = count("acknowledge");
    for (let second = 1; second <= 10; second += 1) {
      await time.advance(1000);
      const [record] = await truth.instances();
      expect(Date.parse(record?.seenAt ?? "")).toBeGreaterThanOrEqual(time.now() - 1000);
    }
    expect(count("acknowledge") - before).toBe(10);
  });

  test("a record that cannot be written while the store answers is said once, and when it can be again", async () => {
    let broken = true;
    const { start, time, log, truth } = setUp({
      traffic: () => {
        if (broken) throw new Error("no figures");
        return {};
      },
    });
    await start();
    await time.advance(5000);
    expect(log.about("could not be written")).toHaveLength(1);
    broken = false;
    await time.advance(700);
    expect(log.about("written again")).toHaveLength(1);
    expect(await truth.instances()).toHaveLength(1);
  });
});

describe("a store out of reach", () => {
  test("changes nothing but contact, is said once when lost and once when back", async () => {
    const { start, time, store, percent, follower, log, checkout } = setUp();
    await percent(1000);
    await start();
    const before = follower.current();
    store.mood("fail");
    await time.advance(60_000);
    expect(follower.current()).toBe(before);
    expect(follower.contact()).toEqual({ up: false, stalenessMs: 60_000 });
    expect(log.lines.filter(({ level }) => level !== "info")).toHaveLength(1);
    store.mood("well");
    await percent(2000);
    await time.advance(700);
    expect(checkout()?.version).toBe(2);
    expect(follower.contact().up).toBe(true);
    expect(log.about("store back")).toHaveLength(1);
  });

  test("is listed again as soon as the store is back", async () => {
    const { start, time, store, truth } = setUp();
    await start();
    store.mood("fail");
    await time.advance(10_000);
    expect(await truth.instances()).toEqual([]);
    store.hints(false);
    store.mood("well");
    await time.advance(700);
    expect(await truth.instances()).toHaveLength(1);
  });

  test("staleness is the age of the last answered load; stale only beyond the bound", async () => {
    const { start, time, store, follower } = setUp();
    await start();
    await time.advance(500);
    expect(follower.contact()).toEqual({ up: true, stalenessMs: 500 });
    store.mood("hang");
    await time.advance(29_500);
    expect(follower.contact()).toEqual({ up: false, stalenessMs: 30_000 });
    expect(follower.isStale(30_000)).toBe(false);
    await time.advance(1);
    expect(follower.isStale(30_000)).toBe(true);
    store.mood("well");
    await time.advance(700);
    expect(follower.isStale(30_000)).toBe(false);
  });

  test("what counts is the sending of the last read before an acknowledged record", async () => {
    const { start, time, store, follower } = setUp();
    store.hints(false);
    await start();
    // Read just before 700, recorded at 1000; read just before 1400, not recorded any more.
    await time.advance(1400);
    store.mood("fail");
    await time.advance(1000);
    expect(follower.isStale(1701)).toBe(false);
    await time.advance(1);
    expect(follower.isStale(1701)).toBe(true);
    expect(follower.contact().stalenessMs).toBeLessThan(1002);
  });

  test("an answer that was long under way counts from when it was asked for", async () => {
    const { start, time, store, follower } = setUp();
    await start();
    await time.advance(699);
    store.mood("hang");
    await time.advance(5001);
    store.mood("well");
    await time.advance(0);
    expect(follower.contact()).toEqual({ up: true, stalenessMs: 0 });
    expect(follower.isStale(5000)).toBe(true);
    await time.advance(700);
    expect(follower.isStale(5000)).toBe(false);
  });

  test("without any contact staleness counts from the start, and the instance is stale from the start", async () => {
    const { start, time, store, follower } = setUp();
    store.mood("fail");
    await start();
    expect(follower.isStale(30_000)).toBe(true);
    await time.advance(31_000);
    expect(follower.contact()).toEqual({ up: false, stalenessMs: 31_000 });
  });

  test("what the store has lost is given back from the last good state, and that is logged", async () => {
    const { start, time, percent, restored, checkout, store } = setUp();
    await percent(1000);
    await start();
    store.answering((loaded) => ({ ...loaded, restored: ["checkout"] }));
    await time.advance(700);
    expect(restored()).toEqual(["checkout"]);
    expect(checkout()?.version).toBe(1);
  });
});

describe("refused hand edits", () => {
  const nonsense = (fingerprint: string): Rejection => ({
    name: "checkout",
    fields: ["percent"],
    fingerprint,
  });

  test("each content is logged and counted once, and again after it was gone", async () => {
    const { start, time, store, rejected, log, checkout } = setUp();
    await start();
    const poll = async (found: readonly Rejection[]) => {
      store.rejecting(found);
      await time.advance(2100);
      return rejected.length;
    };
    expect(await poll([nonsense("a")])).toBe(1);
    expect(await poll([nonsense("b")])).toBe(2);
    expect(await poll([])).toBe(2);
    expect(await poll([nonsense("b")])).toBe(3);
    expect(checkout()?.version).toBe(0);
    expect(log.about("refused").map(({ level, fields }) => [level, fields])).toEqual(
      Array.from({ length: 3 }, () => ["warn", { cutover: "checkout", fields: ["percent"] }]),
    );
  });

  test("an outage in between is not a reason to count again", async () => {
    const { start, time, store, rejected } = setUp();
    await start();
    store.rejecting([nonsense("a")]);
    await time.advance(700);
    store.mood("fail");
    await time.advance(5000);
    store.mood("well");
    await time.advance(700);
    expect(rejected).toEqual(["checkout"]);
  });
});

describe("stop", () => {
  test("withdraws the record, leaves the store open and no timer set", async () => {
    const { start, time, follower, truth, store, percent, checkout } = setUp();
    await start();
    await follower.stop();
    expect(await truth.instances()).toEqual([]);
    expect(time.pending()).toBe(0);
    expect(store.calls).not.toContain("close");
    const calls = store.calls.length;
    await percent(1000);
    await time.advance(10_000);
    expect(store.calls.length).toBe(calls);
    expect(checkout()?.version).toBe(0);
  });

  test("is bounded when the store hangs, and the record under way does not outlive the instance", async () => {
    const { start, time, follower, store, log } = setUp();
    await start();
    store.mood("hang");
    await time.advance(1000);
    let stopped = false;
    void follower.stop().then(() => {
      stopped = true;
    });
    await time.advance(2000);
    expect(stopped).toBe(true);
    expect(time.pending()).toBe(0);
    expect(log.about("withdrawn")).toHaveLength(1);
  });

  test("a record under way is awaited before it is withdrawn", async () => {
    const { start, time, follower, store, truth } = setUp();
    await start();
    store.mood("hang");
    await time.advance(1000);
    expect(store.calls.at(-1)).toBe("acknowledge");
    const stopped = follower.stop();
    await time.advance(500);
    expect(store.calls.at(-1)).toBe("acknowledge");
    store.mood("well");
    await stopped;
    expect(store.calls.at(-1)).toBe("leave");
    expect(await truth.instances()).toEqual([]);
  });

  test("a failing store is a warning; a second stop does nothing", async () => {
    const { start, follower, store, log, count } = setUp();
    await start();
    store.mood("fail");
    await follower.stop();
    await follower.stop();
    expect(log.about("withdrawn")).toHaveLength(1);
    expect(count("leave")).toBe(1);
  });
});

describe("with a snapshot file", () => {
  async function withFile() {
    const folder = await mkdtemp(join(tmpdir(), "follow-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const time = createManualTime();
    const log = createRecordedLog();
    return createSnapshotFile({ path: join(folder, "snapshot.json"), clock: time, log });
  }

  test("a cold start without the store serves by the last good state", async () => {
    const snapshotFile = await withFile();
    const first = setUp({ snapshotFile });
    await first.percent(25_000);
    await first.follower.start();
    await first.change({ action: "rollback" });
    await first.follower.refresh();
    await first.follower.stop();

    const second = setUp({ snapshotFile });
    second.store.mood("fail");
    await second.follower.start();
    expect(second.checkout()).toEqual(first.checkout());
    expect(second.checkout()).toMatchObject({ state: "rolled_back", version: 2 });
    expect(second.log.about("by the last good state")).toHaveLength(1);
    await second.follower.stop();
  });

  test("gives the last good state back to a store that has lost it: versions go on", async () => {
    const snapshotFile = await withFile();
    const first = setUp({ snapshotFile });
    await first.percent(25_000);
    await first.follower.start();
    await first.follower.stop();

    const second = setUp({ snapshotFile });
    await second.follower.start();
    expect(second.restored()).toEqual(["checkout"]);
    expect(second.checkout()?.version).toBe(1);
    await second.percent(30_000);
    await second.follower.refresh();
    expect(second.checkout()).toMatchObject({ version: 2, percentThousandths: 30_000 });
    await second.follower.stop();
  });

  test("a cutover that is no longer configured is not served", async () => {
    const snapshotFile = await withFile();
    snapshotFile.keep(new Map([["gone", { ...initialState(), version: 4 }]]));
    await snapshotFile.settled();
    const { follower } = setUp({ snapshotFile });
    await follower.start();
    expect([...follower.current().states.keys()]).toEqual(["checkout", "returns"]);
    await follower.stop();
  });
});

describe("other cutovers than at the beginning", () => {
  test("are followed from the store, and those that are left out no more", async () => {
    const { follower, percent, start, time } = setUp();
    await percent(25_000, "refunds");
    await start();
    const heard: string[][] = [];
    follower.onSwap((snapshot) => heard.push([...snapshot.states.keys()]));
    void follower.follow(["checkout", "refunds"]);
    await time.advance(0);
    expect([...follower.current().states.keys()]).toEqual(["checkout", "refunds"]);
    expect(follower.current().states.get("refunds")?.percentThousandths).toBe(25_000);
    expect(heard.at(-1)).toEqual(["checkout", "refunds"]);
    await follower.stop();
  });

  test("stand at percent 0 while the store does not answer, and follow when it is back", async () => {
    const { follower, percent, start, store, time } = setUp();
    await percent(25_000, "refunds");
    await start();
    store.mood("fail");
    void follower.follow(["checkout", "refunds"]);
    await time.advance(2000);
    expect(follower.current().states.get("refunds")).toEqual(initialState());
    store.mood("well");
    await time.advance(1000);
    expect(follower.current().states.get("refunds")?.percentThousandths).toBe(25_000);
    await follower.stop();
  });
});

describe("versions that others decide by", () => {
  test("stand in the record in place of the snapshot's, and are written again when they change", async () => {
    let versions = { checkout: 0, returns: 0 };
    const { follower, percent, start, truth, time } = setUp({ versions: () => versions });
    await start();
    await percent(10_000);
    await time.advance(10);
    const told = async () => (await truth.instances())[0]?.versions;
    expect(follower.current().states.get("checkout")?.version).toBe(1);
    expect(await told()).toEqual({ checkout: 0, returns: 0 });
    versions = { checkout: 1, returns: 0 };
    follower.announce();
    await time.advance(0);
    expect(await told()).toEqual({ checkout: 1, returns: 0 });
    await follower.stop();
  });
});
