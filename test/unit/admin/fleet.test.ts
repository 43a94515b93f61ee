import { describe, expect, test } from "vitest";
import { createFleet } from "../../../src/admin/fleet.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { StoreUnavailable } from "../../../src/base/errors.ts";
import type { FiguresUnderWay } from "../../../src/ownership/under-way/figures.ts";
import type { InstanceRecord } from "../../../src/state/rules/completion.ts";
import { initialState } from "../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { Store } from "../../../src/state/store/port.ts";
import { adminContext } from "../../support/admin-context.ts";
import { createManualTime } from "../../support/manual-time.ts";

function fleetOn(instances: Store["instances"], up = true, more: Partial<Store> = {}) {
  const states = new Map([["checkout", { ...initialState(), version: 3 }]]);
  return createFleet(
    adminContext({
      store: { ...createMemoryStore({ clock: systemClock }), instances, ...more },
      follower: {
        current: () => ({ states }),
        onSwap: () => () => {},
        contact: () => ({ up, stalenessMs: 0 }),
        isStale: () => false,
        isDoubtful: () => false,
        refresh: async () => {},
      },
      instance: { id: "m", startedAt: "2025-03-01T00:00:00Z" },
      traffic: () => ({ checkout: "own figures" }),
      clock: systemClock,
    }),
  );
}

const record = (id: string): InstanceRecord => ({
  id,
  startedAt: "",
  seenAt: "",
  versions: { checkout: 1 },
  traffic: {},
});

describe("the fleet", () => {
  test("tells this instance first-hand, whatever the store holds of it", async () => {
    const fleet = fleetOn(async () => [record("a"), record("m"), record("z")]);
    const records = await fleet.read();
    expect(records.map(({ id }) => id)).toEqual(["a", "m", "z"]);
    expect(records[1]).toMatchObject({ versions: { checkout: 3 }, traffic: { checkout: "own figures" } });
    expect(fleet.lastOthers().map(({ id }) => id)).toEqual(["a", "z"]);
  });

  test("is this instance alone when the store fails, and remembers who else there was", async () => {
    let isLost = false;
    const fleet = fleetOn(async () => {
      if (isLost) throw new StoreUnavailable("lost");
      return [record("a"), record("z")];
    });
    await fleet.read();
    isLost = true;
    expect((await fleet.read()).map(({ id }) => id)).toEqual(["m"]);
    expect(fleet.lastOthers().map(({ id }) => id)).toEqual(["a", "z"]);
  });

  test("does not ask a store that is known to be out of reach", async () => {
    let asked = 0;
    const fleet = fleetOn(async () => {
      asked += 1;
      return [];
    }, false);
    expect(await fleet.read()).toHaveLength(1);
    expect(asked).toBe(0);
  });

  test("asks once for all who ask at the same time, and again later", async () => {
    let asked = 0;
    const fleet = fleetOn(async () => {
      asked += 1;
      return [];
    });
    await Promise.all([fleet.read(), fleet.read(), fleet.read()]);
    expect(asked).toBe(1);
    await fleet.read();
    expect(asked).toBe(2);
  });

  // A hundred open pages ask for the instances, each time: with all else it took a millisecond of the loop.
  test("asks for the records alone where nothing else is to be told", async () => {
    const asked: string[] = [];
    const roster = async () => {
      asked.push("roster");
      return { nowMs: 0, members: [] };
    };
    const fleet = fleetOn(
      async () => {
        asked.push("instances");
        return [record("z")];
      },
      true,
      { roster },
    );
    const [one, other] = await Promise.all([fleet.records(), fleet.records()]);
    expect(one.map(({ id }) => id)).toEqual(["m", "z"]);
    expect(other).toEqual(one);
    expect(asked).toEqual(["instances"]);
    await Promise.all([fleet.read(), fleet.records()]);
    expect(asked).toEqual(["instances", "instances", "roster"]);
  });
});

describe("what is under way in the fleet", () => {
  const counts = {
    legacy: { count: 1, atLeast: true, oldestStartedAt: 1_767_225_600 },
    new: { count: 0, atLeast: false, oldestStartedAt: undefined },
  };
  const known = new Map([["checkout", { journeys: counts }]]);
  const journeys = {
    legacy: { open: 1, atLeast: true, oldestStartedAt: "2026-01-01T00:00:00.000Z" },
    new: { open: 0, atLeast: false, oldestStartedAt: null },
  };
  const unknown = { journeys: null, unfinished: null };

  test("is told as of the last reading, and not at all once that is old or could not tell", async () => {
    const time = createManualTime();
    let figures: FiguresUnderWay = known;
    const fleet = createFleet(
      adminContext({
        store: { ...createMemoryStore({ clock: time }), instances: async () => [] },
        follower: {
          current: () => ({ states: new Map() }),
          onSwap: () => () => {},
          contact: () => ({ up: true, stalenessMs: 0 }),
          isStale: () => false,
          isDoubtful: () => false,
          refresh: async () => {},
        },
        instance: { id: "m", startedAt: "2025-03-01T00:00:00Z" },
        traffic: () => ({}),
        underWay: async () => figures,
        clock: time,
      }),
    );
    expect(fleet.underWay("checkout")).toEqual(unknown);
    await fleet.read();
    expect(fleet.underWay("checkout")).toEqual({ journeys, unfinished: null });
    expect(fleet.underWay("search")).toEqual(unknown);
    await time.advance(2501);
    expect(fleet.underWay("checkout")).toEqual(unknown);
    await fleet.read();
    expect(fleet.underWay("checkout").journeys).toEqual(journeys);
    figures = new Map([["checkout", { orders: counts }]]);
    await fleet.read();
    expect(fleet.underWay("checkout")).toEqual({ journeys: null, unfinished: journeys });
    figures = new Map();
    await fleet.read();
    expect(fleet.underWay("checkout")).toEqual(unknown);
  });
});
