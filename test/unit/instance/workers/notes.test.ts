/** What a worker notes of an embedded store reaches the primary as it was said, over the channel between them. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { fromWorker, toWorker } from "../../../../src/instance/workers/messages.ts";
import { answerFrom, askingStores } from "../../../../src/instance/workers/ownership.ts";
import { keyDigest } from "../../../../src/ownership/past/port.ts";
import { createMemoryStores } from "../../../../src/ownership/stores/in-process.ts";
import type { OwnershipStores } from "../../../../src/ownership/stores/port.ts";
import type { UnderWayNote } from "../../../../src/ownership/under-way/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";

test("the primary notes what workers have seen, each journey once", async () => {
  const time = createManualTime();
  const primary: OwnershipStores = createMemoryStores(time);
  const worker = () =>
    askingStores(async (question) => {
      const heard = fromWorker.parse(JSON.parse(JSON.stringify({ type: "ask", seq: 1, question })));
      if (heard.type !== "ask") throw new Error("not a question");
      const reply = await answerFrom(primary, heard.question);
      const told = toWorker.parse(JSON.parse(JSON.stringify({ type: "reply", seq: 1, reply })));
      if (told.type !== "reply") throw new Error("not a reply");
      return told.reply;
    }, time);
  const [one, other] = [worker(), worker()];
  const startedAt = Math.floor(time.now() / 1000);
  const question = { kind: "journeys", cutover: "checkout", epoch: 0 } as const;
  const note = (id: string): UnderWayNote => ({
    ...question,
    id,
    atMs: time.now(),
    underWay: { side: "new", startedAt, expiresAt: startedAt + 60 },
  });
  expect(await one.underWay.note([note("a"), note("b")])).toBe(0);
  await time.advance(1000);
  await other.underWay.note([note("a"), { ...question, id: "b", atMs: time.now() }]);
  const [counts] = await primary.underWay.count([question]);
  expect(counts?.new).toMatchObject({ count: 1, atLeast: false, oldestStartedAt: startedAt });
});

test("the primary has in doubt what its workers have noted", async () => {
  const time = createManualTime();
  const primary = createMemoryStores(time);
  const worker = askingStores(async (question) => {
    const heard = fromWorker.parse(JSON.parse(JSON.stringify({ type: "ask", seq: 1, question })));
    if (heard.type !== "ask") throw new Error("not a question");
    const reply = await answerFrom(primary, heard.question);
    const told = toWorker.parse(JSON.parse(JSON.stringify({ type: "reply", seq: 1, reply })));
    if (told.type !== "reply") throw new Error("not a reply");
    return told.reply;
  }, time);
  const digest = keyDigest("K");
  const decision = { atMs: 5, side: "new", reason: "bucket", version: 4, route: "pay" } as const;
  const doubt = { side: "new", others: [], sentAtMs: 5, sinceMs: 6, route: "pay", outcome: "reset" } as const;
  const notes = {
    keys: [{ cutover: "checkout", digest, ttlMs: 60_000, decisions: [decision], answered: {} }],
    doubts: [{ cutover: "checkout", digest, ...doubt }],
  };
  expect(await worker.past.note(notes)).toBe(0);
  expect(await primary.past.inDoubt("checkout", 10)).toMatchObject([{ digest, outcome: "reset" }]);
  expect((await primary.past.of("checkout", digest))?.decisions).toEqual([decision]);
  // People ask the primary.
  await expect(worker.past.inDoubt("checkout", 10)).rejects.toThrow(StoreUnavailable);
});

test("a worker keeps its notes while the primary does not answer", async () => {
  const silent = askingStores(async () => {
    throw new StoreUnavailable("no reply");
  }, createManualTime());
  await expect(silent.underWay.note([])).rejects.toThrow(StoreUnavailable);
  await expect(silent.past.note({ keys: [], doubts: [] })).rejects.toThrow(StoreUnavailable);
});
