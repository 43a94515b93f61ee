import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import type { JourneyPin } from "../../../src/decide/pin.ts";
import { createPins } from "../../../src/ownership/pins.ts";
import type { Pins } from "../../../src/ownership/port.ts";
import { createMemoryStores } from "../../../src/ownership/stores/in-process.ts";
import type { OwnershipStores } from "../../../src/ownership/stores/port.ts";
import { createManualTime, epoch } from "../../support/manual-time.ts";

const maxTtl = 14_400;

function rig() {
  const time = createManualTime();
  const stores = createMemoryStores(time);
  const state = { up: true, finds: 0, unknown: 0 };
  const reach = () => {
    if (!state.up) throw new StoreUnavailable("off");
  };
  const pins = createPins({
    clock: time,
    onUnknown: () => {
      state.unknown += 1;
    },
    pins: {
      async find(...args) {
        state.finds += 1;
        reach();
        return stores.pins.find(...args);
      },
      async reserve(...args) {
        reach();
        return stores.pins.reserve(...args);
      },
      async release(...args) {
        reach();
        return stores.pins.release(...args);
      },
      async start(...args) {
        reach();
        return stores.pins.start(...args);
      },
      async keep(...args) {
        reach();
        return stores.pins.keep(...args);
      },
      async tie(...args) {
        reach();
        return stores.pins.tie(...args);
      },
      async end(...args) {
        reach();
        return stores.pins.end(...args);
      },
    },
  });
  const offer = (id: string, more: Partial<JourneyPin> = {}): JourneyPin => {
    const startedAt = Math.floor(time.now() / 1000);
    return { id: id.repeat(12), side: "new", epoch: 0, startedAt, expiresAt: startedAt + maxTtl, ...more };
  };
  const start = (pin: JourneyPin) => pins.start("checkout", "s", pin, maxTtl);
  const find = async () => pins.find("checkout", "s", maxTtl, { keepsNone: false, differs: () => true });
  return { time, state, stores, pins, offer, start, find };
}

describe("the journey of a shopper without cookies", () => {
  test("is remembered where it began, for half the grace, and then asked for again", async () => {
    const { time, state, offer, start, find } = rig();
    const pin = await start(offer("a"));
    expect(await find()).toEqual(pin);
    expect(state.finds).toBe(0);
    await time.advance(30_000);
    expect(await find()).toEqual(pin);
    expect(await find()).toEqual(pin);
    expect(state.finds).toBe(1);
  });

  test("is found where another instance began it: that there is none is never remembered", async () => {
    const { stores, offer, find } = rig();
    expect(await find()).toBeUndefined();
    const pin = await stores.pins.start("checkout", "s", offer("a"), maxTtl);
    expect(await find()).toEqual(pin);
  });

  test("is over at its maximum, remembered or not", async () => {
    const { time, offer, start, find } = rig();
    await start(offer("a", { startedAt: epoch / 1000 - maxTtl + 10, expiresAt: epoch / 1000 + 10 }));
    expect(await find()).toBeDefined();
    await time.advance(10_000);
    expect(await find()).toBeUndefined();
  });

  test("is forgotten soon after another instance has ended it", async () => {
    const { time, stores, offer, start, find } = rig();
    await start(offer("a"));
    await stores.pins.end("checkout", "s", 60, maxTtl);
    await time.advance(60_000);
    expect(await find()).toBeUndefined();
  });

  test("is unknown, counted, while the store is out of reach; an old memory is then better than none", async () => {
    const { time, state, offer, start, find } = rig();
    state.up = false;
    expect(await find()).toBeUndefined();
    expect(state.unknown).toBe(1);
    state.up = true;
    const pin = await start(offer("a"));
    await time.advance(60_000);
    state.up = false;
    expect(await find()).toEqual(pin);
    expect(state.unknown).toBe(2);
  });

  test("begins here even when the store does not hear of it", async () => {
    const { time, state, offer, start, find } = rig();
    state.up = false;
    const pin = await start(offer("a"));
    await time.advance(1000);
    expect(await start(offer("b", { side: "legacy" }))).toEqual(pin);
    expect(await find()).toEqual(pin);
    // After a hard rollback what is remembered of new counts no more.
    const after = offer("c", { side: "legacy", epoch: 1 });
    expect(await start(after)).toEqual(after);
  });

  test("that ends while the store is out of reach is nothing to fail on", async () => {
    const { state, pins, offer, start } = rig();
    await start(offer("a"));
    state.up = false;
    expect(await pins.end("checkout", "s", 60, maxTtl)).toBeUndefined();
    expect(state.unknown).toBe(1);
  });
});

describe("a journey that is over elsewhere", () => {
  /** Two processes on one store, and what they hear of each other. */
  function two() {
    const time = createManualTime();
    const stores = createMemoryStores(time);
    const heard: NonNullable<Parameters<NonNullable<OwnershipStores["watch"]>>[1]>[] = [];
    const state = { up: true };
    const reached = <T>(work: () => Promise<T>) =>
      state.up ? work() : Promise.reject(new StoreUnavailable("off"));
    const open = () =>
      createPins({
        clock: time,
        onUnknown: () => undefined,
        pins: {
          ...stores.pins,
          find: (...args) => reached(() => stores.pins.find(...args)),
          reserve: (...args) => reached(() => stores.pins.reserve(...args)),
        },
        watch: (_, news) => {
          if (news !== undefined) heard.push(news);
          return () => undefined;
        },
      });
    const offer = (id: string, side: JourneyPin["side"]): JourneyPin => {
      const startedAt = Math.floor(time.now() / 1000);
      return { id: id.repeat(12), side, epoch: 0, startedAt, expiresAt: startedAt + maxTtl };
    };
    const find = async (pins: Pins) =>
      pins.find("checkout", "s", maxTtl, { keepsNone: false, differs: () => true });
    return { state, heard, one: open(), other: open(), offer, find };
  }

  test("is asked for again as soon as that is heard: a start within the grace begins a new one everywhere", async () => {
    const { heard, one, other, offer, find } = two();
    await one.start("checkout", "s", offer("a", "legacy"), maxTtl);
    expect(await find(other)).toMatchObject({ side: "legacy" });
    const ended = await one.end("checkout", "s", 60, maxTtl);
    for (const news of heard) news.over?.("checkout", ended?.id ?? "");
    expect(await find(other)).toMatchObject({ side: "legacy", ended: true });
    await one.start("checkout", "s", offer("b", "new"), maxTtl);
    expect(await find(other)).toMatchObject({ side: "new" });
    expect(await find(one)).toMatchObject({ side: "new" });
  });

  test("is asked for again, too, once something may not have been heard", async () => {
    const { heard, one, other, offer, find } = two();
    await one.start("checkout", "s", offer("a", "legacy"), maxTtl);
    await find(other);
    await one.end("checkout", "s", 60, maxTtl);
    await one.start("checkout", "s", offer("b", "new"), maxTtl);
    expect(await find(other)).toMatchObject({ side: "legacy" });
    for (const news of heard) news.missed?.();
    expect(await find(other)).toMatchObject({ side: "new" });
  });

  test("keeps its side while the store is out of reach, but a start begins a new one", async () => {
    const { state, heard, one, other, offer, find } = two();
    const pin = await one.start("checkout", "s", offer("a", "legacy"), maxTtl);
    await find(other);
    for (const news of heard) news.over?.("checkout", pin.id);
    state.up = false;
    expect(await find(other)).toMatchObject({ side: "legacy" });
    const next = offer("b", "new");
    expect(await other.reserve("checkout", "s", next, maxTtl, 60)).toEqual(next);
  });
});
