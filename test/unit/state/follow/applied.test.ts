import { describe, expect, test } from "vitest";
import { waitApplied } from "../../../../src/state/follow/applied.ts";
import { createRoll, type Roll } from "../../../../src/state/follow/roll.ts";
import type { Reach } from "../../../../src/state/rules/completion.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import { createManualTime, epoch } from "../../../support/manual-time.ts";
import { createTroubledStore } from "../../../support/troubled-store.ts";

function setUp() {
  const time = createManualTime();
  const store = createTroubledStore(createMemoryStore({ clock: time }));
  const acknowledge = (id: string, version: number) =>
    store.acknowledge({ id, startedAt: "", seenAt: "", versions: { checkout: version }, traffic: {} });
  const wait = (waitMs: number, nudge?: () => Promise<void>, roll?: Roll, reach: Reach = "new_journeys") => {
    let answer: unknown;
    void waitApplied({
      store,
      name: "checkout",
      version: 3,
      reach,
      waitMs,
      clock: time,
      timers: time,
      ...(nudge === undefined ? {} : { nudge }),
      ...(roll === undefined ? {} : { roll }),
    }).then((count) => {
      answer = count;
    });
    return () => answer;
  };
  return { time, store, acknowledge, wait };
}

describe("an instance that fell silent so long ago that the store has forgotten it", () => {
  async function forgotten(stale?: { afterMs: number; legacy: string[] }) {
    const { time, store, acknowledge, wait } = setUp();
    const roll = createRoll(time);
    const record = { id: "b", startedAt: "", seenAt: "", versions: { checkout: 2 }, traffic: {} };
    await store.acknowledge({ ...record, ...(stale === undefined ? {} : { stale }) });
    roll.saw(await store.roster());
    await time.advance(44_000);
    await acknowledge("a", 3);
    expect((await store.roster()).members.map(({ id }) => id)).toEqual(["a"]);
    return { time, roll, wait };
  }

  test("goes on by its last state: a rollback was done on 1 of 1, and status said applied on 1 of 2", async () => {
    const { time, roll, wait } = await forgotten();
    const answer = wait(60_000, undefined, roll);
    await time.advance(0);
    expect(answer()).toMatchObject({
      instances: 1,
      of: 1,
      isComplete: false,
      lagging: [{ id: "b", version: 2 }],
    });
  });

  test("has stopped by itself where it is stale to legacy, but for journeys: a hard rollback names it", async () => {
    const { time, roll, wait } = await forgotten({ afterMs: 30_000, legacy: ["checkout"] });
    const [plain, hard] = [wait(60_000, undefined, roll), wait(60_000, undefined, roll, "everything")];
    await time.advance(0);
    expect(plain()).toMatchObject({ isComplete: true, lagging: [] });
    expect(hard()).toMatchObject({ isComplete: false, lagging: [{ id: "b" }] });
  });

  test("is not asked for again once it has left", async () => {
    const { time, store, acknowledge, wait } = setUp();
    const roll = createRoll(time);
    await acknowledge("a", 3);
    await acknowledge("b", 2);
    roll.saw(await store.roster());
    await store.leave("b");
    const answer = wait(60_000, undefined, roll);
    await time.advance(0);
    expect(answer()).toMatchObject({ instances: 1, of: 1, isComplete: true, lagging: [] });
  });
});

describe("waitApplied", () => {
  test("answers at once when every live instance has the version or a later one", async () => {
    const { time, acknowledge, wait } = setUp();
    await acknowledge("a", 3);
    await acknowledge("b", 4);
    const answer = wait(2000);
    await time.advance(0);
    expect(answer()).toMatchObject({ instances: 2, of: 2 });
    expect(time.pending()).toBe(0);
  });

  test("waits for the last instance and answers within 20 ms of its acknowledgement", async () => {
    const { time, acknowledge, wait } = setUp();
    await acknowledge("a", 3);
    await acknowledge("b", 2);
    const answer = wait(2000);
    await time.advance(505);
    expect(answer()).toBeUndefined();
    await acknowledge("b", 3);
    await time.advance(20);
    expect(answer()).toMatchObject({ instances: 2, of: 2 });
  });

  test("gives up after waitMs with the counts of the last look", async () => {
    const { time, acknowledge, wait } = setUp();
    await acknowledge("a", 3);
    await acknowledge("b", 2);
    const answer = wait(500);
    await time.advance(499);
    expect(answer()).toBeUndefined();
    await time.advance(1);
    expect(answer()).toMatchObject({ instances: 1, of: 2 });
  });

  test("does not count an instance that does not have the cutover in its configuration", async () => {
    const { time, store, acknowledge, wait } = setUp();
    await store.acknowledge({ id: "a", startedAt: "", seenAt: "", versions: {}, traffic: {} });
    const none = wait(0);
    await time.advance(0);
    expect(none()).toMatchObject({ instances: 0, of: 0, isComplete: false });
    await acknowledge("b", 3);
    const answer = wait(0);
    await time.advance(0);
    expect(answer()).toMatchObject({ instances: 1, of: 1, lagging: [], isComplete: true });
  });

  test("no live instance is not success: it is looked for until waitMs", async () => {
    const { time, acknowledge, wait } = setUp();
    const answer = wait(500);
    await time.advance(100);
    expect(answer()).toBeUndefined();
    await acknowledge("a", 3);
    await time.advance(20);
    expect(answer()).toMatchObject({ instances: 1, of: 1 });
  });

  test("a store lost during the wait leaves what was known", async () => {
    const { time, store, acknowledge, wait } = setUp();
    await acknowledge("a", 3);
    await acknowledge("b", 2);
    const answer = wait(500);
    await time.advance(50);
    store.mood("fail");
    await time.advance(450);
    expect(answer()).toMatchObject({ instances: 1, of: 2 });
  });

  test("a store out of reach from the start gives 0 of 0", async () => {
    const { time, store, wait } = setUp();
    store.mood("fail");
    const answer = wait(500);
    await time.advance(500);
    expect(answer()).toMatchObject({ instances: 0, of: 0 });
  });

  test("a store that hangs delays the answer by no more than one look", async () => {
    const { time, store, wait } = setUp();
    store.mood("hang");
    const answer = wait(100);
    await time.advance(350);
    expect(answer()).toMatchObject({ instances: 0, of: 0 });
    expect(time.pending()).toBe(0);
  });

  test("nudges first, and waits neither for a nudge that hangs nor because of one that fails", async () => {
    const { time, store, acknowledge, wait } = setUp();
    const nudged = wait(500, () => acknowledge("a", 3));
    await time.advance(0);
    expect(nudged()).toMatchObject({ instances: 1, of: 1 });
    expect(store.calls).toEqual(["acknowledge", "roster"]);

    const failing = wait(500, () => Promise.reject(new Error("no")));
    await time.advance(0);
    expect(failing()).toMatchObject({ instances: 1, of: 1 });

    const hanging = wait(500, () => new Promise(() => {}));
    await time.advance(500);
    expect(hanging()).toMatchObject({ instances: 1, of: 1 });
  });

  test("--wait is waited under onStale: hold, too: one that was silent is heard of again in time", async () => {
    const { time, acknowledge, wait } = setUp();
    await acknowledge("silent", 2);
    await time.advance(3000);
    await acknowledge("a", 3);
    const answer = wait(2000);
    await time.advance(500);
    expect(answer()).toBeUndefined();
    await acknowledge("silent", 3);
    await time.advance(20);
    expect(answer()).toMatchObject({ instances: 2, of: 2, isComplete: true });
  });

  test("one that the store forgets meanwhile stays what cannot be known, and is waited for no longer", async () => {
    const { time, acknowledge, wait } = setUp();
    await acknowledge("silent", 2);
    await time.advance(20_000);
    await acknowledge("a", 3);
    const answer = wait(60_000);
    for (let second = 0; second < 14; second += 1) {
      await acknowledge("a", 3);
      await time.advance(1000);
    }
    expect(answer()).toMatchObject({ isComplete: false, instances: 1, of: 1, lagging: [{ id: "silent" }] });
    expect(time.pending()).toBe(0);
  });

  test("one that turns to legacy is waited for to the millisecond, if there is time for it", async () => {
    const { time, store, acknowledge, wait } = setUp();
    const stale = { afterMs: 5000, legacy: ["checkout"] };
    const record = { startedAt: "", seenAt: "", versions: { checkout: 2 }, traffic: {}, stale };
    await store.acknowledge({ id: "silent", ...record });
    await time.advance(4000);
    await acknowledge("a", 3);
    const hasty = wait(1000);
    await time.advance(1000);
    expect(hasty()).toMatchObject({ isComplete: false, completeByMs: epoch + 5006 });

    await acknowledge("a", 3);
    const patient = wait(60_000);
    await time.advance(6);
    expect(patient()).toBeUndefined();
    await time.advance(1);
    expect(patient()).toMatchObject({ isComplete: true, lagging: [{ id: "silent" }] });
    expect(time.pending()).toBe(0);
  });
});
