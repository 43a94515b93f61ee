import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { createDoubt, createDoubts, recoveryMs } from "../../../src/ownership/doubt.ts";
import { createManualTime } from "../../support/manual-time.ts";

const unanswered = new StoreUnavailable("no answer");
const refused = new StoreUnavailable("Redis answered OOM", { word: "OOM" });
const doubtMs = 30_000;

function rig(isDoubtful = () => false) {
  const time = createManualTime();
  const told: number[] = [];
  const doubt = createDoubt({
    isDoubtful,
    doubtMs,
    clock: time,
    tellDoubt: async (forMs) => void told.push(forMs),
  });
  return { time, told, doubt };
}

describe("absence is doubted", () => {
  test.each([
    ["a call that was not answered: as long as others take to hand in", unanswered, recoveryMs],
    ["a write that was refused: until writes have been taken for long", refused, doubtMs],
  ])("after %s", async (_, error, forMs) => {
    const { time, doubt } = rig();
    expect(doubt.isNow()).toBe(false);
    doubt.begin(error, false);
    await time.advance(forMs - 1);
    expect(doubt.isNow()).toBe(true);
    await time.advance(1);
    expect(doubt.isNow()).toBe(false);
  });

  test("for as long as another process says, and no longer than one's own writes would be", async () => {
    const { time, doubt } = rig();
    doubt.hear(1000);
    await time.advance(999);
    expect(doubt.isNow()).toBe(true);
    await time.advance(1);
    expect(doubt.isNow()).toBe(false);
    doubt.hear(1e9);
    await time.advance(doubtMs);
    expect(doubt.isNow()).toBe(false);
  });

  test("while the instance's own record is not taken", () => {
    let isDoubtful = true;
    const { doubt } = rig(() => isDoubtful);
    expect(doubt.isNow()).toBe(true);
    isDoubtful = false;
    expect(doubt.isNow()).toBe(false);
  });
});

describe("whoever could not record a key", () => {
  test("tells every instance so, for as long as it will doubt itself; again while it goes on, not each time", async () => {
    const { time, doubt, told } = rig();
    doubt.begin(refused, true);
    doubt.begin(refused, true);
    expect(told).toEqual([doubtMs]);
    await time.advance(500);
    doubt.begin(unanswered, true);
    expect(told).toEqual([doubtMs, recoveryMs]);
  });

  test("and has only asked tells nobody", () => {
    const { doubt, told } = rig();
    doubt.begin(refused, false);
    expect(told).toEqual([]);
  });

  test("goes on where nobody can be told", () => {
    const time = createManualTime();
    const doubt = createDoubt({ clock: time, tellDoubt: () => Promise.reject(unanswered) });
    doubt.begin(unanswered, true);
    expect(doubt.isNow()).toBe(true);
  });
});

test("what is doubted of one store is not doubted of another, whichever cutover it was found out by", async () => {
  const clock = createManualTime();
  const told: string[] = [];
  const tellDoubt = (name: string) => async () => void told.push(name);
  let isUnwritten = false;
  const own = { tellDoubt: tellDoubt("own"), isDoubtful: () => isUnwritten };
  const placeOf = (cutover: string) => (cutover === "main" ? undefined : own);
  const doubts = createDoubts({ clock, doubtMs, placeOf, tellDoubt: tellDoubt("main") });
  const doubted = () => ["main", "a", "b"].filter((cutover) => doubts.of(cutover).isNow());

  doubts.of("a").begin(refused, true);
  expect(doubted()).toEqual(["a", "b"]);
  await clock.advance(doubtMs);
  doubts.of("main").begin(unanswered, true);
  expect(doubted()).toEqual(["main"]);
  expect(told).toEqual(["own", "main"]);
  await clock.advance(recoveryMs);
  doubts.hear(1000, own);
  expect(doubted()).toEqual(["a", "b"]);
  await clock.advance(1000);
  doubts.hear(1000);
  expect(doubted()).toEqual(["main"]);
  await clock.advance(1000);
  isUnwritten = true;
  expect(doubted()).toEqual(["a", "b"]);
});
