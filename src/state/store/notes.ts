/** The notes of a store of one process: they are part of its document, and as durable. */
import { isFenced, type Lease } from "../rules/lease.ts";
import { assertNote } from "../rules/note.ts";
import type { StateDocument, Step } from "./document.ts";
import type { Store } from "./port.ts";

interface Surroundings {
  current(): StateDocument;
  change<T>(work: (before: StateDocument) => Step<T>): Promise<T>;
  lease(at: StateDocument, name: string): Lease | undefined;
  /** The clock by which leases end. */
  monotonic(): number;
}

export function createNotes(around: Surroundings): Pick<Store, "note" | "writeNote"> {
  return {
    async note(name, what) {
      return around.current().notes.get(`${name}/${what}`) ?? noNote;
    },
    async writeNote(name, what, writing) {
      assertNote(name, writing);
      const { text, ifRevision, fence } = writing;
      return await around.change((before): Step<"written" | "moved" | "fenced"> => {
        const found = before.notes.get(`${name}/${what}`) ?? noNote;
        if (
          fence !== undefined &&
          isFenced(around.lease(before, fence.lease), fence.token, around.monotonic())
        ) {
          return { document: before, answer: "fenced" };
        }
        if (found.revision !== ifRevision) return { document: before, answer: "moved" };
        const notes = new Map(before.notes).set(`${name}/${what}`, { revision: ifRevision + 1, text });
        return { document: { ...before, notes }, answer: "written" };
      });
    },
  };
}

const noNote = { revision: 0, text: "" } as const;
