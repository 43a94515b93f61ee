import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import type { JourneyPin } from "../../../../src/decide/pin.ts";
import { createUnderWayInProcess } from "../../../../src/ownership/under-way/in-process.ts";
import { createNotebook } from "../../../../src/ownership/under-way/notebook.ts";
import type { UnderWayNote, UnderWayStore } from "../../../../src/ownership/under-way/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";

function rig({ most = 100, refuses = 0 } = {}) {
  const time = createManualTime();
  const kept = createUnderWayInProcess(time);
  const handed: (readonly UnderWayNote[])[] = [];
  const state = { up: true };
  let lost = 0;
  const store: UnderWayStore = {
    async note(notes) {
      if (!state.up) throw new StoreUnavailable("off");
      handed.push(notes);
      await kept.note(notes);
      return refuses;
    },
    count: kept.count,
  };
  const onLost = (notes: number) => {
    lost += notes;
  };
  const notebook = createNotebook({ store, clock: time, timers: time, onLost, most });
  const pin = (id: string, change: Partial<JourneyPin> = {}): JourneyPin => {
    const startedAt = Math.floor(time.now() / 1000);
    return { id, side: "new", epoch: 0, startedAt, expiresAt: startedAt + 1800, ...change };
  };
  const counted = async (kind: UnderWayNote["kind"] = "journeys") => {
    const [counts] = await kept.count([{ kind, cutover: "checkout", epoch: 0 }]);
    return [counts?.legacy.count, counts?.new.count];
  };
  return { time, notebook, handed, state, pin, counted, lost: () => lost };
}

describe("the notebook", () => {
  test("hands over once a second, in one go, and the last word of each id alone", async () => {
    const { time, notebook, handed, pin, counted } = rig();
    notebook.seen("checkout", pin("a"), "start");
    notebook.seen("checkout", pin("b", { side: "legacy" }), "start");
    notebook.seen("checkout", pin("a"), "seen");
    await time.advance(999);
    expect(handed).toEqual([]);
    await time.advance(1);
    expect(handed.map((notes) => notes.map(({ id }) => id))).toEqual([["a", "b"]]);
    expect(await counted()).toEqual([1, 1]);
  });

  test("sets no timer while there is nothing to hand over", async () => {
    const { time, notebook, handed, pin } = rig();
    expect(time.pending()).toBe(0);
    notebook.seen("checkout", pin("a"), "start");
    await time.advance(5000);
    expect(handed).toHaveLength(1);
    expect(time.pending()).toBe(0);
  });

  test("counts no journey that began and ended within the second, whatever is seen of it afterwards", async () => {
    const { time, notebook, pin, counted } = rig();
    const begun = pin("a");
    notebook.seen("checkout", begun, "start");
    notebook.seen("checkout", begun, "end");
    const cut = { ...begun, startedAt: begun.startedAt - 14_000, expiresAt: begun.startedAt + 60 };
    await time.advance(200);
    notebook.seen("checkout", cut, "seen");
    await time.advance(2000);
    notebook.seen("checkout", cut, "seen");
    await time.advance(2000);
    expect(await counted()).toEqual([0, 0]);
    notebook.seen("checkout", pin("a"), "seen");
    await time.advance(1000);
    expect(await counted()).toEqual([0, 1]);
  });

  test("keeps what a store out of reach does not take, and what is noted meanwhile outranks it", async () => {
    const { time, notebook, handed, state, pin, counted, lost } = rig();
    state.up = false;
    const begun = pin("a");
    notebook.seen("checkout", begun, "start");
    notebook.seen("checkout", pin("b"), "start");
    await time.advance(5000);
    notebook.seen("checkout", begun, "end");
    await time.advance(5000);
    expect(handed).toEqual([]);
    state.up = true;
    await time.advance(1000);
    expect(handed).toHaveLength(1);
    expect(await counted()).toEqual([0, 1]);
    expect(lost()).toBe(0);
  });

  test("keeps no more than it may: the first noted are lost, and counted", async () => {
    const { time, notebook, handed, state, pin, lost } = rig({ most: 3 });
    state.up = false;
    for (const id of ["a", "b", "c", "a", "d", "e"]) notebook.seen("checkout", pin(id), "seen");
    await time.advance(3000);
    expect(lost()).toBe(2);
    state.up = true;
    await time.advance(1000);
    expect(handed.flat().map(({ id }) => id)).toEqual(["c", "d", "e"]);
  });

  test("counts what the store refuses for good, and does not offer it again", async () => {
    const { time, notebook, handed, pin, lost } = rig({ refuses: 1 });
    notebook.seen("checkout", pin("a"), "start");
    await time.advance(5000);
    expect(handed).toHaveLength(1);
    expect(lost()).toBe(1);
  });

  test("notes an order by a digest, from its making to its finish or its owner's end", async () => {
    const { time, notebook, handed, counted } = rig();
    notebook.learned("checkout", "SS-1", "legacy", 3_600_000);
    notebook.learned("checkout", "SS-2", "new", 3_600_000);
    await time.advance(1000);
    expect(await counted("orders")).toEqual([1, 1]);
    expect(JSON.stringify(handed)).not.toContain("SS-");
    notebook.finished("checkout", "SS-1");
    await time.advance(1000);
    expect(await counted("orders")).toEqual([0, 1]);
    await time.advance(3_600_000);
    expect(await counted("orders")).toEqual([0, 0]);
  });

  test("counts an order no more for good, also when the answer that finishes it is the first to name it here", async () => {
    const { time, notebook, counted } = rig();
    notebook.finished("checkout", "SS-1");
    await time.advance(3);
    notebook.learned("checkout", "SS-1", "legacy", 3_600_000);
    await time.advance(1000);
    notebook.learned("checkout", "SS-1", "legacy", 3_600_000);
    await time.advance(1000);
    expect(await counted("orders")).toEqual([0, 0]);
  });

  test("hands over at its close what is noted, and sets no further timer", async () => {
    const { time, notebook, pin, counted } = rig();
    notebook.seen("checkout", pin("a"), "start");
    await notebook.close();
    expect(await counted()).toEqual([0, 1]);
    expect(time.pending()).toBe(0);
  });

  test("ends although the store is out of reach", async () => {
    const { time, notebook, state, pin } = rig();
    state.up = false;
    notebook.seen("checkout", pin("a"), "start");
    await notebook.close();
    expect(time.pending()).toBe(0);
  });
});
