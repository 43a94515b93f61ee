/**
 * Gradual returns under whatever people, the guard and dying leaders do: no shopper is moved to new but by who raises, no
 * step is larger than a twelfth, and what is asked for is reached. On a real store in memory, over fake time; the wall
 * clocks of the instances go as they like.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { partAt, stepsOfReturn } from "../../src/plan/returning/return.ts";
import { createReturns } from "../../src/plan/returning/returns.ts";
import { type Change, type CutoverState, initialState } from "../../src/state/rules/model.ts";
import { createMemoryStore } from "../../src/state/store/in-process.ts";
import { createManualTime } from "../support/manual-time.ts";
import { createRecordedLog } from "../support/recorded-log.ts";

const overMs = 60_000;
const name = "checkout";
const config = { cutovers: { [name]: { return: { over: overMs } } } } as never;
const lease = `${name}/watch`;

type Action =
  | { readonly kind: "pass"; readonly seconds: number }
  | { readonly kind: "lower" | "raise"; readonly share: number }
  | { readonly kind: "gradual" | "rollback" | "hold" | "resume" | "stay" | "kill" | "freeze" };

const actions = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), seconds: fc.integer({ min: 1, max: 40 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("lower" as const, "raise" as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          "gradual" as const,
          "rollback" as const,
          "hold" as const,
          "resume" as const,
          "stay" as const,
          "kill" as const,
          "freeze" as const,
        ),
      }),
    },
  ),
  { minLength: 1, maxLength: 25 },
);

/** Two instances; one of them leads, by turns. Their wall clocks are an hour apart. */
async function createFleet() {
  const time = createManualTime();
  const store = createMemoryStore({ clock: time });
  let stands: CutoverState = initialState();
  /** What a person has asked for just now may raise, or lower at once; nothing else may. */
  const asked = { raises: false, atOnce: false, range: 0 };
  const faults: string[] = [];
  async function read() {
    const before = stands.percentThousandths;
    stands = (await store.load([name], new Map())).states.get(name) ?? stands;
    const lowered = before - stands.percentThousandths;
    if (lowered < 0 && !asked.raises) faults.push(`raised from ${before} by ${-lowered}`);
    const most = Math.ceil(asked.range / stepsOfReturn) + 1;
    if (lowered > most && !asked.atOnce)
      faults.push(`lowered from ${before} by ${lowered}, of ${asked.range}`);
  }
  const apply = async (change: Change, allowed: { raises?: boolean; atOnce?: boolean } = {}) => {
    Object.assign(asked, { raises: false, atOnce: false, ...allowed });
    const actor = { name: "ana", role: "admin" } as const;
    const applied = await store.apply({ name, change, actor, reason: "test" });
    await read();
    Object.assign(asked, { raises: false, atOnce: false });
    return applied;
  };
  let hours = 0;
  const wallClock = () => {
    hours = (hours + 7) % 24;
    return time.now() + hours * 3_600_000;
  };
  const fences = new Map<string, number>();
  async function lead(id: string) {
    await time.advance(3001);
    const granted = await store.lease(lease, id, 3_600_000);
    if (!granted.granted) throw new Error("it is led");
    fences.set(id, granted.token);
  }
  function open(id: string) {
    const of = { isFrozen: false };
    const late: (() => void)[] = [];
    const returns = createReturns(() => config, {
      store: {
        note: store.note,
        writeNote: store.writeNote,
        async apply(command) {
          const applied = await store.apply(command);
          await read();
          return applied;
        },
      },
      follower: { current: () => ({ states: new Map([[name, stands]]) }) },
      leaderships: {
        of: () => {
          const token = fences.get(id);
          if (token === undefined) return undefined;
          return { fence: () => ({ lease, token }), refused: () => fences.delete(id) } as never;
        },
      },
      clock: { now: wallClock, monotonic: time.monotonic },
      timers: {
        after: (ms, run) => time.after(ms, () => (of.isFrozen ? void late.push(run) : run())),
      },
      log: createRecordedLog(),
    });
    return {
      ...{ id, returns, of },
      thaw() {
        of.isFrozen = false;
        for (const run of late.splice(0)) run();
      },
    };
  }
  let leader = open("i0");
  const all = [leader];
  await lead(leader.id);
  await apply({ action: "set", percentThousandths: 100_000 }, { raises: true });
  return {
    ...{ time, apply, faults },
    stands: () => stands,
    returning: () => leader.returns.known(name),
    /** As the API begins it. */
    async lower(to: number): Promise<boolean> {
      const from = stands.percentThousandths;
      if (to >= from) return false;
      if (leader.returns.known(name)?.kind === "rollback") {
        await apply({ action: "set", percentThousandths: to }, { atOnce: true });
        return false;
      }
      asked.range = from - to;
      const first = partAt({ from, to }, 1);
      const applied = await apply({ action: "set", percentThousandths: first });
      if (!applied.accepted) return false;
      const { version } = applied.state;
      const parts = [{ from, to }];
      await leader.returns.begin(name, { kind: "lower", by: "ana", reason: "", parts, made: 1, version });
      return true;
    },
    async stay() {
      const before = stands.percentThousandths;
      if (leader.returns.known(name)?.kind !== "lower") return;
      await leader.returns.end(name, "set to where it stands");
      await time.advance(overMs);
      if (stands.percentThousandths !== before) faults.push(`it did not stay at ${before}`);
    },
    async rollBack(): Promise<boolean> {
      const from = stands.percentThousandths;
      if (from === 0) return false;
      const held = await apply({ action: "hold" });
      if (!held.accepted) return false;
      asked.range = from;
      const { version } = held.state;
      const parts = [{ from, to: 0 }];
      await leader.returns.begin(name, { kind: "rollback", by: "ana", reason: "", parts, made: 0, version });
      return true;
    },
    async changeLeader(how: "kill" | "freeze") {
      const gone = leader;
      if (how === "kill") gone.returns.stop();
      else gone.of.isFrozen = true;
      await store.release(lease, fences.get(gone.id) ?? 0);
      leader = open(`i${all.length}`);
      all.push(leader);
      await lead(leader.id);
      if (how === "freeze") gone.thaw();
    },
    stop() {
      for (const { returns } of all) returns.stop();
    },
  };
}

type Fleet = Awaited<ReturnType<typeof createFleet>>;

/** What is to be in the end; `undefined`: it hangs on what was made before. */
type Goal = { readonly percent: number; readonly isRolledBack: boolean } | undefined;

async function act(fleet: Fleet, action: Action, goal: Goal): Promise<Goal> {
  const stands = fleet.stands();
  switch (action.kind) {
    case "pass":
      await fleet.time.advance(action.seconds * 1000);
      return goal;
    case "lower": {
      const to = Math.floor(stands.percentThousandths * action.share);
      return (await fleet.lower(to)) ? { percent: to, isRolledBack: false } : goal;
    }
    case "raise": {
      const to = Math.floor(stands.percentThousandths + (100_000 - stands.percentThousandths) * action.share);
      if (to === stands.percentThousandths) return goal;
      const raised = await fleet.apply({ action: "set", percentThousandths: to }, { raises: true });
      return raised.accepted ? { percent: to, isRolledBack: false } : goal;
    }
    case "gradual":
      return (await fleet.rollBack()) ? { percent: 0, isRolledBack: true } : goal;
    case "rollback":
      await fleet.apply({ action: "rollback" }, { atOnce: true });
      return { percent: 0, isRolledBack: true };
    case "stay":
      await fleet.stay();
      return undefined;
    case "hold":
      await fleet.apply({ action: "hold" });
      return goal;
    case "resume":
      // It ends a gradual rollback where it is, if that is looked at before the next change.
      await fleet.apply({ action: "resume" });
      return undefined;
    default:
      await fleet.changeLeader(action.kind);
      return goal;
  }
}

const seed = Number(process.env.FC_SEED ?? Date.now());
const numRuns = process.env.CUTOVER_BARS === "full" ? 500 : 60;

test(`nobody is moved to new by a return, no step is larger than a twelfth, and it comes where it was to, seed ${seed}`, async () => {
  await fc.assert(
    fc.asyncProperty(actions, async (asked) => {
      const fleet = await createFleet();
      let goal: Goal = { percent: 100_000, isRolledBack: false };
      for (const action of asked) goal = await act(fleet, action, goal);
      await fleet.time.advance(2 * overMs);
      fleet.stop();
      expect(fleet.faults).toEqual([]);
      expect(fleet.returning()).toBeUndefined();
      if (goal === undefined) return;
      const { percentThousandths, state } = fleet.stands();
      expect({ percent: percentThousandths, isRolledBack: state === "rolled_back" }).toEqual(goal);
    }),
    { seed, numRuns },
  );
});
