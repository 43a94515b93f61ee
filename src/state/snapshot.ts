/** What every instance decides by: one immutable object, swapped whole (follow.ts). */
import type { CutoverState } from "./model.ts";

export interface Snapshot {
  /** The state of every configured cutover. */
  readonly states: ReadonlyMap<string, CutoverState>;
}

/** The reading side of `follow.ts`. */
export interface Following {
  /** The snapshot in force. Answered from memory. */
  current(): Snapshot;
  /** Called after each swap, synchronously, before the swap is acknowledged. @returns the way out */
  onSwap(listener: (snapshot: Snapshot, previous: Snapshot) => void): () => void;
  /** Whether the store answered the last call, and how many ms have passed since it last did. */
  contact(): { readonly up: boolean; readonly stalenessMs: number };
  /** Reads the store now; resolves when what it holds is in force, or the store did not answer. */
  refresh(): Promise<void>;
}
