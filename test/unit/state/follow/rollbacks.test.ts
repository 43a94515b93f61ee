import { expect, test } from "vitest";
import { createRollbacks } from "../../../../src/state/follow/rollbacks.ts";
import type { Snapshot } from "../../../../src/state/follow/snapshot.ts";
import { type CutoverState, initialState } from "../../../../src/state/rules/model.ts";

function rig(first?: Partial<CutoverState>) {
  const of = (state?: Partial<CutoverState>): Snapshot => ({
    states: new Map(state === undefined ? [] : [["checkout", { ...initialState(), ...state }]]),
  });
  let current = of(first);
  const listeners: ((snapshot: Snapshot, previous: Snapshot) => void)[] = [];
  const rollbacks = createRollbacks({
    current: () => current,
    onSwap(listener) {
      listeners.push(listener);
      return () => {};
    },
  });
  return (state?: Partial<CutoverState>) => {
    if (state !== undefined) {
      const previous = current;
      current = of(state);
      for (const listener of listeners) listener(current, previous);
    }
    return rollbacks.leastVersion("checkout");
  };
}

test("changes that are followed one by one, and roll nothing back, leave it where it is", () => {
  const follow = rig({ version: 0 });
  expect([
    follow(),
    follow({ version: 1 }),
    follow({ version: 2, state: "held" }),
    follow({ version: 3 }),
  ]).toEqual([0, 0, 0, 0]);
});

test("it is behind a rollback, also one made here alone, and stays so after it is resumed", () => {
  const follow = rig({ version: 0 });
  follow({ version: 1 });
  expect(follow({ version: 2, state: "rolled_back" })).toBe(3);
  expect(follow({ version: 3 })).toBe(3);
  expect(follow({ version: 4 })).toBe(3);
  // In the snapshot of one instance, of which the store does not know yet.
  expect(follow({ version: 4, state: "rolled_back" })).toBe(5);
  expect(follow({ version: 4 })).toBe(5);
});

test("what was missed, or happened before the process began, may have been one", () => {
  expect(rig({ version: 7 })()).toBe(7);
  const follow = rig();
  expect(follow({ version: 7 })).toBe(7);
  expect(follow({ version: 8 })).toBe(7);
  expect(follow({ version: 11 })).toBe(11);
});
