/**
 * Notes: texts of a cutover's own beside its state, as its plan and what is frozen. PURE.
 *
 * Each has a revision, +1 per writing, and is written only over the revision that its writer has read: of two who have read
 * the same one, one is told that the note has moved. Who acts under a lease writes under its fence, too.
 */
import { assertFence, type Fence } from "./lease.ts";

export type NoteName = "plan" | "freeze" | "schedule" | "return";

export interface Note {
  /** 0: there is none. */
  readonly revision: number;
  /** Empty where there is none, or none any more. */
  readonly text: string;
}

export interface NoteWriting {
  readonly text: string;
  /** The revision that was read. */
  readonly ifRevision: number;
  readonly fence?: Fence | undefined;
}

/** Characters. */
const longestNote = 200_000;

/** @throws RangeError when the text is too long, the revision is none, or the fence is none of the cutover's */
export function assertNote(cutover: string, { text, ifRevision, fence }: NoteWriting): void {
  if (text.length > longestNote) throw new RangeError(`${text.length} characters are too many for a note`);
  if (!Number.isSafeInteger(ifRevision) || ifRevision < 0) {
    throw new RangeError(`not a revision: ${ifRevision}`);
  }
  if (fence !== undefined) assertFence(cutover, fence);
}
