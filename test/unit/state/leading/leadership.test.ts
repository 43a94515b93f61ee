/** Who leads, over fake time and a real store. */
import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { createLeadership } from "../../../../src/state/leading/leadership.ts";
import type { Fence } from "../../../../src/state/rules/leases/lease.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import type { Store } from "../../../../src/state/store/port.ts";
import { command, setTo } from "../../../support/commands.ts";
import { createManualTime, type ManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

const lease = "checkout/watch";

/** Instances of one store. Each may be cut off from it, and may be frozen: its timers then wait until it is thawed. */
function createFleet() {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  let asked = 0;
  function join(holder: string, isLedElsewhere?: () => boolean) {
    const of = { isCutOff: false, isFrozen: false };
    const late: (() => void)[] = [];
    const news: string[] = [];
    const timers: Pick<ManualTime, "after"> = {
      after: (ms, run) =>
        time.after(ms, () => {
          if (of.isFrozen) late.push(run);
          else run();
        }),
    };
    const reached: Pick<Store, "lease" | "release"> = {
      async lease(...args) {
        asked += 1;
        if (of.isCutOff) throw new StoreUnavailable("cut off");
        return store.lease(...args);
      },
      release: store.release,
    };
    const leadership = createLeadership({
      ...{ store: reached, lease, holder, clock: time, timers, log: createRecordedLog() },
      ...(isLedElsewhere === undefined ? {} : { isLedElsewhere }),
      onTaken: () => news.push("taken"),
      onLost: () => news.push("lost"),
    });
    return {
      ...leadership,
      of,
      news,
      leads: () => leadership.fence() !== undefined,
      thaw() {
        of.isFrozen = false;
        for (const run of late.splice(0)) run();
      },
    };
  }
  const raise = (fence: Fence | undefined, percent: number) =>
    store.apply(command("checkout", setTo(percent), fence === undefined ? {} : { fence }));
  return { time, store, join, raise, asked: () => asked };
}

/** @returns the ms until it is so; fails after 10 s */
async function passUntil(time: ManualTime, isSo: () => boolean): Promise<number> {
  for (let ms = 0; ms <= 10_000; ms += 50) {
    if (isSo()) return ms;
    await time.advance(50);
  }
  throw new Error("it did not come about within 10 s");
}

describe("one of several leads", () => {
  test("the first to ask does, for as long as it lives, and says so once", async () => {
    const { time, join } = createFleet();
    const [one, other] = [join("a"), join("b")];
    await time.advance(60_000);
    expect([one.leads(), other.leads()]).toEqual([true, false]);
    expect([one.news, other.news]).toEqual([["taken"], []]);
  });

  test("another takes over within 5 s of its death, and at once when it stops", async () => {
    const { time, join } = createFleet();
    const [one, other, third] = [join("a"), join("b"), join("c")];
    await time.advance(1000);
    one.of.isFrozen = true;
    expect(await passUntil(time, () => other.leads() || third.leads())).toBeLessThanOrEqual(5000);
    const [second, last] = other.leads() ? [other, third] : [third, other];
    await second.stop();
    expect(await passUntil(time, last.leads)).toBeLessThanOrEqual(1000);
    expect(second.news).toEqual(["taken", "lost"]);
  });

  test("nobody asks the store while another is heard to lead, and takes over all the same", async () => {
    const { time, join, asked } = createFleet();
    let isHeard = true;
    const one = join("a");
    await time.advance(10);
    const other = join("b", () => isHeard);
    await time.advance(990);
    const before = asked();
    await time.advance(10_000);
    expect(asked() - before).toBe(10);
    await one.stop();
    isHeard = false;
    expect(await passUntil(time, other.leads)).toBeLessThanOrEqual(250);
  });

  test("at no moment do two believe that they lead, whoever is frozen or cut off", async () => {
    const { time, join } = createFleet();
    const all = [join("a"), join("b"), join("c")];
    for (let round = 0; round < 60; round += 1) {
      const of = all[round % 3]?.of;
      if (of !== undefined) of.isCutOff = round % 2 === 0;
      await time.advance(700);
      expect(all.filter((each) => each.leads()).length).toBeLessThanOrEqual(1);
    }
  });
});

describe("a leader that was frozen", () => {
  test("changes nothing under its old fence when it wakes, 100 of 100 times", async () => {
    for (let n = 0; n < 100; n += 1) {
      const { time, join, raise, store } = createFleet();
      const [one, other] = [join("a"), join("b")];
      await time.advance(1000 + 37 * n);
      const old = one.fence();
      expect(await raise(old, 1)).toMatchObject({ accepted: true });
      one.of.isFrozen = true;
      await passUntil(time, other.leads);
      await time.advance(13 * n);
      // It has decided before it was frozen, and asks the moment it wakes.
      expect(await raise(old, 50)).toMatchObject({ accepted: false, code: "fenced" });
      expect(one.leads()).toBe(false);
      one.thaw();
      await time.advance(1500);
      expect([one.leads(), other.leads()]).toEqual([false, true]);
      expect(await raise(other.fence(), 2)).toMatchObject({ accepted: true });
      expect((await store.history("checkout", 10)).map(({ to }) => to.percentThousandths)).toEqual([
        2000, 1000,
      ]);
    }
  });
});

describe("a leader that cannot reach the store", () => {
  test("leads to the end of what it was granted, and not a moment longer", async () => {
    const { time, join } = createFleet();
    const one = join("a");
    await time.advance(10);
    one.of.isCutOff = true;
    await time.advance(2900);
    expect(one.leads()).toBe(true);
    await time.advance(100);
    expect(one.leads()).toBe(false);
    expect(one.news).toEqual(["taken", "lost"]);
    one.of.isCutOff = false;
    await time.advance(1000);
    expect(one.leads()).toBe(true);
  });

  test("that is told it is fenced gives the lease up, and asks again", async () => {
    const { time, join } = createFleet();
    const one = join("a");
    await time.advance(10);
    const fence = one.fence();
    if (fence === undefined) throw new Error("it does not lead");
    one.refused({ ...fence, token: fence.token - 1 });
    expect(one.leads()).toBe(true);
    one.refused(fence);
    expect(one.leads()).toBe(false);
    await time.advance(1000);
    expect(one.leads()).toBe(true);
    expect(one.news).toEqual(["taken", "lost", "taken"]);
  });

  test("that stops gives nothing back later and asks no more", async () => {
    const { time, join, asked } = createFleet();
    const one = join("a");
    await time.advance(10);
    await one.stop();
    const before = asked();
    await time.advance(10_000);
    expect(asked()).toBe(before);
    expect(time.pending()).toBe(0);
  });
});
