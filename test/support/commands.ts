/** Short ways to ask a store for changes, and states by the words of the contract. */
import type { Fenced } from "../../src/state/rules/leases/lease.ts";
import type { Applied, Change, CutoverState, Role } from "../../src/state/rules/model.ts";
import type { LastGood } from "../../src/state/rules/succession.ts";
import type { Command, Store } from "../../src/state/store/port.ts";

export const noneKnown: LastGood = new Map();

export function setTo(percent: number): Change {
  return { action: "set", percentThousandths: Math.round(percent * 1000) };
}

export function command(
  name: string,
  change: Change,
  more: Partial<Command> = {},
  role: Role = "admin",
): Command {
  return { name, change, actor: { name: "ann", role }, reason: "because", ...more };
}

/** Applies each change; fails unless all are accepted. @returns the state after the last */
export async function applyAll(
  store: Store,
  name: string,
  changes: readonly Change[],
): Promise<CutoverState> {
  let last: Applied | Fenced | undefined;
  for (const change of changes) {
    last = await store.apply(command(name, change));
    if (!last.accepted) throw new Error(`${change.action}: ${last.code}`);
  }
  return last?.state ?? (await stateOf(store, name));
}

/** What an instance that knows nothing yet is told of the cutover. */
export async function stateOf(store: Store, name: string, lastGood?: CutoverState): Promise<CutoverState> {
  const known: LastGood = lastGood === undefined ? noneKnown : new Map([[name, lastGood]]);
  const state = (await store.load([name], known)).states.get(name);
  if (state === undefined) throw new Error(`nothing of ${name}`);
  return state;
}
