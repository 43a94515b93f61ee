/** The loop over fake time: attempts in, changes of a real store out. */
import { describe, expect, test } from "vitest";
import { StoreUnavailable } from "../../../../src/base/errors.ts";
import { createChance } from "../../../../src/guard/simulate/chance.ts";
import type { GuardAction } from "../../../../src/guard/verdict/verdict.ts";
import { createWatch, guardActor } from "../../../../src/guard/watch/watch.ts";
import { createAttemptsWindow } from "../../../../src/guard/window/attempts.ts";
import type { LocalWrites } from "../../../../src/state/follow/local-changes.ts";
import {
  type Actor,
  type Change,
  type CutoverState,
  initialState,
} from "../../../../src/state/rules/model.ts";
import { createMemoryStore } from "../../../../src/state/store/in-process.ts";
import type { Command } from "../../../../src/state/store/port.ts";
import { createManualTime } from "../../../support/manual-time.ts";
import { createRecordedLog } from "../../../support/recorded-log.ts";

interface Wished {
  readonly action?: GuardAction;
  readonly instances?: number;
  readonly seed?: number;
  /** The store answers nobody. */
  readonly isCutOff?: boolean;
}

/** A cutover at 50%, 20 attempts a second, each by another shopper. */
async function create({ action, instances = 1, seed = 1, isCutOff = false }: Wished = {}) {
  const time = createManualTime();
  const times = { blockMs: 2000, quickAfterMs: 1000, lateAfterMs: 10_000 };
  const window = createAttemptsWindow(times);
  const store = createMemoryStore({ clock: time });
  const log = createRecordedLog();
  const chance = createChance(seed);
  let state: CutoverState = initialState();
  let nextBucket = 0;
  const local: Parameters<LocalWrites["makeLocally"]>[0][] = [];
  const read = async () => {
    const { states } = await store.load(["checkout"], new Map());
    state = states.get("checkout") ?? state;
  };
  const ask = async (change: Change, actor: Actor = { name: "ana", role: "admin" }) => {
    await store.apply({ name: "checkout", change, actor, reason: "test" });
    await read();
    window.renew();
  };
  await ask({ action: "set", percentThousandths: 50_000 });
  const watch = createWatch({
    name: "checkout",
    times,
    evidence: { alpha: 0.01, blocksADay: 43_200, tolerance: 1, mostFailing: 0.1, minFailures: 3 },
    action,
    reports: () => [window.report(time.monotonic())],
    blockClockMs: time.monotonic,
    state: () => state,
    instances: () => instances,
    store: {
      apply: async (command: Command) => {
        if (isCutOff) throw new StoreUnavailable("cut off");
        const applied = await store.apply(command);
        await read();
        return applied;
      },
    },
    local: {
      makeLocally(asked) {
        local.push(asked);
        state = { ...state, state: asked.action === "hold" ? "held" : "rolled_back", percentThousandths: 0 };
        return { accepted: true, changed: true, state };
      },
    },
    timers: time,
    clock: time,
    log,
    onJudged: () => {},
    onActed: () => {},
  });

  /** @param failing the shares of attempts that fail at once */
  async function serve(seconds: number, failing: { readonly legacy: number; readonly onNew: number }) {
    for (let step = 0; step < seconds * 10; step += 1) {
      for (const side of ["legacy", "onNew"] as const) {
        nextBucket = (nextBucket + 1) % 100_000;
        window.arrived(time.monotonic(), side, nextBucket);
        if (chance.uniform() < failing[side])
          window.failed(time.monotonic(), time.monotonic(), side, nextBucket);
      }
      await time.advance(100);
    }
  }
  const history = async () => store.history("checkout", 10);
  return { time, watch, serve, ask, history, local, lines: log.lines, state: () => state };
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
    const { serve, history, state, watch } = await create({ action: "rollback" });
    await serve(30, { legacy: 1, onNew: 1 });
    expect(state()).toMatchObject({ state: "held", percentThousandths: 50_000 });
    expect((await history()).map(({ action }) => action)).toEqual(["hold", "set"]);
    expect(watch.judgement()?.verdict).toBe("both sick");
  });

  test("a legacy in maintenance is never rolled back onto, however new fails, and is again once it serves", async () => {
    const { time, serve, ask, history, state, watch } = await create({ action: "rollback" });
    const until = new Date(time.now() + 3_600_000).toISOString();
    await ask({ action: "maintain", side: "legacy", until });
    await serve(10, outage);
    expect(state()).toMatchObject({ state: "held", percentThousandths: 50_000 });
    expect((await history()).map(({ action }) => action)).toEqual(["hold", "maintain", "set"]);
    expect((await history())[0]?.reason).toContain("since legacy is in maintenance");
    expect(["legacy sick", "both sick"]).toContain(watch.judgement()?.verdict);
    await ask({ action: "maintain", side: "legacy", until: null });
    await serve(10, outage);
    expect(state().state).toBe("rolled_back");
  });

  test("alert says it once and changes nothing", async () => {
    const { serve, history, lines, watch } = await create({ action: "alert" });
    await serve(20, outage);
    expect(await history()).toHaveLength(1);
    expect(watch.judgement()).toMatchObject({ verdict: "worse", action: "alert" });
    expect(lines.filter(({ fields }) => fields.verdict === "worse")).toHaveLength(1);
  });

  test("sides that are equal are left alone, and said to be proven in time", async () => {
    const { serve, history, watch } = await create({ seed: 5 });
    await serve(600, well);
    expect(await history()).toHaveLength(1);
    expect(["healthy", "insufficient evidence"]).toContain(watch.judgement()?.verdict);
  });

  test("one of several that watch takes its part of the budget alone", async () => {
    const alone = await create({ action: "rollback" });
    const ofMany = await create({ action: "rollback", instances: 1000 });
    for (const each of [alone, ofMany]) await each.serve(1.5, outage);
    expect(ofMany.watch.judgement()?.verdict).toBe(alone.watch.judgement()?.verdict);
  });

  test("while the store does not answer it acts on this instance alone", async () => {
    const { serve, local, state } = await create({ isCutOff: true });
    await serve(5, outage);
    expect(state().state).toBe("rolled_back");
    expect(local).toMatchObject([{ name: "checkout", action: "rollback", actor: guardActor }]);
  });

  test("without traffic for an hour nothing happens, and it says why", async () => {
    const { serve, time, history, watch } = await create();
    await serve(1, well);
    await time.advance(60_000);
    expect(await history()).toHaveLength(1);
    expect(watch.judgement()?.sentence).toContain("insufficient evidence");
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

  test("after another instance's guard has acted, this one's evidence begins anew with the resume, too", async () => {
    const { serve, ask, watch } = await create({ action: "alert" });
    await serve(5, outage);
    expect(watch.judgement()?.verdict).toBe("worse");
    await ask({ action: "rollback" }, guardActor);
    await serve(1, well);
    await ask({ action: "resume" });
    await ask({ action: "set", percentThousandths: 50_000 });
    await serve(90, well);
    expect(watch.judgement()?.verdict).not.toBe("worse");
  });

  test("what is at 0 or stopped is not judged", async () => {
    const { serve, ask, watch } = await create();
    await serve(4, well);
    expect(watch.judgement()).toBeDefined();
    await ask({ action: "set", percentThousandths: 0 });
    await serve(4, well);
    expect(watch.judgement()).toBeUndefined();
    watch.stop();
    await ask({ action: "set", percentThousandths: 50_000 });
    await serve(6, outage);
    expect(watch.judgement()).toBeUndefined();
  });
});
