/**
 * What an instance goes on to from the states it has followed. PURE.
 *
 * A change that is announced is followed without a look at the store when it was made from just the state that is
 * followed, and either was told by the server that states are read from or lowers. Told by another one (a primary that
 * was replaced and does not know it, a node of a Cluster) a raise may be a change that nobody else knows of: the store is
 * asked. Asked or not, the next read holds what was followed against the store (lineage.ts).
 */
import { sameState } from "./lineage.ts";
import { type CutoverState, initialState, type StateName } from "./model.ts";
import { cohortPercent } from "./percent.ts";
import { type Routing, sameRouting } from "./routing.ts";

/** The last good state of each cutover the caller knows; a cutover it knows nothing of is absent. */
export type LastGood = ReadonlyMap<string, CutoverState>;

/** A change, as it is announced. */
export interface Announcement {
  readonly name: string;
  /** What the change was made from. */
  readonly from: Pick<
    CutoverState,
    "percentThousandths" | "cohorts" | "state" | "pinEpoch" | "version" | "updatedAt"
  >;
  readonly state: CutoverState;
  /** Whether the server that answers `load` told it: of what another one tells, that one may know nothing. */
  readonly isSure: boolean;
}

/** `known`: followed already. `ask`: the store is to be read. */
type Succession = "follow" | "known" | "ask";

export function successionOf(kept: CutoverState | undefined, announced: Announcement): Succession {
  const current = kept ?? initialState();
  const { state, isSure } = announced;
  if (sameState(current, state)) return "known";
  const isNext = state.version === current.version + 1 && isMadeFrom(current, announced);
  return isNext && (isSure || isLower(current, state)) ? "follow" : "ask";
}

function isMadeFrom(current: CutoverState, { from }: Announcement): boolean {
  return (
    from.version === current.version && from.updatedAt === current.updatedAt && sameRouting(from, current)
  );
}

/** How firmly a state is latched. What is closed sends everybody to new. */
const firmness = { closed: -1, open: 0, held: 1, rolled_back: 2 } as const satisfies Record<
  StateName,
  number
>;

function isLower(from: Routing, to: Routing): boolean {
  return (
    to.percentThousandths <= from.percentThousandths &&
    // One that was not there before may have stood lower, by the configuration.
    Object.entries(to.cohorts ?? {}).every(
      ([name, percent]) => percent <= (cohortPercent(from.cohorts, name) ?? 0),
    ) &&
    to.pinEpoch >= from.pinEpoch &&
    firmness[to.state] >= firmness[from.state]
  );
}

interface Accepted {
  readonly states: LastGood;
  /** The cutovers that the store offered at a lower version than was followed. */
  readonly steppedBack: readonly { readonly name: string; readonly kept: number; readonly offered: number }[];
  /** Whether something else was followed while the answer was under way: what was offered was not held against it. */
  readonly isOutrun: boolean;
}

/**
 * The last good states with what was loaded, no version going back.
 *
 * @param asked the last good states the store was asked with, `lastGood` those of now
 */
export function accept(
  names: readonly string[],
  asked: LastGood,
  lastGood: LastGood,
  loaded: { readonly states: LastGood },
): Accepted {
  const states = new Map(lastGood);
  const steppedBack: { name: string; kept: number; offered: number }[] = [];
  let isOutrun = false;
  for (const name of names) {
    const offered = loaded.states.get(name);
    if (offered === undefined) continue;
    const kept = lastGood.get(name);
    if (kept !== undefined && kept !== asked.get(name) && !sameState(kept, offered)) isOutrun = true;
    else if (kept !== undefined && offered.version < kept.version)
      steppedBack.push({ name, kept: kept.version, offered: offered.version });
    else states.set(name, offered);
  }
  return { states, steppedBack, isOutrun };
}
