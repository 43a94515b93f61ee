/** What a worker notes of an embedded store reaches the primary as it was said, over the channel between them. */
import { expect, it } from "vitest";
import { StoreUnavailable } from "../../../../src/base/unavailable.ts";
import { fromWorker, toWorker } from "../../../../src/instance/workers/messages.ts";
import { answerFrom, askingStores } from "../../../../src/instance/workers/ownership.ts";
import { createMemoryStores } from "../../../../src/ownership/stores/in-process.ts";
import { createOpenInProcess } from "../../../../src/ownership/under-way/in-process.ts";
import type { Holding, OpenNote } from "../../../../src/ownership/under-way/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";

it("notes in the primary what workers have seen, each journey once", async () => {
  const time = createManualTime();
  const primary: Holding = { ...createMemoryStores(time), open: createOpenInProcess(time) };
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
  const note = (id: string): OpenNote => ({
    ...question,
    id,
    atMs: time.now(),
    open: { side: "new", startedAt, expiresAt: startedAt + 60 },
  });
  expect(await one.open.note([note("a"), note("b")])).toBe(0);
  await time.advance(1000);
  await other.open.note([note("a"), { ...question, id: "b", atMs: time.now() }]);
  const [counts] = await primary.open.count([question]);
  expect(counts?.new).toEqual({ open: 1, atLeast: false, oldestStartedAt: startedAt });
});

it("keeps its notes while the primary does not answer", async () => {
  const silent = askingStores(async () => {
    throw new StoreUnavailable("no reply");
  }, createManualTime());
  await expect(silent.open.note([])).rejects.toThrow(StoreUnavailable);
});
