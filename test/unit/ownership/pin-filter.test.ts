import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import { createPinFilter } from "../../../src/ownership/pin-filter.ts";
import { type PinNews, pinDigest } from "../../../src/ownership/stores/port.ts";
import { createManualTime, epoch } from "../../support/manual-time.ts";

const maxTtl = 100;
const ann = "ann";
const bob = "bob";

function rig({ hears = true, bits = 2 ** 16 } = {}) {
  const time = createManualTime();
  const told: string[][] = [];
  const state = { isUp: true, completeFrom: 0, lists: 0 };
  let onPin: Parameters<PinNews["watch"]>[0] = () => {};
  let onHearing: Parameters<PinNews["watch"]>[1] = () => {};
  const news: PinNews = {
    async list(_, __, onPins) {
      state.lists += 1;
      await Promise.resolve();
      if (!state.isUp) throw new StoreUnavailable("off");
      for (const shoppers of told) onPins(shoppers.map(pinDigest));
      return state.completeFrom;
    },
    watch(pin, hearing) {
      [onPin, onHearing] = [pin, hearing];
      if (hears) hearing(true);
      return () => {};
    },
  };
  const filter = createPinFilter({ news, clock: time, timers: time, bits });
  filter.follow([{ name: "checkout", journey: { life: { maxTtl } } }]);
  const has = (shopper: string, keepsNone = false) => filter.mayHave("checkout", shopper, keepsNone);
  return {
    time,
    told,
    state,
    filter,
    has,
    tell: (shopper: string) => onPin("checkout", pinDigest(shopper)),
    hear: (hears: boolean) => onHearing(hears),
  };
}

test("nobody is absent before it is loaded, and then whoever was listed or told of is there", async () => {
  const { time, told, filter, has, tell } = rig();
  told.push([ann]);
  expect(has(bob)).toBeUndefined();
  await time.advance(0);
  expect([has(ann), has(bob)]).toEqual([true, false]);
  tell(bob);
  expect(has(bob)).toBe(true);
  const carl = "carl";
  filter.add("checkout", pinDigest(carl));
  expect(has(carl)).toBe(true);
  expect(filter.mayHave("wallet", "dora", false)).toBeUndefined();
});

test("nobody is absent while the news are not heard, nor until it is loaded again; what was made meanwhile is there", async () => {
  const { time, told, has, hear } = rig();
  await time.advance(0);
  expect(has(bob)).toBe(false);
  hear(false);
  expect(has(bob)).toBeUndefined();
  told.push([ann]);
  hear(true);
  expect(has(bob)).toBeUndefined();
  await time.advance(0);
  expect([has(ann), has(bob)]).toEqual([true, false]);
});

test("nobody is absent while the store is out of reach at the start; it is asked again each second", async () => {
  const { time, state, has } = rig();
  state.isUp = false;
  await time.advance(3500);
  expect(state.lists).toBe(4);
  expect(has(bob)).toBeUndefined();
  state.isUp = true;
  await time.advance(1000);
  expect(has(bob)).toBe(false);
});

test("a load that was overtaken by a loss of the news does not count", async () => {
  const { time, has, hear } = rig();
  hear(false);
  await time.advance(0);
  expect(has(bob)).toBeUndefined();
});

test("of clients without cookies nobody is absent while a release that told nobody may have begun their journey", async () => {
  const { time, state, has } = rig();
  state.completeFrom = epoch / 1000 + 60;
  await time.advance(59_000);
  expect([has(bob, true), has(bob, false)]).toEqual([undefined, false]);
  await time.advance(1000);
  expect(has(bob, true)).toBe(false);
});

test("it forgets pins that are over and no others, however many pass through, in the memory it has", async () => {
  const { time, filter, has } = rig({ bits: 2 ** 12 });
  await time.advance(0);
  for (let round = 0; round < 40; round++) {
    const shoppers = Array.from({ length: 100 }, (_, i) => `${round}-${i}`);
    for (const shopper of shoppers) filter.add("checkout", pinDigest(shopper));
    await time.advance(maxTtl * 500);
    expect(shoppers.filter((shopper) => !has(shopper))).toEqual([]);
    await time.advance(maxTtl * 500);
    expect(shoppers.filter((shopper) => !has(shopper))).toEqual([]);
  }
  // 4,000 pins have passed through 4,096 bits: had it kept them, it would rule nobody out.
  const others = Array.from({ length: 1000 }, (_, i) => `other-${i}`);
  expect(others.filter((shopper) => has(shopper)).length).toBeLessThan(500);
});
