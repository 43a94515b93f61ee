/**
 * Who began a journey and who paid, by block; and of which cohort: the journeys that began in the same minute, decided by
 * the same percent. PURE: times come in as arguments.
 *
 * A unit is a shopper, known by its bucket, who tries to begin a journey: one whose start is never answered is one too. He
 * is one once an hour and step, be the journeys many: a client that begins one each minute and pays none would otherwise
 * roll back everybody. What he pays counts for his cohort, once. The pin of a journey tells when it began, so that it may
 * be paid on another instance than it began on.
 */
import type { JourneyRow } from "../evidence/cohorts.ts";
import type { CountedSide } from "./attempts.ts";

export interface JourneyBlock {
  readonly block: number;
  readonly rows: readonly JourneyRow[];
}

export interface JourneysWindow {
  /** @param minute of the clock on the wall */
  begun(atMs: number, side: CountedSide, bucket: number, minute: number, percent: number): void;
  /** @param minute in which the journey began, @param percent by which it was decided */
  paid(atMs: number, side: CountedSide, bucket: number, minute: number, percent: number): void;
  /** The blocks that are told of still, the oldest first. */
  report(atMs: number): readonly JourneyBlock[];
  /** A step begins: who began one before may do so again. */
  renew(): void;
}

interface JourneyTimes {
  readonly blockMs: number;
  /** After a block's end, when it is looked at. */
  readonly paidAfterMs: number;
}

const bucketCount = 100_000;
/** How long a shopper is the unit that he has been. */
const minutesApart = 60;
/** Cohorts of a block that are told; payments of older ones are not. */
const mostRows = 120;
/** How long a block is told of after its look: what a leader that has died did not look at, the next one does. */
const toldAfterMs = 8000;

type Writable = [number, number, number, number, number, number];

interface Block {
  block: number;
  readonly rows: Map<number, Writable>;
}

export function createJourneysWindow({ blockMs, paidAfterMs }: JourneyTimes): JourneysWindow {
  const places = Math.ceil((paidAfterMs + toldAfterMs) / blockMs) + 2;
  const blocks: Block[] = Array.from({ length: places }, () => ({ block: -1, rows: new Map() }));
  /** By bucket, the minute of the unit that it is; 0: none. */
  const unit = new Int32Array(bucketCount);
  /** By bucket, the minute of the last cohort that it has paid in. */
  const paidIn = new Int32Array(bucketCount);

  function rowOf(atMs: number, minute: number, percent: number): Writable | undefined {
    const block = Math.floor(atMs / blockMs);
    const place = blocks[block % places];
    if (place === undefined || place.block > block) return undefined;
    if (place.block < block) {
      place.block = block;
      place.rows.clear();
    }
    const key = minute * (bucketCount + 1) + percent;
    const row = place.rows.get(key) ?? [minute, percent, 0, 0, 0, 0];
    place.rows.set(key, row);
    return row;
  }

  return {
    begun(atMs, side, bucket, minute, percent) {
      const before = unit[bucket] ?? 0;
      if (before !== 0 && isOf(before, minute)) return;
      unit[bucket] = minute;
      const row = rowOf(atMs, minute, percent);
      if (row !== undefined) row[side === "legacy" ? 2 : 3] += 1;
    },
    paid(atMs, side, bucket, minute, percent) {
      const before = unit[bucket] ?? 0;
      const cohort = before !== 0 && isOf(before, minute) ? before : minute;
      if (paidIn[bucket] === cohort) return;
      paidIn[bucket] = cohort;
      const row = rowOf(atMs, cohort, percent);
      if (row !== undefined) row[side === "legacy" ? 4 : 5] += 1;
    },
    report(atMs) {
      const oldest = Math.floor((atMs - paidAfterMs - toldAfterMs) / blockMs);
      return blocks
        .filter(({ block }) => block >= oldest && block >= 0)
        .sort((a, b) => a.block - b.block)
        .map(({ block, rows }) => ({ block, rows: youngest([...rows.values()]) }));
    },
    renew: () => void unit.fill(0),
  };
}

function isOf(unit: number, minute: number): boolean {
  return minute >= unit && minute < unit + minutesApart;
}

/** @returns copies, the youngest cohorts first */
export function youngest(rows: readonly JourneyRow[]): readonly JourneyRow[] {
  return rows
    .map((row): JourneyRow => [...row])
    .sort((one, other) => other[0] - one[0] || other[1] - one[1])
    .slice(0, mostRows);
}
