import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { answerOfLists, askingLists, isListQuestion } from "../../../../src/instance/workers/lists.ts";
import { fromWorker, toWorker } from "../../../../src/instance/workers/messages.ts";
import { changeList } from "../../../../src/lists/change.ts";
import { digestOf } from "../../../../src/lists/digest.ts";
import { createListKeeper } from "../../../../src/lists/keeper.ts";
import { createMemoryLists } from "../../../../src/lists/places/memory.ts";
import type { ListSource } from "../../../../src/lists/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

/** What a worker asks, as both sides check it on the channel. */
function overTheChannel(lists: ListSource): ListSource {
  return askingLists(async (question) => {
    const asked = fromWorker.parse(JSON.parse(JSON.stringify({ type: "ask", seq: 1, question })));
    if (asked.type !== "ask" || !isListQuestion(asked.question)) throw new Error("no question of lists");
    const reply = await answerOfLists(lists, asked.question);
    const told = toWorker.parse(JSON.parse(JSON.stringify({ type: "reply", seq: 1, reply })));
    if (told.type !== "reply") throw new Error("no reply");
    return told.reply;
  });
}

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
    return isListQuestion(question) ? answerOfLists(place, question) : { kind: "unavailable" };
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
