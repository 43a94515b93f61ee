/**
 * How many of the journeys that began in the same minute are paid by now, of each side: for 24 h, in fixed memory (35 kB a
 * cutover, taken with its first journey). Of a young cohort many are still under way; sides compare at the same age, for
 * their cohorts began at the same time.
 */

const minuteMs = 60_000;
const minutes = 24 * 60;
const width = 4;
/** A block that was added is remembered for longer than it is told. */
const rememberedMs = 300_000;

/** Minute since the epoch, percent, begun on legacy and on new, paid on legacy and on new. */
type CohortRow = readonly [number, number, number, number, number, number];

interface CohortSide {
  readonly begun: number;
  readonly paid: number;
}

interface PaidCohort {
  /** When it began, ms since the epoch. */
  readonly at: number;
  readonly legacy: CohortSide;
  readonly new: CohortSide;
}

export interface PaymentsBook {
  /** Adds what was not added before. @param key of a block that is over */
  add(name: string, key: string, rows: readonly CohortRow[], nowMs: number): void;
  /** Oldest first, cohorts of so many minutes together; those in which nobody began are left out. */
  read(
    name: string,
    sinceMs: number,
    nowMs: number,
  ): { readonly stepSeconds: number; readonly cohorts: readonly PaidCohort[] };
  /** Forgets all others. */
  keep(names: readonly string[]): void;
}

interface CutoverCohorts {
  /** By slot, the minute that it has. */
  readonly at: Float64Array;
  readonly counts: Float32Array;
  /** When each was added. */
  readonly added: Map<string, number>;
}

export function createPaymentsBook(): PaymentsBook {
  const known = new Map<string, CutoverCohorts>();

  return {
    add(name, key, rows, nowMs) {
      if (rows.length === 0) return;
      const found = known.get(name) ?? createCutoverCohorts();
      known.set(name, found);
      const { added } = found;
      if (added.has(key)) return;
      added.set(key, nowMs);
      // They lie in the order in which they were added.
      for (const [old, atMs] of added) {
        if (nowMs - atMs <= rememberedMs) break;
        added.delete(old);
      }
      for (const row of rows) addRow(found, row, nowMs);
    },
    read(name, sinceMs, nowMs) {
      const stepMinutes = stepOf(nowMs - sinceMs);
      const found = known.get(name);
      const cohorts = found === undefined ? [] : cohortsOf(found, sinceMs, nowMs, stepMinutes);
      return { stepSeconds: stepMinutes * 60, cohorts };
    },
    keep(names) {
      for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    },
  };
}

function createCutoverCohorts(): CutoverCohorts {
  return {
    at: new Float64Array(minutes).fill(-1),
    counts: new Float32Array(minutes * width),
    added: new Map(),
  };
}

function addRow({ at, counts }: CutoverCohorts, [minute, , ...amounts]: CohortRow, nowMs: number): void {
  const now = Math.floor(nowMs / minuteMs);
  // What a clock far ahead tells would push out what is.
  if (minute <= now - minutes || minute > now + 1) return;
  const slot = minute % minutes;
  if (at[slot] !== minute) {
    at[slot] = minute;
    counts.fill(0, slot * width, (slot + 1) * width);
  }
  for (const [place, amount] of amounts.entries()) {
    counts[slot * width + place] = (counts[slot * width + place] ?? 0) + amount;
  }
}

function stepOf(spanMs: number): number {
  if (spanMs <= 65 * minuteMs) return 1;
  return spanMs <= 185 * minuteMs ? 5 : 30;
}

function cohortsOf(
  { at, counts }: CutoverCohorts,
  sinceMs: number,
  nowMs: number,
  stepMinutes: number,
): PaidCohort[] {
  const steps = new Map<number, [number, number, number, number]>();
  const oldest = Math.max(Math.floor(sinceMs / minuteMs), Math.floor(nowMs / minuteMs) - minutes + 1);
  for (const [slot, minute] of at.entries()) {
    if (minute < oldest) continue;
    const step = Math.floor(minute / stepMinutes) * stepMinutes;
    const sum = steps.get(step) ?? [0, 0, 0, 0];
    steps.set(step, sum);
    const count = (place: number) => counts[slot * width + place] ?? 0;
    // Who began on an instance that told of it never is none.
    const [begunOnLegacy, begunOnNew] = [count(0), count(1)];
    sum[0] += begunOnLegacy;
    sum[1] += begunOnNew;
    sum[2] += Math.min(count(2), begunOnLegacy);
    sum[3] += Math.min(count(3), begunOnNew);
  }
  return [...steps]
    .sort(([one], [other]) => one - other)
    .flatMap(([minute, [begunOnLegacy, begunOnNew, paidOnLegacy, paidOnNew]]) => {
      if (begunOnLegacy + begunOnNew === 0) return [];
      const legacy = { begun: begunOnLegacy, paid: paidOnLegacy };
      return [{ at: minute * minuteMs, legacy, new: { begun: begunOnNew, paid: paidOnNew } }];
    });
}
