/**
 * Behind which version of a cutover nothing was rolled back, as far as this process can know: what began on new before that
 * is over. The state itself tells of a rollback only until it is resumed.
 *
 * Where versions were missed, or what happened before the process began, one may lie between: what is older does not count
 * then. Who began on new and was moved by raises alone is there by the bucket as well.
 */
import type { CutoverState } from "../rules/model.ts";
import type { Following } from "./snapshot.ts";

export interface Rollbacks {
  /** @returns the least version that is behind the last rollback */
  leastVersion(cutover: string): number;
  /** @returns when that was, in ms since the epoch, by the clock of whoever made the change */
  lastAtMs(cutover: string): number;
}

export function createRollbacks(following: Pick<Following, "current" | "onSwap">): Rollbacks {
  const least = new Map<string, { readonly version: number; readonly atMs: number }>();
  const note = (name: string, state: CutoverState, before: number | undefined) => {
    const atMs = Date.parse(state.updatedAt) || Number.NEGATIVE_INFINITY;
    if (state.state === "rolled_back") least.set(name, { version: state.version + 1, atMs });
    else if (before === undefined || state.version > before + 1)
      least.set(name, { version: state.version, atMs });
  };
  for (const [name, state] of following.current().states) note(name, state, undefined);
  following.onSwap(({ states }, previous) => {
    for (const [name, state] of states) {
      const before = previous.states.get(name)?.version;
      if (state.version !== before || state.state === "rolled_back") note(name, state, before);
    }
  });
  return {
    leastVersion: (cutover) => least.get(cutover)?.version ?? 0,
    lastAtMs: (cutover) => least.get(cutover)?.atMs ?? Number.NEGATIVE_INFINITY,
  };
}
