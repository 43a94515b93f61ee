/** What every instance decides by: one immutable object, swapped whole. */
import { inForce, type LocalChange } from "../rules/ceiling.ts";
import { sameState } from "../rules/lineage.ts";
import { type CutoverState, initialState } from "../rules/model.ts";
import { withStarts } from "../rules/percent.ts";
import type { LastGood } from "../rules/succession.ts";
import type { StartsOf } from "../store/port.ts";

export interface Snapshot {
  /** The state of every configured cutover, with a percent for each of its cohorts that has one of its own. */
  readonly states: ReadonlyMap<string, CutoverState>;
  /** The store's own, as far as it has them; without it, `states`. */
  readonly stored?: LastGood;
  /** The cutovers whose state was lowered on this instance alone (local-changes.ts); without it, none. */
  readonly local?: ReadonlySet<string>;
}

/** How an instance's writing to the store goes. Ages in ms; `Infinity`: it never was. */
export interface Writing {
  /** Of the sending of the last record that the store has taken. */
  readonly writtenAgoMs: number;
  /** Since when records are taken again; 0 while they are not; `Infinity`: they always were. */
  readonly troubledAgoMs: number;
  /** Since another instance was last silent that has not left: it may be cut off, and know what the store does not. */
  readonly silentAgoMs: number;
}

/** A record is due each second: one that is taken this long after it is late. */
const writtenWithinMs = 1500;
/** How long an instance that was cut off may take to hand in what it knows, or to say that it cannot. */
const handedInMs = 5000;

/** @param forMs how long records must be taken before writing goes well */
export function isDoubtful({ writtenAgoMs, troubledAgoMs, silentAgoMs }: Writing, forMs: number): boolean {
  return writtenAgoMs > writtenWithinMs || troubledAgoMs < forMs || silentAgoMs < handedInMs;
}

/** How a process stands with the store. */
export interface Contact {
  /** Whether the store answered the last load. */
  readonly up: boolean;
  /** How many ms have passed since it last did (or since the start). */
  readonly stalenessMs: number;
  /** The store's own word, where it answers and refuses: OOM, READONLY, NOPERM. It cannot be written. */
  readonly word?: string;
  /** For how many ms it has refused to be written, where it does. */
  readonly refusedForMs?: number;
}

/** The reading side of `follow.ts`. */
export interface Following {
  /** The snapshot in force. Answered from memory. */
  current(): Snapshot;
  /** Called after each swap, synchronously, before the swap is acknowledged. @returns the way out */
  onSwap(listener: (snapshot: Snapshot, previous: Snapshot) => void): () => void;
  contact(): Contact;
  /**
   * Whether the contact with the store that counts (completion.ts) is longer ago than that, or there never was one.
   * For the request path: allocates nothing.
   */
  isStale(afterMs: number): boolean;
  /**
   * Whether the store may not know what it should: it does not take what this instance writes, or has not for so long
   * without a break; or another instance may be cut off. For the request path.
   */
  isDoubtful(forMs: number): boolean;
  /** Reads the store now; resolves when what it holds is in force, or the store did not answer. */
  refresh(): Promise<void>;
}

/** The snapshot follows from these alone. */
export interface Basis {
  /** The names of every configured cutover. */
  readonly names: readonly string[];
  /** The store's. */
  readonly lastGood: LastGood;
  /** Made on this instance alone, and not accepted by the store yet; oldest first. */
  readonly local: readonly LocalChange[];
}

/** What is in force on this instance, and why. */
export interface InForce extends Pick<Following, "current" | "onSwap"> {
  basis(): Basis;
  /** Goes on to these. @returns whether the snapshot was swapped; its listeners have heard of it then */
  take(next: Partial<Basis>): boolean;
}

interface InForceOptions {
  readonly names: readonly string[];
  readonly starts: StartsOf;
  /** Called for each cutover that differs, before the listeners. */
  readonly onSwapped: (name: string, from: CutoverState, to: CutoverState) => void;
  readonly onListenerFailed: (error: unknown) => void;
}

export function createInForce({ names, starts, onSwapped, onListenerFailed }: InForceOptions): InForce {
  const listeners = new Set<(snapshot: Snapshot, previous: Snapshot) => void>();
  let basis: Basis = { names, lastGood: new Map(), local: [] };
  let snapshot = snapshotOf(basis, starts);
  return {
    current: () => snapshot,
    basis: () => basis,
    onSwap(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    take(next) {
      basis = { ...basis, ...next };
      const previous = snapshot;
      const candidate = snapshotOf(basis, starts);
      const changed = basis.names.filter((name) => !sameIn(name, previous, candidate));
      if (changed.length === 0 && basis.names.length === previous.states.size) return false;
      snapshot = candidate;
      for (const name of changed) onSwapped(name, stateIn(previous, name), stateIn(candidate, name));
      for (const listener of [...listeners]) {
        try {
          listener(candidate, previous);
        } catch (error) {
          onListenerFailed(error);
        }
      }
      return true;
    },
  };
}

/** One of which nothing is known stands at percent 0, open. */
export function stateIn(snapshot: Snapshot, name: string): CutoverState {
  return snapshot.states.get(name) ?? initialState();
}

/** The last good states of the named cutovers, lowered to what was changed here alone. */
function snapshotOf({ names, lastGood, local }: Basis, starts: StartsOf): Snapshot {
  const lowered = new Set<string>();
  const states = names.map((name) => {
    const state = withStarts(lastGood.get(name) ?? initialState(), starts(name));
    const here = inForce(
      state,
      local.filter((change) => change.name === name),
    );
    // A change that asks for what the fleet has is offered to the store all the same, and lowers nothing.
    if (here !== state) lowered.add(name);
    return [name, here] as const;
  });
  return { states: new Map(states), stored: lastGood, local: lowered };
}

/** Whether the cutover stands in both, alike, and is or is not lowered here alone in both. */
export function sameIn(name: string, one: Snapshot, other: Snapshot): boolean {
  const [state, otherState] = [one.states.get(name), other.states.get(name)];
  if (state === undefined || otherState === undefined || !sameState(state, otherState)) return false;
  return (one.local?.has(name) === true) === (other.local?.has(name) === true);
}
