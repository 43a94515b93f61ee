import { expect, test } from "vitest";
import { createPinFilter } from "../../../src/ownership/pin-filter.ts";
import { routedStores } from "../../../src/ownership/routed-stores.ts";
import { createMemoryStores } from "../../../src/ownership/stores/in-process.ts";
import type { OwnershipStores, PinNews } from "../../../src/ownership/stores/port.ts";
import { createManualTime } from "../../support/manual-time.ts";

const maxTtl = 100;

/** Stores in memory, whose pins are heard of or not. */
function storesOf(time: ReturnType<typeof createManualTime>) {
  const stores = createMemoryStores(time);
  let hear: Parameters<PinNews["watch"]>[1] = () => {};
  const pinNews: PinNews = {
    list: stores.pinNews.list,
    watch(onPin, onHearing) {
      hear = onHearing;
      return stores.pinNews.watch(onPin, () => undefined);
    },
  };
  return { stores: { ...stores, pinNews } satisfies OwnershipStores, hear: (hears: boolean) => hear(hears) };
}

function rig() {
  const time = createManualTime();
  const [main, own] = [storesOf(time), storesOf(time)];
  const routed = routedStores({
    main: main.stores,
    own: [own.stores],
    placeOf: (cutover) => (cutover === "checkout" ? own.stores : undefined),
  });
  const filter = createPinFilter({ news: routed.pinNews, clock: time, timers: time, bits: 2 ** 16 });
  filter.follow(["checkout", "pay"].map((name) => ({ name, journey: { life: { maxTtl } } })));
  const startedAt = Math.floor(time.now() / 1000);
  const pin = {
    id: "abcdefghijkl",
    side: "new",
    epoch: 0,
    startedAt,
    expiresAt: startedAt + maxTtl,
  } as const;
  return {
    time,
    main,
    own,
    routed,
    begin: (stores: OwnershipStores, cutover: string, shopper: string) =>
      stores.pins.start(cutover, shopper, pin, maxTtl),
    has: (cutover: string, shopper: string) => filter.mayHave(cutover, shopper, false),
    pin,
  };
}

test("pins are found where their cutover's owners are: those there were, and those that are made", async () => {
  const { time, main, own, begin, has } = rig();
  await begin(own.stores, "checkout", "ann");
  await begin(main.stores, "pay", "bob");
  main.hear(true);
  own.hear(true);
  await time.advance(0);
  expect([has("checkout", "ann"), has("pay", "bob")]).toEqual([true, true]);
  expect([has("pay", "ann"), has("checkout", "bob"), has("checkout", "carl")]).toEqual([false, false, false]);
  await begin(own.stores, "checkout", "carl");
  await begin(main.stores, "pay", "dora");
  expect([has("checkout", "carl"), has("pay", "dora")]).toEqual([true, true]);
});

test("nobody is absent while the pins of one store are not heard of", async () => {
  const { time, main, own, has } = rig();
  main.hear(true);
  await time.advance(0);
  expect([has("checkout", "ann"), has("pay", "ann")]).toEqual([undefined, undefined]);
  own.hear(true);
  await time.advance(0);
  expect([has("checkout", "ann"), has("pay", "ann")]).toEqual([false, false]);
  own.hear(false);
  expect(has("checkout", "ann")).toBeUndefined();
  own.hear(true);
  await time.advance(0);
  main.hear(false);
  expect(has("checkout", "ann")).toBeUndefined();
});

test("a pin is kept, and its orders tied, where it is", async () => {
  const { own, routed, begin, pin } = rig();
  await begin(routed, "checkout", "ann");
  const moved = { ...pin, startedAt: pin.startedAt + 1 };
  await routed.pins.keep("checkout", "ann", moved, 30);
  await routed.pins.tie("checkout", ["O1"], pin.id, maxTtl);
  expect(await own.stores.pins.find("checkout", "ann", maxTtl)).toMatchObject({ startedAt: moved.startedAt });
  expect(await own.stores.pins.end("checkout", "ann", 5, maxTtl, { orders: ["O1"] })).toMatchObject({
    id: pin.id,
  });
});
