/**
 * A freeze of everything: until its end nothing is raised and nothing closed, in no cutover, unless somebody lifts it. PURE.
 *
 * It is kept as a note of the whole fleet (`everyCutover`), as what has happened: the last event says what is in force. Its
 * number grows by one with each, so that a store that has lost what it knew is found out by whoever knew more, and is
 * given it back: an emptied store lifts nothing.
 */
import * as z from "zod";
import type { Closed } from "./windows.ts";

/** In the place of a cutover's name, and none that a cutover could have. */
export const everyCutover = "*";

const freezeEvent = z.object({
  event: z.enum(["frozen", "lifted"]),
  /** RFC 3339. */
  at: z.string(),
  by: z.string(),
  reason: z.string(),
  /** Of a freeze: ms since the epoch. */
  untilMs: z.number().optional(),
});
type Happening = z.output<typeof freezeEvent>;

const freezeRecord = z.object({
  number: z.int().min(0),
  /** Newest first. */
  events: z.array(freezeEvent),
});
export type FreezeRecord = z.output<typeof freezeRecord>;

export const neverFrozen: FreezeRecord = { number: 0, events: [] };

/** What is in force of it. */
export interface Freeze extends Closed {
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

const mostEvents = 20;

export function happened(record: FreezeRecord, event: Happening): FreezeRecord {
  return { number: record.number + 1, events: [event, ...record.events].slice(0, mostEvents) };
}

export function freezeIn({ events }: FreezeRecord, nowMs: number): Freeze | undefined {
  const [last] = events;
  if (last?.event !== "frozen" || last.untilMs === undefined || last.untilMs <= nowMs) return undefined;
  const { by, at, reason, untilMs } = last;
  return { by, at, reason, untilMs };
}

/** Whether ending it then would lift a part of what is in force. */
export function endsSooner(record: FreezeRecord, untilMs: number, nowMs: number): boolean {
  return untilMs < (freezeIn(record, nowMs)?.untilMs ?? 0);
}

/** Of what stands in the store and what was known before, what has gone further; `isLost`: the store has not. */
export function furtherOf(
  stored: FreezeRecord,
  known: FreezeRecord,
): { readonly record: FreezeRecord; readonly isLost: boolean } {
  const isLost = stored.number < known.number;
  return { record: isLost ? known : stored, isLost };
}

/** What does not read was written by hand, or by another program: nothing is frozen by it. */
export function readFreeze(text: string): FreezeRecord {
  try {
    return freezeRecord.parse(JSON.parse(text));
  } catch {
    return neverFrozen;
  }
}

export function freezeText(record: FreezeRecord): string {
  return JSON.stringify(record);
}
