import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import type { Via } from "../../../../src/state/rules/history.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import { createStoreCounts } from "../../../../src/state/store/metrics.ts";
import type { Store } from "../../../../src/state/store/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { samplesOf } from "../../telemetry/page.ts";

function opened(change: (store: Store) => Partial<Store> = () => ({})) {
  const registry = new Registry();
  const counts = createStoreCounts();
  counts.show(registry);
  const memory = createMemoryStore({ clock: createManualTime() });
  const store = counts.counted({ ...memory, ...change(memory) });
  /** Those of the name that are not 0, in the order of their text. */
  const counted = async (name: string) =>
    [...samplesOf(await registry.metrics())]
      .flatMap(([series, value]) =>
        value !== 0 && series.startsWith(name) ? `${series.slice(name.length)} ${value}` : [],
      )
      .sort();
  return { store, counted, registry };
}

const operator = { name: "anna", role: "operator" } as const;
const set = (percent: number, via: Via = "api") =>
  ({
    name: "checkout",
    change: { action: "set", percentThousandths: percent * 1000 },
    actor: operator,
    reason: "",
    origin: { via },
  }) as const;

test("a change is counted by what it was to do, by its way and by what came of it; all series are there from the start", async () => {
  const { store, counted, registry } = opened();
  expect(await registry.metrics()).toContain(
    'cutover_changes_total{action="rollback",via="guard",result="accepted"} 0',
  );
  await store.apply(set(5));
  await store.apply(set(5));
  await store.apply(set(6, "console"));
  await store.apply({ ...set(7, "plan"), ifVersion: 99 });
  expect(await counted("cutover_changes_total")).toEqual([
    '{action="set",via="api",result="accepted"} 1',
    '{action="set",via="api",result="unchanged"} 1',
    '{action="set",via="console",result="accepted"} 1',
    '{action="set",via="plan",result="refused"} 1',
  ]);
  expect(await counted("cutover_store_operations_total")).toEqual(['{operation="apply",result="ok"} 4']);
});

test("steps of a return and changes at a time were counted as calls of the API: each way an instance has is told", async () => {
  const { store, counted } = opened();
  await store.apply(set(9, "schedule"));
  await store.apply(set(8, "return"));
  expect(await counted("cutover_changes_total")).toEqual([
    '{action="set",via="return",result="accepted"} 1',
    '{action="set",via="schedule",result="accepted"} 1',
  ]);
});

test("a call is counted by whether the store answered, refused or did not answer, and its error is the caller's", async () => {
  const words = [undefined, "OOM"];
  const { store, counted } = opened(() => ({
    load: async () => {
      const word = words.shift();
      throw new StoreUnavailable("no", word === undefined ? {} : { word });
    },
    roster: async () => {
      throw new Error("a fault");
    },
    apply: async () => {
      throw new StoreUnavailable("no");
    },
  }));
  await expect(store.load([], new Map())).rejects.toThrow(StoreUnavailable);
  await expect(store.load([], new Map())).rejects.toThrow(StoreUnavailable);
  await expect(store.roster()).rejects.toThrow("a fault");
  await expect(store.apply(set(5))).rejects.toThrow(StoreUnavailable);
  expect(await counted("cutover_store_operations_total")).toEqual([
    '{operation="apply",result="unavailable"} 1',
    '{operation="load",result="refused"} 1',
    '{operation="load",result="unavailable"} 1',
    '{operation="roster",result="failed"} 1',
  ]);
  expect(await counted("cutover_changes_total")).toEqual(['{action="set",via="api",result="unavailable"} 1']);
});

test("every call is passed on with what it is asked, and what it answers", async () => {
  const told: unknown[] = [];
  const { store } = opened((memory) =>
    Object.fromEntries(
      Object.keys(memory)
        .filter((name) => name !== "kind" && name !== "close")
        .map((name) => [name, async (...of: unknown[]) => told.push(name, ...of)]),
    ),
  );
  for (const name of Object.keys(store)) {
    if (name === "kind" || name === "close" || name === "apply") continue;
    await Reflect.apply(Reflect.get(store, name), store, ["a", "b", "c"]);
    expect(told.splice(0)[0]).toBe(name);
  }
});
