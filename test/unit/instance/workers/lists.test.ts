import { expect, test } from "vitest";
import { systemTimers } from "../../../../src/base/clock.ts";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { readConfig } from "../../../../src/config/load/load.ts";
import { answerOfLists, askingLists, isListQuestion } from "../../../../src/instance/workers/lists.ts";
import { fromWorker, toWorker } from "../../../../src/instance/workers/messages.ts";
import { createChanges } from "../../../../src/instance/workers/worker.ts";
import { changeList } from "../../../../src/lists/change.ts";
import { digestOf } from "../../../../src/lists/digest.ts";
import { createListKeeper } from "../../../../src/lists/keeper.ts";
import { createMemoryLists } from "../../../../src/lists/places/memory.ts";
import type { ListSource } from "../../../../src/lists/port.ts";
import { storePatience, waitForLists } from "../../../../src/lists/wait.ts";
import { createRequestCounts } from "../../../../src/telemetry/requests/counting.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";
import { until } from "../../../support/until.ts";

/** What a worker asks, as both sides check it on the channel. */
function overTheChannel(lists: Parameters<typeof answerOfLists>[0]): ListSource {
  return askingLists(async (question) => {
    const asked = fromWorker.parse(JSON.parse(JSON.stringify({ type: "ask", seq: 1, question })));
    if (asked.type !== "ask" || !isListQuestion(asked.question)) throw new Error("no question of lists");
    const reply = await answerOfLists(lists, asked.question);
    const told = toWorker.parse(JSON.parse(JSON.stringify({ type: "reply", seq: 1, reply })));
    if (told.type !== "reply") throw new Error("no reply");
    return told.reply;
  });
}

const here = (place: ListSource) => ({ ...place, hasTried: () => true });

test("a worker has the lists that its primary has loaded, and follows what is changed", async () => {
  const [time, log] = [createManualTime(), createRecordedLog()];
  const place = createMemoryLists(time);
  const primary = createListKeeper({ source: place, timers: time, clock: time, log });
  const worker = createListKeeper({ source: overTheChannel(primary), timers: time, clock: time, log });
  for (const keeper of [primary, worker]) keeper.follow(["staff", "sellers"]);
  const members = Array.from({ length: 300 }, (_, n) => `u-${n}`);
  const change = (add: readonly string[], remove: readonly string[]) =>
    changeList(place, "staff", {
      ...{ add: add.map(digestOf), remove: remove.map(digestOf) },
      ...{ by: "ana", reason: "r" },
    });
  await change(members, []);
  await worker.refresh();
  expect(worker.loaded("staff")).toBe(0);
  await primary.refresh();
  await worker.refresh();
  expect(members.filter((member) => !worker.has("staff", member))).toEqual([]);
  expect(worker.loaded("sellers")).toBe(0);
  await change(["u-300"], ["u-7"]);
  await primary.refresh();
  await worker.refresh();
  expect([worker.has("staff", "u-300"), worker.has("staff", "u-7")]).toEqual([true, false]);
  await Promise.all([primary.stop(), worker.stop()]);
});

test("a primary that does not answer takes nobody off a worker's lists", async () => {
  const [time, log] = [createManualTime(), createRecordedLog()];
  const place = createMemoryLists(time);
  let answers = true;
  const source = askingLists(async (question) => {
    if (!answers) throw new StoreUnavailable("no reply");
    return isListQuestion(question) ? answerOfLists(here(place), question) : { kind: "unavailable" };
  });
  const worker = createListKeeper({ source, timers: time, clock: time, log });
  worker.follow(["staff"]);
  await changeList(place, "staff", { add: [digestOf("u-1")], remove: [], by: "ana", reason: "r" });
  await worker.refresh();
  answers = false;
  await changeList(place, "staff", { add: [], remove: [digestOf("u-1")], by: "ana", reason: "r" });
  await worker.refresh();
  expect(worker.has("staff", "u-1")).toBe(true);
  answers = true;
  await worker.refresh();
  expect(worker.has("staff", "u-1")).toBe(false);
  await worker.stop();
});

test("a worker that starts while its primary is busy has its lists before it serves", async () => {
  const [time, log] = [createManualTime(), createRecordedLog()];
  const place = createMemoryLists(time);
  const members = Array.from({ length: 300 }, (_, n) => digestOf(`u-${n}`));
  await changeList(place, "staff", { add: members, remove: [], by: "ana", reason: "r" });
  let asked = 0;
  const source = askingLists(async (question, withinMs) => {
    asked += 1;
    // No request waits for it.
    expect(withinMs).toBeGreaterThan(1000);
    // Silent at first, and then late with every hundredth part.
    if (asked < 3 || asked % 100 === 0) throw new StoreUnavailable("no answer within 250 ms");
    return isListQuestion(question) ? answerOfLists(here(place), question) : { kind: "unavailable" };
  });
  const worker = createListKeeper({ source, timers: time, clock: time, log });
  worker.follow(["staff"]);
  await waitForLists(worker, systemTimers, { forMs: 10_000, isNear: true });
  expect(worker.loaded("staff")).toBe(300);
  await worker.stop();
});

test("a primary that has not loaded its lists itself does not tell that nobody is on them", async () => {
  const [time, log] = [createManualTime(), createRecordedLog()];
  const place = createMemoryLists(time);
  await changeList(place, "staff", { add: [digestOf("u-1")], remove: [], by: "ana", reason: "r" });
  const primary = createListKeeper({ source: place, timers: time, clock: time, log });
  const worker = createListKeeper({ source: overTheChannel(primary), timers: time, clock: time, log });
  for (const keeper of [primary, worker]) keeper.follow(["staff"]);
  const served = waitForLists(worker, time, { forMs: 10_000, isNear: true }).then(() =>
    worker.loaded("staff"),
  );
  await time.advance(100);
  await primary.refresh();
  await time.advance(100);
  expect(await served).toBe(1);
  await Promise.all([primary.stop(), worker.stop()]);
});

test("a store that is away is not waited for, and one that answers is, for some seconds", async () => {
  const [time, log] = [createManualTime(), createRecordedLog()];
  const place = createMemoryLists(time);
  await changeList(place, "staff", { add: [digestOf("u-1")], remove: [], by: "ana", reason: "r" });
  let isAway = true;
  const source: ListSource = {
    ...place,
    async stamps(names) {
      if (isAway) throw new StoreUnavailable("away");
      return place.stamps(names);
    },
    async part() {
      throw new StoreUnavailable("late");
    },
  };
  const keeper = createListKeeper({ source, timers: time, clock: time, log });
  keeper.follow(["staff"]);
  await waitForLists(keeper, time, storePatience);
  isAway = false;
  let isOver = false;
  void waitForLists(keeper, time, storePatience).then(() => {
    isOver = true;
  });
  await time.advance(9000);
  expect(isOver).toBe(false);
  await time.advance(1000);
  await until("the wait's end", () => isOver);
  await keeper.stop();
});

const yaml = (lists: string) => `
store: "memory:"
upstreams: { old: { url: "http://127.0.0.1:1" }, fresh: { url: "http://127.0.0.1:2" } }
default: old
lists: { ${lists} }
cutovers:
  checkout:
    { legacy: old, new: fresh, shopper: ["header:x-a"], routes: [{ name: cart, path: /cart }] }
`;

test("until a worker goes by another configuration, and where it never does, the lists of the one before hold", async () => {
  const loaded = readConfig(Buffer.from(yaml("staff: {}")), "c.yaml", {});
  if (!loaded.ok) throw new Error("no configuration");
  const followed: string[] = [];
  const sent: string[] = [];
  const change = createChanges(
    { send: async ({ type }) => void sent.push(type) },
    { prepare: () => ({ commit() {}, discard() {} }) },
    { count: () => createRequestCounts(() => undefined).count([], []) },
    {
      config: loaded.config,
      goBy() {},
      lists: {
        follow: (names) => void followed.push(names.join()),
        refresh: async () => "loaded",
      },
    },
  );
  const source = { file: "c.yaml", text: yaml("sellers: {}") };
  for (const end of ["discard", "commit"] as const) {
    change({ type: "prepare", source });
    await until("it to be prepared", () => sent.length > 0);
    change({ type: end });
    sent.length = 0;
  }
  expect(followed).toEqual(["staff,sellers", "staff", "staff,sellers", "sellers"]);
});
