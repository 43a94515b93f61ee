/** What every instance decides by: one immutable object, swapped whole (follow.ts). */
import { sameState } from "../rules/lineage.ts";
import { type CutoverState, initialState } from "../rules/model.ts";
import type { LastGood } from "../rules/succession.ts";

export interface Snapshot {
  /** The state of every configured cutover. */
  readonly states: ReadonlyMap<string, CutoverState>;
  /** The cutovers whose state was lowered on this instance alone (local-changes.ts); without it, none. */
  readonly local?: ReadonlySet<string>;
}

/** The reading side of `follow.ts`. */
export interface Following {
  /** The snapshot in force. Answered from memory. */
  current(): Snapshot;
  /** Called after each swap, synchronously, before the swap is acknowledged. @returns the way out */
  onSwap(listener: (snapshot: Snapshot, previous: Snapshot) => void): () => void;
  /** Whether the store answered the last load, and how many ms have passed since it last did (or since the start). */
  contact(): { readonly up: boolean; readonly stalenessMs: number };
  /**
   * Whether the contact with the store that counts (completion.ts) is longer ago than that, or there never was one.
   * For the request path: allocates nothing.
   */
  isStale(afterMs: number): boolean;
  /** Reads the store now; resolves when what it holds is in force, or the store did not answer. */
  refresh(): Promise<void>;
}

/** The last good states of the named cutovers; one of which nothing is known stands at percent 0, open. */
export function snapshotOf(
  names: readonly string[],
  lastGood: LastGood,
  local: ReadonlySet<string> = new Set(),
): Snapshot {
  return { states: new Map(names.map((name) => [name, lastGood.get(name) ?? initialState()])), local };
}

/** Whether the cutover stands in both, alike, and is or is not lowered here alone in both. */
export function sameIn(name: string, one: Snapshot, other: Snapshot): boolean {
  const [state, otherState] = [one.states.get(name), other.states.get(name)];
  if (state === undefined || otherState === undefined || !sameState(state, otherState)) return false;
  return (one.local?.has(name) === true) === (other.local?.has(name) === true);
}
