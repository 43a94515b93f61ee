/** The money at risk as a process goes by it, over a store that the test plays. */
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { createExposure } from "../../../../src/ownership/exposure/exposure.ts";
import { createExposureInProcess } from "../../../../src/ownership/exposure/in-process.ts";
import type { ExposureNote, ExposureStore } from "../../../../src/ownership/exposure/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";

const limits = new Map([["checkout", { maxOpenAmount: 1000, forMs: 3_600_000 }]]);

function create() {
  const time = createManualTime();
  const inner = createExposureInProcess(time);
  const asked: (readonly ExposureNote[])[] = [];
  let isAway = false;
  const store: ExposureStore = {
    async note(cutover, notes, of) {
      if (isAway) throw new StoreUnavailable("away");
      asked.push(notes);
      return inner.note(cutover, notes, of);
    },
  };
  const open = () => createExposure({ exposure: store, clock: time, timers: time });
  return {
    time,
    asked,
    open,
    goAway: (away: boolean) => {
      isAway = away;
    },
  };
}

test("where no cutover has a cap nothing is asked, nothing runs and nothing is over", async () => {
  const { time, asked, open } = create();
  const exposure = open();
  await exposure.follow(new Map());
  exposure.opened("checkout", "X-1", 5000);
  await time.advance(10_000);
  expect(asked).toEqual([]);
  expect(exposure.isOver("checkout")).toBe(false);
  expect(exposure.standing("checkout")).toBeUndefined();
});

test("the very order that goes over the cap ends new journeys here, another process hears of it within a second", async () => {
  const { time, open } = create();
  const [one, other] = [open(), open()];
  await Promise.all([one.follow(limits), other.follow(limits)]);
  one.opened("checkout", "X-1", 1000);
  expect(one.isOver("checkout")).toBe(false);
  one.opened("checkout", "X-2", 1);
  one.opened("checkout", "X-2", 1);
  expect(one.isOver("checkout")).toBe(true);
  expect(one.standing("checkout")).toEqual({
    openAmount: 1001,
    maxOpenAmount: 1000,
    reopensAt: 800,
    isOver: true,
  });
  expect(other.isOver("checkout")).toBe(false);
  await time.advance(1000);
  await time.advance(1000);
  expect(other.isOver("checkout")).toBe(true);
  other.closed("checkout", "X-1");
  await time.advance(1000);
  await time.advance(1000);
  expect([one, other].map((each) => each.isOver("checkout"))).toEqual([false, false]);
  expect(one.standing("checkout")?.openAmount).toBe(1);
});

test("one that begins anew goes by the sum of the fleet before it is open", async () => {
  const { time, open } = create();
  const before = open();
  await before.follow(limits);
  before.opened("checkout", "X-1", 1001);
  await before.close();
  await time.advance(1);
  const after = open();
  await after.follow(limits);
  expect(after.isOver("checkout")).toBe(true);
});

test("while the store is away the last word stays, with what is opened here, and all of it is noted once it is back", async () => {
  const { time, asked, open, goAway } = create();
  const exposure = open();
  await exposure.follow(limits);
  exposure.opened("checkout", "X-1", 900);
  await time.advance(1000);
  goAway(true);
  exposure.opened("checkout", "X-2", 99);
  await time.advance(5000);
  expect(exposure.isOver("checkout")).toBe(false);
  exposure.opened("checkout", "X-3", 50);
  exposure.closed("checkout", "X-2");
  expect(exposure.standing("checkout")?.openAmount).toBe(950);
  await time.advance(5000);
  goAway(false);
  await time.advance(1000);
  expect(asked.at(-1)).toMatchObject([{ agoMs: expect.any(Number) }, { amount: 50 }]);
  expect(exposure.standing("checkout")).toMatchObject({ openAmount: 950, isOver: false });
});

test("a cap that is lowered counts at once, and one that goes leaves nothing over", async () => {
  const { time, open } = create();
  const exposure = open();
  await exposure.follow(limits);
  exposure.opened("checkout", "X-1", 500);
  await time.advance(1000);
  await exposure.follow(new Map([["checkout", { maxOpenAmount: 499, forMs: 1000 }]]));
  expect(exposure.isOver("checkout")).toBe(true);
  await exposure.follow(new Map());
  expect(exposure.isOver("checkout")).toBe(false);
});
