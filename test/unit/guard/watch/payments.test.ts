/** Payments and slowness by the counts of a fleet, over fake time. */
import { describe, expect, test } from "vitest";
import type { BlockCounts } from "../../../../src/guard/evidence/likelihood.ts";
import { createGuardFleet } from "../../../support/guard-fleet.ts";

const paying = { legacy: 0.6, onNew: 0.6 };

describe("payments that do not happen", () => {
  test("are seen by all instances together and rolled back, though each answer is well", async () => {
    const { time, shop, history, instances } = await createGuardFleet(3, { action: "rollback", percent: 25 });
    await shop(20, paying);
    const began = time.monotonic();
    for (let n = 0; n < 60 && instances[0]?.state().state === "open"; n += 1) {
      await shop(1, { ...paying, onNew: 0 });
    }
    expect(time.monotonic() - began).toBeLessThanOrEqual(30_000);
    const [entry] = await history();
    expect(entry).toMatchObject({ by: "guard", action: "rollback" });
    expect(entry?.reason).toMatch(
      /^of \d+ journeys on new \d+ were paid, of legacy's as many would be \d+ \(.* of 100\): worse with .*\(payments\), rolled back$/,
    );
  });

  test("after a rollback and its resume are forgotten with the journeys that began before", async () => {
    const { time, shop, ask, first } = await createGuardFleet(1, { action: "rollback", percent: 25 }, 5);
    await shop(20, paying);
    for (let n = 0; n < 60 && first.state().state === "open"; n += 1) await shop(1, { ...paying, onNew: 0 });
    expect(first.state().state).toBe("rolled_back");
    await time.advance(60_000);
    await ask({ action: "resume" });
    await ask({ action: "set", percentThousandths: 25_000 });
    await shop(90, paying);
    expect(first.state().state).toBe("open");
    expect(first.known()?.fleet?.payments?.new.of100).toBeGreaterThan(40);
  });

  test("that happen as often on both sides are told of 100, to whoever proves by them as well, and change nothing", async () => {
    const { shop, history, leader, first } = await createGuardFleet(
      2,
      { action: "rollback", percent: 25 },
      3,
    );
    const heard: BlockCounts[] = [];
    first.guard.onPaid((cutover, strata) => {
      if (cutover === "checkout") heard.push(...strata);
    });
    await shop(240, paying);
    expect(await history()).toHaveLength(1);
    const payments = leader()?.known()?.fleet?.payments;
    expect(payments?.legacy.begun).toBeGreaterThan(3000);
    for (const side of ["legacy", "new"] as const) {
      expect(payments?.[side].of100).toBeGreaterThan(45);
      expect(payments?.[side].of100).toBeLessThan(70);
    }
    const paidOnNew = heard.reduce((sum, { eventsOnNew }) => sum + eventsOnNew, 0);
    expect(paidOnNew).toBe(payments?.new.paid);
  });

  test("go on being counted by the next leader as if it had been one all along", async () => {
    const run = async (isKilled: boolean) => {
      const fleet = await createGuardFleet(3, { action: "alert", percent: 25 }, 11);
      const [first, ...rest] = fleet.instances;
      await fleet.shop(20, paying, rest);
      expect(first?.leads()).toBe(true);
      if (isKilled && first !== undefined) first.of.isDead = true;
      await fleet.shop(40, { ...paying, onNew: 0.3 }, rest);
      await fleet.time.advance(400);
      const kept = JSON.parse((await fleet.store.kept("checkout/watch")) ?? "");
      return { inquiry: kept.inquiry, led: fleet.leader()?.id };
    };
    const [whole, handedOn] = [await run(false), await run(true)];
    expect([whole.led, handedOn.led]).toEqual(["i0", "i1"]);
    expect(whole.inquiry.cohorts.cohorts.length).toBeGreaterThan(0);
    expect(handedOn.inquiry).toEqual(whole.inquiry);
  });
});

describe("answers that do not come", () => {
  const hang = async (action: "rollback" | "alert") => {
    const fleet = await createGuardFleet(2, { action, sloMs: 2000 });
    const { time, instances } = fleet;
    for (let tenth = 0; tenth < 150 && instances[0]?.state().state === "open"; tenth += 1) {
      const by = instances[tenth % 2];
      by?.arrived("legacy", 50_000 + tenth, false);
      by?.arrived("onNew", tenth, false, true);
      await time.advance(100);
    }
    return fleet;
  };

  test("hold the cutover within 15 s, and never roll it back by themselves", async () => {
    const { time, instances, history } = await hang("rollback");
    expect(instances[0]?.state().state).toBe("held");
    expect(time.monotonic()).toBeLessThanOrEqual(15_000);
    expect((await history())[0]?.reason).toContain("(slower than the SLO), held");
  });

  test("are only told where that is configured", async () => {
    const { leader, history } = await hang("alert");
    expect(leader()?.known()?.fleet).toMatchObject({ verdict: "worse", because: ["slow"], action: "alert" });
    expect(await history()).toHaveLength(1);
  });
});
