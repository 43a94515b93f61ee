import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createSignal } from "../../../src/base/signal.ts";
import { createPropagation } from "../../../src/state/follow/propagation.ts";
import type { Roll } from "../../../src/state/follow/roll.ts";
import type { Snapshot } from "../../../src/state/follow/snapshot.ts";
import { type CutoverState, initialState } from "../../../src/state/rules/model.ts";
import { addFleetMetrics } from "../../../src/telemetry/fleet-metrics.ts";
import { samplesOf } from "./page.ts";

const nowMs = Date.parse("2026-01-01T00:10:00.000Z");

function shown() {
  const registry = new Registry();
  const swapped = createSignal<[Snapshot, Snapshot]>();
  const contact = { up: true, stalenessMs: 0 };
  let states = new Map<string, CutoverState>();
  let members: ReturnType<Roll["members"]> = [];
  const proposals = new Map<string, { version: number; expiresAt: string }>();
  const propagation = createPropagation({ nowMs: () => nowMs });
  swapped.hear(propagation.saw);
  addFleetMetrics(registry, {
    propagation,
    following: {
      current: () => ({ states }),
      onSwap(listener) {
        swapped.hear(listener);
        return () => {};
      },
      contact: () => contact,
      isStale: () => false,
      refresh: async () => {},
      isDoubtful: () => false,
    },
    roll: { saw: () => {}, members: () => members, nowMs: () => nowMs },
    approved: () => ["checkout", "search"],
    async proposal(name) {
      if (name === "search") throw new Error("no answer");
      const found = proposals.get(name);
      return found && { id: "p", percentThousandths: 0, by: "a", reason: "", at: "", ...found };
    },
    clock: { now: () => nowMs },
  });
  return {
    scrape: async () => samplesOf(await registry.metrics()),
    contact,
    proposals,
    see: (lapsed: readonly boolean[]) => {
      members = lapsed.map((isLapsed, at) => ({
        id: `${at}`,
        startedAt: "",
        seenAt: "",
        seenAtMs: 0,
        versions: {},
        traffic: {},
        isLapsed,
      }));
    },
    swap(next: Record<string, Partial<CutoverState>>, local: readonly string[] = []) {
      const before = { states };
      states = new Map(Object.entries(next).map(([name, state]) => [name, { ...initialState(), ...state }]));
      swapped.tell({ states, local: new Set(local) }, before);
    },
  };
}

test("instances are live or silent", async () => {
  const { scrape, see } = shown();
  see([false, true, false]);
  const samples = await scrape();
  expect(samples.get('cutover_instances{state="live"}')).toBe(2);
  expect(samples.get('cutover_instances{state="silent"}')).toBe(1);
});

test("how long a change took is counted once for each, and nothing else: no new cutover, no local change, no clock ahead", async () => {
  const { scrape, swap } = shown();
  const at = (ms: number) => new Date(nowMs - ms).toISOString();
  swap({ checkout: { version: 3, updatedAt: at(60_000) } });
  swap({ checkout: { version: 4, updatedAt: at(40) }, search: { version: 9, updatedAt: at(90_000) } });
  swap({ checkout: { version: 5, updatedAt: at(-3) }, search: { version: 9, updatedAt: at(90_000) } });
  swap({ checkout: { version: 6, updatedAt: at(50_000) } }, ["checkout"]);
  const samples = await scrape();
  const bucket = (le: string) => samples.get(`cutover_propagation_seconds_bucket{le="${le}"}`);
  expect(["0.005", "0.025", "0.05", "600", "+Inf"].map(bucket)).toEqual([1, 1, 2, 2, 2]);
  expect(samples.get("cutover_propagation_seconds_sum")).toBeCloseTo(0.04, 9);
});

test("a proposal is open on the version in force and until its end; of what the store does not tell there is nothing", async () => {
  const { scrape, swap, proposals, contact } = shown();
  const open = async () => [...(await scrape())].filter(([series]) => series.includes("proposals"));
  const name = 'cutover_proposals_open{cutover="checkout"}';
  swap({ checkout: { version: 3 } });
  expect(await open()).toEqual([[name, 0]]);
  proposals.set("checkout", { version: 3, expiresAt: new Date(nowMs + 1).toISOString() });
  expect(await open()).toEqual([[name, 1]]);
  proposals.set("checkout", { version: 3, expiresAt: new Date(nowMs).toISOString() });
  expect(await open()).toEqual([[name, 0]]);
  proposals.set("checkout", { version: 2, expiresAt: new Date(nowMs + 1).toISOString() });
  expect(await open()).toEqual([[name, 0]]);
  contact.up = false;
  expect(await open()).toEqual([]);
});
