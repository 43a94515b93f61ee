/** Instances that carry out one plan on one store, by a clock that a test sets; each may be killed at any call. */
import { occurrences } from "../../../src/config/plan/cron.ts";
import { type PlanRecord, type PlanSpec, planText, readPlan, startedPlan } from "../../../src/plan/plan.ts";
import type { Circumstances } from "../../../src/plan/steps.ts";
import { createSteward, type Steward } from "../../../src/plan/steward/steward.ts";
import { createTimekeeper } from "../../../src/plan/steward/timekeeper.ts";
import { createWindows } from "../../../src/plan/windows.ts";
import type { Fence } from "../../../src/state/rules/leases/lease.ts";
import type { NoteName } from "../../../src/state/rules/leases/note.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { Store } from "../../../src/state/store/port.ts";
import { stateOf } from "../../support/commands.ts";
import { createRecordedLog } from "../../support/recorded-log.ts";

export const name = "checkout";

type Call = "note" | "writeNote" | "apply" | "history";

interface Death {
  /** Of the calls to the store from then on; the first of its kind from that one on. */
  readonly atCall: number;
  readonly on?: Call | undefined;
  /** Whether that call is made still, and its answer lost. */
  readonly isMade: boolean;
}

interface Process {
  readonly steward: Steward;
  /** Takes or renews the lease, and looks; until it has died in that. */
  turn(): Promise<void>;
  killAt(death: Death): void;
  isDead(): boolean;
  /** At which call it died; `undefined`: it lives. */
  diedAt(): Call | undefined;
}

export function createPlanFleet({
  spec,
  startMs = 0,
}: {
  readonly spec: PlanSpec;
  readonly startMs?: number;
}) {
  const time = { wallMs: startMs, monotonicMs: 0 };
  const clock = { now: () => time.wallMs, monotonic: () => time.monotonicMs };
  const memory = createMemoryStore({ clock });
  /** By the name of a note: the revision up to which the store has lost what was written. */
  const lost = new Map<string, number>();
  const store: Store = {
    ...memory,
    async note(of, what) {
      const base = lost.get(what) ?? 0;
      const { revision, text } = await memory.note(of, what);
      return revision === base && base > 0 ? { revision: 0, text: "" } : { revision: revision - base, text };
    },
    writeNote: (of, what, writing) =>
      memory.writeNote(of, what, { ...writing, ifRevision: writing.ifRevision + (lost.get(what) ?? 0) }),
  };
  const windows = createWindows(spec.windows, occurrences);
  const around = {
    configured: spec as PlanSpec | undefined,
    guard: "unguarded" as Circumstances["guard"],
    legacy: undefined as Circumstances["legacy"],
    freeze: undefined as Circumstances["freeze"],
  };

  async function start(percentThousandths = 0): Promise<void> {
    const { revision } = await store.note(name, "plan");
    const { version } = await stateOf(store, name);
    const at = new Date(time.wallMs).toISOString();
    const record = startedPlan(undefined, {
      ...{ id: "p", spec, by: "anna", reason: "go", at, percentThousandths, version },
    });
    await store.writeNote(name, "plan", { text: planText(record), ifRevision: revision });
  }

  async function open(holder: string, leadsForMs = 3000): Promise<Process> {
    let death: Death | undefined;
    let calls = 0;
    let isDead = false;
    let diedAt: Call | undefined;
    let die = () => {};
    const dying = new Promise<void>((resolve) => {
      die = resolve;
    });
    const mortal = <Arguments extends readonly unknown[], T>(
      call: Call,
      work: (...asked: Arguments) => Promise<T>,
    ) => {
      return async (...asked: Arguments): Promise<T> => {
        calls += 1;
        const isMeant = death !== undefined && calls >= death.atCall && (death.on ?? call) === call;
        const dies = isMeant && !isDead;
        if (dies) [isDead, diedAt] = [true, call];
        if (dies && death?.isMade === true) await work(...asked);
        if (isDead) die();
        return isDead ? new Promise<never>(() => {}) : work(...asked);
      };
    };
    let fence: Fence | undefined;
    let state = await stateOf(store, name);
    const parts = {
      name,
      store: {
        note: mortal("note", store.note),
        writeNote: mortal("writeNote", store.writeNote),
        apply: mortal("apply", store.apply),
        history: mortal("history", store.history),
      } satisfies Pick<Store, "note" | "writeNote" | "apply" | "history">,
      leadership: () => ({
        fence: () => fence,
        refused: () => {
          fence = undefined;
        },
      }),
      clock,
      log: createRecordedLog(),
      configured: () => around.configured,
      state: () => state,
      guard: async () => around.guard,
      legacy: async () => around.legacy,
      closed: async () => ({ window: windows.against(time.wallMs), freeze: around.freeze }),
    };
    const steward = createSteward(parts);
    const timekeeper = createTimekeeper({ ...parts, onWaiting: () => {} });
    return {
      steward,
      async turn() {
        if (isDead) return;
        state = await stateOf(store, name);
        const leased = await store.lease(`${name}/watch`, holder, leadsForMs);
        fence = leased.granted ? { lease: `${name}/watch`, token: leased.token } : undefined;
        await Promise.race([timekeeper.look().then(() => steward.look()), dying]);
      },
      killAt(next) {
        death = { ...next, atCall: calls + next.atCall };
      },
      isDead: () => isDead,
      diedAt: () => diedAt,
    };
  }

  return {
    store,
    time,
    around,
    start,
    open,
    /** As a store that was emptied. */
    async loses(what: NoteName) {
      lost.set(what, (await memory.note(name, what)).revision);
    },
    pass(ms: number) {
      time.wallMs += ms;
      time.monotonicMs += ms;
    },
    async record(): Promise<PlanRecord> {
      const record = readPlan((await store.note(name, "plan")).text);
      if (record === undefined) throw new Error("there is no plan");
      return record;
    },
    state: () => stateOf(store, name),
  };
}

export type PlanFleet = ReturnType<typeof createPlanFleet>;
