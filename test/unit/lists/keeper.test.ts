import { Registry } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { changeList } from "../../../src/lists/change.ts";
import { digestOf } from "../../../src/lists/digest.ts";
import { createListKeeper, type ListKeeper } from "../../../src/lists/keeper.ts";
import { addListMetrics } from "../../../src/lists/metrics.ts";
import { createMemoryLists } from "../../../src/lists/places/memory.ts";
import type { ListSource } from "../../../src/lists/port.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";

const by = { by: "ana", reason: "r" };
let keeper: ListKeeper | undefined;
afterEach(() => keeper?.stop());

async function fixture(over: (place: ListSource) => Partial<ListSource> = () => ({})) {
  const time = createManualTime();
  const place = createMemoryLists(time);
  const log = createRecordedLog();
  keeper = createListKeeper({ source: { ...place, ...over(place) }, timers: time, clock: time, log });
  keeper.follow(["staff"]);
  const add = (...members: string[]) =>
    changeList(place, "staff", { add: members.map(digestOf), remove: [], ...by });
  return { keeper, place, add, log, time };
}

describe("the lists of a process", () => {
  test("a list that is lost while it is loaded takes nobody off: its parts are not believed to be empty", async () => {
    let isLost = false;
    const lost = (place: ListSource): Partial<ListSource> => ({
      parts: async (name) => (isLost ? (await place.parts(name)).map(() => 0) : place.parts(name)),
    });
    const { keeper, add } = await fixture(lost);
    await add("u-1");
    await keeper.refresh();
    await add("u-2");
    isLost = true;
    await keeper.refresh();
    expect(keeper.has("staff", "u-1")).toBe(true);
    isLost = false;
    await keeper.refresh();
    expect(keeper.has("staff", "u-2")).toBe(true);
  });

  test("a part that is lost between two questions is not believed to be empty, either", async () => {
    let isLost = false;
    const lost = (place: ListSource): Partial<ListSource> => ({
      part: async (name, at) => (isLost ? { stamp: 0, bytes: Buffer.alloc(0) } : place.part(name, at)),
    });
    const { keeper, add } = await fixture(lost);
    await add("u-1");
    await keeper.refresh();
    isLost = true;
    await add("u-1", "u-2", "u-3");
    await keeper.refresh();
    expect(keeper.has("staff", "u-1")).toBe(true);
  });

  test("one list that does not read keeps no other from being loaded", async () => {
    const broken = (place: ListSource): Partial<ListSource> => ({
      part: async (name, at) =>
        name === "staff" ? { stamp: 5, bytes: Buffer.from("00", "hex") } : place.part(name, at),
    });
    const { keeper, place, add, log } = await fixture(broken);
    keeper.follow(["staff", "sellers"]);
    await add("u-1");
    await changeList(place, "sellers", { add: [digestOf("s-1")], remove: [], ...by });
    await keeper.refresh();
    expect(keeper.has("sellers", "s-1")).toBe(true);
    expect(keeper.has("staff", "u-1")).toBe(false);
    expect(JSON.stringify(log)).not.toContain("u-1");
  });

  test("a request is answered while a list is being loaded, by what is loaded so far", async () => {
    const steps: (() => void)[] = [];
    const slow = (place: ListSource): Partial<ListSource> => ({
      part: async (name, at) => {
        await new Promise<void>((resolve) => steps.push(resolve));
        return place.part(name, at);
      },
    });
    const { keeper, add } = await fixture(slow);
    const members = Array.from({ length: 50 }, (_, n) => `u-${n}`);
    await add(...members);
    const loading = keeper.refresh();
    let seen = 0;
    let isOver = false;
    void loading.then(() => {
      isOver = true;
    });
    while (!isOver) {
      steps.shift()?.();
      const found = members.filter((member) => keeper.has("staff", member)).length;
      expect(found).toBeGreaterThanOrEqual(seen);
      seen = found;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(members.every((member) => keeper.has("staff", member))).toBe(true);
  });
});

describe("what is told of lists", () => {
  test("a list that nobody ever changed stands there from the start, as does one that is followed later", async () => {
    const { keeper } = await fixture();
    const none = { members: 0, ageMs: 0, failures: 0 };
    expect(keeper.standings()).toEqual([{ name: "staff", ...none }]);
    keeper.follow(["sellers"]);
    expect(keeper.standings()).toEqual([{ name: "sellers", ...none }]);
  });

  test("while the source is away a list grows older and its members stay; each question that fails is counted", async () => {
    let isAway = false;
    const away = (place: ListSource): Partial<ListSource> => ({
      stamps: (names) => (isAway ? Promise.reject(new Error("away")) : place.stamps(names)),
    });
    const { keeper, add, time } = await fixture(away);
    await add("u-1", "u-2");
    await keeper.refresh();
    isAway = true;
    await time.advance(7000);
    const [staff] = keeper.standings();
    expect(staff).toMatchObject({ members: 2, failures: 10 });
    expect(staff?.ageMs).toBeGreaterThanOrEqual(6300);
    isAway = false;
    await keeper.refresh();
    expect(keeper.standings()).toEqual([{ name: "staff", members: 2, ageMs: 0, failures: 10 }]);
  });

  test("a list that the source has lost grows older, too", async () => {
    let isLost = false;
    const lost = (place: ListSource): Partial<ListSource> => ({
      stamps: async (names) => (isLost ? names.map(() => 0) : place.stamps(names)),
    });
    const { keeper, add, time } = await fixture(lost);
    await add("u-1");
    await keeper.refresh();
    isLost = true;
    await time.advance(700);
    expect(keeper.standings()).toEqual([{ name: "staff", members: 1, ageMs: 700, failures: 1 }]);
  });

  test("metrics have the lists that are followed, each from the start, and no others", async () => {
    const { keeper, add } = await fixture();
    const registry = new Registry();
    addListMetrics(registry, keeper);
    const series = async () => (await registry.metrics()).match(/^cutover_list.*$/gm);
    expect(await series()).toEqual([
      'cutover_list_members{list="staff"} 0',
      'cutover_list_age_seconds{list="staff"} 0',
      'cutover_list_load_failures_total{list="staff"} 0',
    ]);
    await add("u-1");
    await keeper.refresh();
    expect(await series()).toContain('cutover_list_members{list="staff"} 1');
    keeper.follow([]);
    expect(await series()).toBeNull();
  });
});
