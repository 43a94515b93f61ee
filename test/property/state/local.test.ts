/** What is lowered on one instance stays lowered, whatever the order in which news and changes come together. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  inForce,
  judgeLocally,
  type LocalAction,
  type LocalChange,
  localActions,
} from "../../../src/state/rules/ceiling.ts";
import {
  type Change,
  type CutoverState,
  initialState,
  stateNames,
  transition,
} from "../../../src/state/rules/model.ts";
import { type Ceiling, lowered, type Routing, sameRouting } from "../../../src/state/rules/routing.ts";
import { createMemoryStore } from "../../../src/state/store/in-process.ts";
import type { Store } from "../../../src/state/store/port.ts";
import { createManualTime } from "../../support/manual-time.ts";

const seed = Number(process.env.FC_SEED ?? Date.now());
const runs = { seed, numRuns: 500, verbose: 1 } as const;

const percent = fc.oneof(fc.constantFrom(0, 1, 100_000), fc.integer({ min: 0, max: 100_000 }));
const pinEpoch = fc.integer({ min: 0, max: 4 });
const ceiling: fc.Arbitrary<Ceiling> = fc.oneof(
  fc.record({ percentThousandths: percent, state: fc.constant("held" as const), pinEpoch }),
  fc.record({ percentThousandths: fc.constant(0), state: fc.constant("rolled_back" as const), pinEpoch }),
);
const routing: fc.Arbitrary<Routing> = fc.oneof(
  ceiling,
  fc.record({ percentThousandths: percent, state: fc.constant("open" as const), pinEpoch }),
  fc.record({ percentThousandths: fc.constant(100_000), state: fc.constant("closed" as const), pinEpoch }),
);

/** Whether a request could go to new by the one that may not by the other: more percent, a weaker latch, older pins. */
function isAbove(one: Routing, bound: Routing): boolean {
  const rank = ({ state }: Routing) => stateNames.indexOf(state);
  return (
    one.percentThousandths > bound.percentThousandths ||
    rank(one) < rank(bound) ||
    one.pinEpoch < bound.pinEpoch
  );
}

test("lowering exceeds neither of the two, is one of order and repetition, and leaves what is closed", () => {
  fc.assert(
    fc.property(routing, ceiling, ceiling, (state, one, other) => {
      const both = lowered(lowered(state, one), other);
      const hint = `seed ${seed}`;
      expect(both, hint).toEqual(lowered(lowered(state, other), one));
      expect(lowered(both, one), hint).toEqual(both);
      if (state.state === "closed") expect(both, hint).toEqual(state);
      else for (const bound of [state, one, other]) expect(isAbove(both, bound), hint).toBe(false);
    }),
    runs,
  );
});

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ action: fc.constant("set" as const), percentThousandths: percent }) },
  {
    weight: 2,
    arbitrary: fc.record({ action: fc.constantFrom("rollback", "rollback_hard", "hold", "resume") }),
  },
);
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("store" as const), change }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("local" as const),
      instance: fc.nat({ max: 2 }),
      action: fc.constantFrom<LocalAction>(...localActions),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("follow" as const), instance: fc.nat({ max: 2 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("reconcile" as const), instance: fc.nat({ max: 2 }) }),
  },
);

interface Instance {
  known: CutoverState;
  pending: readonly LocalChange[];
}

const actor = { name: "ana", role: "admin" } as const;

async function reconcile(store: Store, instance: Instance): Promise<void> {
  for (const each of instance.pending) {
    const asked = { name: "checkout", actor, reason: "", lastGood: instance.known };
    const applied = await store.apply({ ...asked, change: { action: "reconciled", ceiling: each.ceiling } });
    expect(applied, `seed ${seed}`).toMatchObject({ accepted: true });
    instance.known = applied.state;
    // The moment of acceptance: what was in force with the change is not above what is without it.
    expect(isAbove(applied.state, each.ceiling), `seed ${seed}`).toBe(false);
  }
  instance.pending = [];
}

test("an instance never rises above what it was told until the store has it; then all agree at or below it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
      const hint = `seed ${seed}`;
      const store = createMemoryStore({ clock: createManualTime() });
      const fleet: Instance[] = [0, 1, 2].map(() => ({ known: initialState(), pending: [] }));
      const read = async () => (await store.load(["checkout"], new Map())).states.get("checkout");
      let ids = 0;
      for (const each of events) {
        if (each.kind === "store") {
          await store.apply({ name: "checkout", change: each.change, actor, reason: "" });
        } else {
          const instance = fleet[each.instance];
          if (instance === undefined) throw new Error("no such instance");
          if (each.kind === "local") {
            const request = { name: "checkout", action: each.action, actor, reason: "", at: "" };
            const origin = { id: String(ids++), instance: String(each.instance) };
            const before = inForce(instance.known, instance.pending);
            const { applied, made } = judgeLocally(instance.known, instance.pending, request, origin);
            const judged = transition(before, { change: { action: each.action }, actor, reason: "", at: "" });
            expect(applied.accepted, hint).toBe(judged.accepted);
            if (judged.accepted) expect(sameRouting(applied.state, judged.next), hint).toBe(true);
            if (made !== undefined) instance.pending = [...instance.pending, made];
          } else if (each.kind === "follow") {
            const state = await read();
            if (state !== undefined) instance.known = state;
          } else {
            await reconcile(store, instance);
          }
        }
        for (const { known, pending } of fleet) {
          const now = inForce(known, pending);
          for (const told of pending) expect(isAbove(now, told.ceiling), hint).toBe(false);
          expect(isAbove(now, known) && known.state !== "closed", hint).toBe(false);
        }
      }

      const owed = fleet.flatMap(({ pending }) => pending.map((each) => each.ceiling));
      const before = await read();
      for (const instance of fleet) await reconcile(store, instance);
      const after = await read();
      if (before === undefined || after === undefined) throw new Error("no state");
      expect(sameRouting(after, owed.reduce<Routing>(lowered, before)), hint).toBe(true);
      const history = await store.history("checkout", 1000);
      expect(
        history.map(({ version }) => version),
        hint,
      ).toEqual(Array.from({ length: after.version }, (_, at) => after.version - at));
    }),
    runs,
  );
});
