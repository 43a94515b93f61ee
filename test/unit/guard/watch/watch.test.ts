/** The guard of a fleet over fake time: attempts in, changes of a real store out. */
import { describe, expect, test } from "vitest";
import type { GuardAction } from "../../../../src/guard/verdict/verdict.ts";
import { guardActor } from "../../../../src/guard/watch/act.ts";
import { createGuardFleet } from "../../../support/guard-fleet.ts";

/** A cutover at 50%, 20 attempts a second, each by another shopper. */
async function create({ seed = 1, action }: { readonly seed?: number; readonly action?: GuardAction } = {}) {
  const fleet = await createGuardFleet(1, action === undefined ? {} : { action }, seed);
  return { ...fleet, lines: fleet.first.lines, judgement: () => fleet.first.known()?.fleet };
}

const outage = { legacy: 0, onNew: 1 };
const well = { legacy: 0.01, onNew: 0.01 };

describe("what the guard does", () => {
  test("a side that fails altogether is rolled back within five seconds, also in the first step", async () => {
    const { serve, history, state } = await create();
    await serve(5, outage);
    expect(state().state).toBe("rolled_back");
    const [entry] = await history();
    expect(entry).toMatchObject({ by: guardActor.name, action: "rollback", via: "guard" });
    expect(entry?.reason).toMatch(/^new fails 100\.0% .*rolled back .* s after the first failure$/);
  });

  test("new that is only worse is held while no step has been proven, and rolled back where that is configured", async () => {
    const worse = { legacy: 0, onNew: 0.08 };
    const first = await create({ seed: 3 });
    await first.serve(120, worse);
    expect(first.state().state).toBe("held");
    const configured = await create({ seed: 3, action: "rollback" });
    await configured.serve(120, worse);
    expect(configured.state().state).toBe("rolled_back");
  });

  test("both sides failing are held and never rolled back", async () => {
    const { serve, history, state, judgement } = await create({ action: "rollback" });
    await serve(30, { legacy: 1, onNew: 1 });
    expect(state()).toMatchObject({ state: "held", percentThousandths: 50_000 });
    expect((await history()).map(({ action }) => action)).toEqual(["hold", "set"]);
    expect(judgement()?.verdict).toBe("both sick");
  });

  test("a legacy in maintenance is never rolled back onto, however new fails, and is again once it serves", async () => {
    const { time, serve, ask, history, state, judgement } = await create({ action: "rollback" });
    const until = new Date(time.now() + 3_600_000).toISOString();
    await ask({ action: "maintain", side: "legacy", until });
    await serve(10, outage);
    expect(state()).toMatchObject({ state: "held", percentThousandths: 50_000 });
    expect((await history()).map(({ action }) => action)).toEqual(["hold", "maintain", "set"]);
    expect((await history())[0]?.reason).toContain("since legacy is in maintenance");
    expect(["legacy sick", "both sick"]).toContain(judgement()?.verdict);
    await ask({ action: "maintain", side: "legacy", until: null });
    await serve(10, outage);
    expect(state().state).toBe("rolled_back");
  });

  test("alert says it once and changes nothing", async () => {
    const { serve, history, lines, judgement } = await create({ action: "alert" });
    await serve(20, outage);
    expect(await history()).toHaveLength(1);
    expect(judgement()).toMatchObject({ verdict: "worse", action: "alert" });
    expect(lines.filter(({ fields }) => fields.verdict === "worse")).toHaveLength(1);
  });

  test("sides that are equal are left alone, and said to be proven in time", async () => {
    const { serve, history, judgement } = await create({ seed: 5 });
    await serve(120, well);
    expect(await history()).toHaveLength(1);
    expect(["healthy", "insufficient evidence"]).toContain(judgement()?.verdict);
  });

  test("without traffic for an hour nothing happens, and it says why", async () => {
    const { serve, time, history, judgement } = await create();
    await serve(1, well);
    await time.advance(60_000);
    expect(await history()).toHaveLength(1);
    expect(judgement()?.sentence).toContain("insufficient evidence");
  });

  test("after resume it does not fire again on what it had seen before", async () => {
    const { serve, ask, state } = await create();
    await serve(5, outage);
    expect(state().state).toBe("rolled_back");
    await ask({ action: "resume" });
    await ask({ action: "set", percentThousandths: 50_000 });
    await serve(20, well);
    expect(state().state).toBe("open");
    await serve(5, outage);
    expect(state().state).toBe("rolled_back");
  });

  test("an incident after a resume is told from its own first failure, not from that of the one before", async () => {
    const { time, serve, ask, history, state } = await create();
    await serve(5, outage);
    await time.advance(300_000);
    await ask({ action: "resume" });
    await ask({ action: "set", percentThousandths: 50_000 });
    await serve(40, well);
    await serve(6, outage);
    expect(state().state).toBe("rolled_back");
    const seconds = Number(
      /rolled back ([\d.]+) s after the first failure/.exec((await history())[0]?.reason ?? "")?.[1],
    );
    expect(seconds).toBeLessThan(60);
  });

  test("who asks after a rollback of the guard hears that new is worse and why, until somebody resumes it", async () => {
    const { time, serve, ask, history, state, judgement } = await create();
    await serve(6, outage);
    await time.advance(120_000);
    expect(state().state).toBe("rolled_back");
    const [entry] = await history();
    expect(judgement()).toMatchObject({ verdict: "worse", action: "rollback", sentence: entry?.reason });
    await ask({ action: "resume" });
    await time.advance(2000);
    expect(judgement()).toBeUndefined();
    await ask({ action: "set", percentThousandths: 50_000 });
    await ask({ action: "rollback" });
    await time.advance(2000);
    expect(judgement()).toBeUndefined();
  });

  test("after another instance's guard has acted, this one's evidence begins anew with the resume, too", async () => {
    const { serve, ask, judgement } = await create({ action: "alert" });
    await serve(5, outage);
    expect(judgement()?.verdict).toBe("worse");
    await ask({ action: "rollback" }, guardActor);
    await serve(1, well);
    await ask({ action: "resume" });
    await ask({ action: "set", percentThousandths: 50_000 });
    await serve(90, well);
    expect(judgement()?.verdict).not.toBe("worse");
  });

  test("what is at 0 or stopped is not judged", async () => {
    const { serve, ask, judgement, first } = await create();
    await serve(4, well);
    expect(judgement()).toBeDefined();
    await ask({ action: "set", percentThousandths: 0 });
    await serve(4, well);
    expect(judgement()).toBeUndefined();
    await first.stop();
    await ask({ action: "set", percentThousandths: 50_000 });
    await serve(6, outage);
    expect(judgement()).toBeUndefined();
  });
});

describe("a fleet that counts together", () => {
  test("what each alone would not see is seen by all, and done once", async () => {
    const { serve, history, instances, leader } = await createGuardFleet(3, { action: "rollback" });
    await serve(3, well);
    expect(instances.filter((each) => each.leads())).toHaveLength(1);
    await serve(5, outage);
    expect((await history()).map(({ action, by }) => [action, by])).toEqual([
      ["rollback", "guard"],
      ["set", "ana"],
    ]);
    expect(instances.map((each) => each.state().state)).toEqual(Array(3).fill("rolled_back"));
    expect(leader()?.lines.filter(({ message }) => message.startsWith("the guard: new fails"))).toHaveLength(
      1,
    );
  });

  test("a shopper whose failure two instances have seen counts once", async () => {
    const { time, instances, leader, history } = await createGuardFleet(3, { action: "rollback" });
    for (let second = 0; second < 60; second += 1) {
      for (const each of instances) {
        each.arrived("onNew", 7, true);
        each.arrived("legacy", 90_000 + second, false);
      }
      await time.advance(1000);
    }
    expect(leader()?.known()?.fleet?.sides.new.failed).toBe(1);
    expect(await history()).toHaveLength(1);
  });

  test("whoever is asked names the leader, who alone judges", async () => {
    const { serve, instances, leader } = await createGuardFleet(3);
    await serve(6, well);
    const ids = instances.map((each) => each.known()?.leader);
    expect(new Set(ids)).toEqual(new Set([leader()?.id]));
    expect(instances.filter((each) => each.known()?.fleet !== undefined)).toHaveLength(1);
  });

  test("an instance gone silent counts as it told last, is named, and stops no rollback by the rest", async () => {
    const { serve, instances, leader, first } = await createGuardFleet(3, { action: "rollback" });
    await serve(20, well);
    const gone = instances.find((each) => !each.leads()) ?? first;
    const before = leader()?.known()?.fleet?.sides.new.units ?? 0;
    gone.of.isFrozen = true;
    const rest = instances.filter((each) => each !== gone);
    await serve(10, well, rest);
    const judged = leader()?.known()?.fleet;
    expect(judged).toMatchObject({ verdict: "blind", silent: [gone.id] });
    expect(judged?.sides.new.units).toBeGreaterThan(before);
    await serve(6, outage, rest);
    expect(rest.map((each) => each.state().state)).toEqual(["rolled_back", "rolled_back"]);
    gone.thaw();
    await serve(3, well);
    expect(gone.state().state).toBe("rolled_back");
  });

  test("one that has died for good makes it blind while the store knows it, not for an hour; then the rest is told without it", async () => {
    const { serve, instances, leader, first } = await createGuardFleet(3);
    await serve(20, well);
    const gone = instances.find((each) => !each.leads()) ?? first;
    gone.of.isDead = true;
    const rest = instances.filter((each) => each !== gone);
    await serve(30, well, rest);
    expect(leader()?.known()?.fleet).toMatchObject({ verdict: "blind", silent: [gone.id] });
    await serve(8, well, rest);
    const judged = leader()?.known()?.fleet;
    expect(["insufficient evidence", "healthy", "watching"]).toContain(judged?.verdict);
    expect(judged?.silent).toEqual([gone.id]);
    expect(judged?.sentence).toMatch(new RegExp(`, without counts of ${gone.id}$`));
  });

  test("one that leaves is not missed", async () => {
    const { serve, instances, leader, first } = await createGuardFleet(3);
    await serve(10, well);
    const leaving = instances.find((each) => !each.leads()) ?? first;
    await leaving.stop();
    await serve(
      10,
      well,
      instances.filter((each) => each !== leaving),
    );
    expect(leader()?.known()?.fleet?.silent).toEqual([]);
  });
});

describe("a leader that is followed by another", () => {
  test("killed in mid-incident it is, and new rolled back, within 10 s", async () => {
    const { time, serve, instances, leader, first } = await createGuardFleet(3, { action: "rollback" }, 7);
    await serve(30, well);
    const old = leader() ?? first;
    const rest = instances.filter((each) => each !== old);
    const began = time.monotonic();
    await serve(1, outage);
    old.of.isDead = true;
    for (let n = 0; n < 30 && rest.some((each) => each.state().state !== "rolled_back"); n += 1) {
      await serve(0.5, outage, rest);
    }
    expect(time.monotonic() - began).toBeLessThanOrEqual(10_000);
    expect(rest.map((each) => each.state())).toMatchObject(
      Array(2).fill({ state: "rolled_back", updatedBy: "guard" }),
    );
  });

  test("the evidence goes on as if it had been one all along, to the last bit", async () => {
    const worse = { legacy: 0.01, onNew: 0.04 };
    const run = async (isKilled: boolean) => {
      // The first has no shoppers: what it had counted itself would end with it.
      const fleet = await createGuardFleet(3, { action: "alert" }, 11);
      const [first, ...rest] = fleet.instances;
      await fleet.serve(30, worse, rest);
      expect(first?.leads()).toBe(true);
      if (isKilled && first !== undefined) first.of.isDead = true;
      await fleet.serve(50, worse, rest);
      await fleet.time.advance(400);
      const kept = JSON.parse((await fleet.store.kept("checkout/watch")) ?? "");
      return { inquiry: kept.inquiry, led: fleet.leader()?.id };
    };
    const [whole, handedOn] = [await run(false), await run(true)];
    expect([whole.led, handedOn.led]).toEqual(["i0", "i1"]);
    expect(whole.inquiry.evidence.streams.late.failed).toBeGreaterThan(1);
    expect(handedOn.inquiry).toEqual(whole.inquiry);
  });

  test("what the one that died had told is not lost with it", async () => {
    const { time, serve, store, instances, leader, first } = await createGuardFleet(2, { action: "alert" });
    await serve(20, well);
    const old = leader() ?? first;
    await serve(1, outage, [old]);
    await time.advance(1000);
    old.of.isDead = true;
    await time.advance(15_000);
    expect(instances.find((each) => each !== old)?.leads()).toBe(true);
    const kept = JSON.parse((await store.kept("checkout/watch")) ?? "");
    expect(kept.inquiry.evidence.sides.late.onNew.failed).toBeGreaterThanOrEqual(9);
  });

  test("frozen, it changes nothing when it wakes", async () => {
    const { serve, instances, leader, first, history } = await createGuardFleet(2, { action: "rollback" });
    await serve(20, well);
    const old = leader() ?? first;
    old.of.isFrozen = true;
    const other = instances.find((each) => each !== old) ?? first;
    await serve(10, well, [other]);
    expect(other.leads()).toBe(true);
    old.thaw();
    await serve(2, well);
    expect([old.leads(), other.leads()]).toEqual([false, true]);
    expect(old.known()?.fleet).toBeUndefined();
    expect(await history()).toHaveLength(1);
  });

  test("configured otherwise it says so; by another tolerance the evidence begins anew on half of the day's rest", async () => {
    for (const [more, said, left] of [
      [{ budget: 0.02 }, "than that of the leader before", 1],
      [{ tolerance: 2 }, "begins anew on half of what is left", 0.5],
    ] as const) {
      const fleet = await createGuardFleet(1, { action: "alert" });
      await fleet.serve(30, well);
      const next = await fleet.another(more);
      await fleet.serve(10, well, [fleet.first]);
      expect(fleet.first.known()?.fleet?.differing).toEqual([next.id]);
      await fleet.first.stop();
      await fleet.serve(20, well, [next]);
      expect(next.leads()).toBe(true);
      expect(next.lines.filter(({ message }) => message.includes(said))).toHaveLength(1);
      const kept = JSON.parse((await fleet.store.kept("checkout/watch")) ?? "");
      expect(kept.inquiry.evidence.streams.late.left).toBe(left);
    }
  });
});

describe("without the store", () => {
  test("each instance goes by its own counts, and acts on itself alone", async () => {
    const { serve, instances, history } = await createGuardFleet(3, { action: "rollback" });
    await serve(20, well);
    for (const each of instances) each.of.isCutOff = true;
    const [failing, ...rest] = instances;
    if (failing === undefined) throw new Error("nobody is there");
    await serve(8, outage, [failing]);
    await serve(8, well, rest);
    expect(failing.local).toMatchObject([{ name: "checkout", action: "rollback", actor: guardActor }]);
    expect(failing.known()).toMatchObject({ isAlone: true, fleet: undefined });
    expect(rest[0]?.known()).toMatchObject({ own: { verdict: "insufficient evidence" } });
    expect(rest.flatMap((each) => each.local)).toEqual([]);
    expect(await history()).toHaveLength(1);
  });

  test("one of many takes its part of the budget alone, of as many as were there at last", async () => {
    const odds = async (size: number) => {
      const { serve, instances, first } = await createGuardFleet(size, { action: "rollback" });
      await serve(3, well);
      for (const each of instances) each.of.isCutOff = true;
      let seconds = 0;
      for (; seconds < 60 && first.local.length === 0; seconds += 1) {
        await serve(1, { legacy: 0, onNew: 0.25 }, [first]);
      }
      return seconds;
    };
    expect(await odds(8)).toBeGreaterThanOrEqual(await odds(1));
  });
});
