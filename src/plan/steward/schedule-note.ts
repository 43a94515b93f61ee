/** What the store has of a cutover's schedule, as one process reads it: what the store loses meanwhile it gives back. */
import type { Log } from "../../base/log.ts";
import type { Fence } from "../../state/rules/leases/lease.ts";
import type { Store } from "../../state/store/port.ts";
import { readSchedule, type Schedule, scheduleText, withLost } from "../schedule.ts";

interface ScheduleNoteOptions {
  /** The cutover's. */
  readonly name: string;
  readonly store: Pick<Store, "note" | "writeNote">;
  readonly log: Log;
}

/** Each call throws StoreUnavailable. */
interface ScheduleNote {
  /** As it was last read, or written. */
  known(): Schedule;
  /** @returns its revision */
  read(): Promise<number>;
  write(next: Schedule, ifRevision: number, fence?: Fence): ReturnType<Store["writeNote"]>;
}

export function createScheduleNote({ name, store, log }: ScheduleNoteOptions): ScheduleNote {
  let known: Schedule = { entries: [] };
  let knownRevision = 0;

  async function read(): Promise<number> {
    const { revision, text } = await store.note(name, "schedule");
    const stands = readSchedule(text);
    // Revisions only rise: a store with an earlier one has lost what it had.
    const next = revision < knownRevision ? withLost(stands, known) : stands;
    [known, knownRevision] = [stands, revision];
    if (next === stands) return revision;
    log.warn({ cutover: name }, "the store has lost what was scheduled: it is given back");
    return (await write(next, revision)) === "written" ? knownRevision : await read();
  }

  async function write(next: Schedule, ifRevision: number, fence?: Fence) {
    const writing = { text: scheduleText(next), ifRevision, ...(fence === undefined ? {} : { fence }) };
    const written = await store.writeNote(name, "schedule", writing);
    if (written === "written") [known, knownRevision] = [next, ifRevision + 1];
    return written;
  }

  return { known: () => known, read, write };
}
