/** Who of a fleet leads what, as each instance tells it in its record. */
import { expect, test } from "vitest";
import { createRoll } from "../../../../src/state/follow/roll.ts";
import { createLeaderships } from "../../../../src/state/leading/leaderships.ts";
import type { InstanceRecord } from "../../../../src/state/rules/completion.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

/** Two instances that write their records and read the roster each second. */
function createFleet() {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  let asked = 0;
  const counted = {
    lease(...args: Parameters<typeof store.lease>) {
      asked += 1;
      return store.lease(...args);
    },
    release: store.release,
  };
  function join(id: string) {
    const roll = createRoll(time);
    const log = createRecordedLog();
    let isAlive = true;
    const leaderships = createLeaderships({
      ...{ store: counted, instance: id, roll, clock: time, timers: time, log },
      onChange: () => void beat(),
    });
    async function beat(): Promise<void> {
      const moments = { startedAt: "", seenAt: "" };
      const record: InstanceRecord = {
        id,
        ...moments,
        versions: {},
        traffic: {},
        ...leaderships.forRecord(),
      };
      await store.acknowledge(record);
      roll.saw(await store.roster());
    }
    const each = () => {
      if (!isAlive) return;
      void beat();
      time.after(1000, each);
    };
    each();
    return {
      ...leaderships,
      die() {
        isAlive = false;
        void leaderships.stop();
      },
    };
  }
  return { time, join, asked: () => asked };
}

test("each cutover has one leader, whom all know, and the others ask no more", async () => {
  const { time, join, asked } = createFleet();
  const [one, other] = [join("a"), join("b")];
  one.configure(["checkout"]);
  other.configure(["checkout", "returns"]);
  await time.advance(3000);
  expect([one.leader("checkout"), other.leader("checkout")]).toEqual(["a", "a"]);
  expect([one.leader("returns"), other.leader("returns")]).toEqual(["b", "b"]);
  expect(one.of("checkout")?.fence()).toMatchObject({ lease: "checkout/watch" });
  expect(other.of("checkout")?.fence()).toBeUndefined();
  expect(one.of("returns")).toBeUndefined();
  const before = asked();
  await time.advance(10_000);
  expect(asked() - before).toBe(20);
});

test("what is watched over no more is given back to whoever goes on with it", async () => {
  const { time, join } = createFleet();
  const [one, other] = [join("a"), join("b")];
  one.configure(["checkout"]);
  other.configure(["checkout"]);
  await time.advance(3000);
  one.configure([]);
  await time.advance(3000);
  expect([one.leader("checkout"), other.leader("checkout")]).toEqual(["b", "b"]);
  expect(one.forRecord()).toEqual({});
  other.die();
  one.configure(["checkout"]);
  await time.advance(5000);
  expect(one.leader("checkout")).toBe("a");
});
