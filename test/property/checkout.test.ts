/** Random histories of a fleet: percent walks, rollbacks, restarts, outages, lost cookies; and no order changes sides. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Change } from "../../src/state/rules/model.ts";
import { createCheckoutFleet } from "../support/checkout-fleet.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const runs = Number(process.env.RUNS ?? 120);

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1000, 10_000, 50_000, 90_000, 100_000).map(set) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Change>(
      { action: "rollback" },
      { action: "rollback_hard" },
      { action: "resume" },
    ),
  },
);

function set(percentThousandths: number): Change {
  return { action: "set", percentThousandths };
}

const pick = fc.nat(29);
const stepOf = (shoppers: number, acts: number) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("change" as const), change }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("sync" as const), pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("store" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("pass" as const),
        ms: fc.constantFrom(100, 5000, 61_000, 1_900_000, 15_000_000),
      }),
    },
    {
      weight: acts,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          "visit",
          "start",
          "retry",
          "guess",
          "pay",
          "payTwice",
          "callBack",
          "loseCookie",
          "login",
        ),
        shopper: fc.nat(shoppers - 1),
        pick,
        which: fc.nat(7),
      }),
    },
  );
const step = stepOf(6, 30);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function run(steps: readonly Step[], shoppers: number): Promise<void> {
  const fleet = createCheckoutFleet(3, shoppers);
  for (const each of steps) {
    switch (each.kind) {
      case "change":
        fleet.change(each.change);
        // Somebody has heard of it: the one it was made through.
        fleet.sync(0);
        break;
      case "sync":
        fleet.sync(each.pick);
        break;
      case "restart":
        fleet.restart(each.pick);
        break;
      case "store":
        await fleet.toggleStore();
        break;
      case "pass":
        fleet.pass(each.ms);
        break;
      default:
        await act(fleet, each);
    }
  }
}

async function act(
  fleet: ReturnType<typeof createCheckoutFleet>,
  { kind, shopper: index, pick: at, which }: Extract<Step, { which: number }>,
): Promise<void> {
  const shopper = fleet.people[index];
  if (shopper === undefined) return;
  switch (kind) {
    case "visit":
      await fleet.visit(shopper, at);
      return;
    case "start":
      return fleet.start(shopper, at, undefined);
    case "retry":
      if (shopper.keys.length > 0) await fleet.start(shopper, at, shopper.keys[which % shopper.keys.length]);
      return;
    case "guess":
      return fleet.guess(shopper, at, which);
    case "pay":
      return fleet.pay(shopper, at, which);
    case "payTwice":
      return fleet.payTwice(shopper, at);
    case "callBack":
      return fleet.callBack(shopper, at, which);
    case "loseCookie":
      return fleet.loseCookie(shopper);
    case "login":
      return fleet.login(shopper);
  }
}

test(`an order and a key meet one side, a journey stays, and nobody moves against the percent (SEED=${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: "max" }), async (steps) => {
      await run(steps, 6);
    }),
    { seed, numRuns: runs },
  );
}, 600_000);

test(`the same over one long history of 2,000 shoppers (SEED=${seed})`, async () => {
  const steps = fc.sample(stepOf(2000, 1000), { seed, numRuns: 20_000 });
  await run(steps, 2000);
}, 300_000);

test("a callback is refused rather than guessed at where its order was made in an outage elsewhere", async () => {
  const fleet = createCheckoutFleet(2, 1);
  const [shopper] = fleet.people;
  if (shopper === undefined) throw new Error("nobody");
  fleet.change(set(100_000));
  fleet.sync(0);
  fleet.sync(1);
  await fleet.toggleStore();
  await fleet.start(shopper, 0, undefined);
  await fleet.callBack(shopper, 1, 0);
  expect(fleet.refused.count).toBe(1);
  await fleet.callBack(shopper, 0, 0);
  expect(fleet.refused.count).toBe(1);
  await fleet.toggleStore();
  await fleet.callBack(shopper, 1, 0);
  expect(fleet.refused.count).toBe(1);
});

test("a hard rollback frees nobody from what an instance remembers of a start in an outage", async () => {
  const fleet = createCheckoutFleet(2, 2);
  const app = fleet.people[1];
  if (app === undefined) throw new Error("nobody");
  fleet.change(set(100_000));
  fleet.sync(0);
  fleet.sync(1);
  await fleet.start(app, 1, undefined);
  fleet.change(set(0));
  await fleet.toggleStore();
  await fleet.start(app, 0, undefined);
  await fleet.toggleStore();
  fleet.change({ action: "rollback_hard" });
  fleet.change({ action: "resume" });
  fleet.change(set(100_000));
  fleet.sync(0);
  expect(await fleet.visit(app, 0)).toBe("legacy");
  fleet.pass(31_000);
  expect(await fleet.visit(app, 0)).toBe("new");
});

test("an app whose checkout began before the percentage fell is not on both sides hours later, after another start", async () => {
  const fleet = createCheckoutFleet(1, 2);
  const app = fleet.people[1];
  if (app === undefined) throw new Error("nobody");
  fleet.change(set(100_000));
  fleet.sync(0);
  await fleet.start(app, 0, undefined);
  fleet.change(set(0));
  fleet.sync(0);
  fleet.pass(3 * 3_600_000);
  await fleet.start(app, 0, undefined);
  expect(await fleet.visit(app, 0)).toBe("new");
  // The routing changed longer ago than any journey lives: none is looked up.
  fleet.pass(3_600_000 + 120_000);
  const side = await fleet.visit(app, 0);
  await fleet.start(app, 0, undefined);
  expect(app.orders.at(-1)?.side).toBe(side);
});

test("a journey made by an instance that heard of no change for longer than a journey is found without its cookie", async () => {
  const fleet = createCheckoutFleet(2, 6);
  // Of the first tenth of the buckets.
  const browser = fleet.people[4];
  if (browser === undefined) throw new Error("nobody");
  fleet.change(set(10_000));
  fleet.sync(0);
  fleet.pass(15_000_000);
  await fleet.start(browser, 1, undefined);
  fleet.loseCookie(browser);
  expect(await fleet.visit(browser, 0)).toBe("legacy");
});
