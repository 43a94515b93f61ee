/**
 * What an instance tells of its attempts and journeys in the record that it writes each second: the last blocks of all its
 * processes, as numbers that come out the same however often they are read. Short, since every instance writes it: most
 * sides of a block are one number. PURE.
 */
import * as z from "zod";
import type { JourneyRow } from "../evidence/cohorts.ts";
import type { AssignedRow } from "../evidence/share-check.ts";
import type { AssignedBlock } from "./assignments.ts";
import type { BlockReport, CountedSide, ReportedSides, SideReport } from "./attempts.ts";
import { type JourneyBlock, youngest } from "./journeys.ts";

/** Failed shoppers of a side of a block that are told by their buckets; of the others only how many there are. */
const mostNamed = 500;

/**
 * What was counted in a block of one stratum: of those shoppers that are split by one percent, which is the cutover's or a
 * cohort's own.
 */
export interface ToldBlock extends BlockReport {
  /** The cohort's name; absent: of all who are of none. */
  readonly of?: string;
  /** Who was not answered in time, as `late`. */
  readonly slow?: ReportedSides;
  /** By cohort of journeys. */
  readonly journeys?: readonly JourneyRow[];
  /** By percent, new shoppers. */
  readonly assigned?: readonly AssignedRow[];
}

export interface ToldBlocks {
  /** What arrived up to this moment is in it, by the clock by which blocks are told apart. */
  readonly throughMs: number;
  readonly blocks: readonly ToldBlock[];
}

const noSide: SideReport = { units: 0, quick: [], late: [], unnamedQuick: 0, unnamedLate: 0 };
const noSides: ReportedSides = { legacy: noSide, onNew: noSide };

/** What the windows of one stratum tell, brought together block by block. */
export function toldOfStratum(
  of: string | undefined,
  attempts: readonly BlockReport[],
  slow: readonly BlockReport[],
  journeys: readonly JourneyBlock[],
  assigned: readonly AssignedBlock[],
): ToldBlock[] {
  const found = new Map<number, ToldBlock>();
  const whose = of === undefined ? {} : { of };
  const at = (block: number) => found.get(block) ?? { block, ...whose, ...noSides };
  for (const report of attempts) found.set(report.block, { ...report, ...whose });
  for (const { block, legacy, onNew } of slow) found.set(block, { ...at(block), slow: { legacy, onNew } });
  for (const { block, rows } of journeys) {
    if (rows.length > 0) found.set(block, { ...at(block), journeys: rows });
  }
  for (const { block, rows } of assigned) found.set(block, { ...at(block), assigned: rows });
  return [...found.values()].sort(byBlock);
}

function byBlock(one: ToldBlock, other: ToldBlock): number {
  const [mine, others] = [one.of ?? "", other.of ?? ""];
  return one.block - other.block || (mine < others ? -1 : Number(mine > others));
}

/** @returns one report of each block and stratum, the oldest first */
export function mergedBlocks(reports: readonly (readonly ToldBlock[])[]): ToldBlock[] {
  const found = new Map<string, ToldBlock[]>();
  for (const report of reports.flat()) {
    const key = `${report.block} ${report.of ?? ""}`;
    const same = found.get(key);
    if (same === undefined) found.set(key, [report]);
    else same.push(report);
  }
  return [...found.values()].map(merged).sort(byBlock);
}

function merged(same: readonly ToldBlock[]): ToldBlock {
  const [first] = same;
  if (first === undefined) throw new RangeError("nothing to merge");
  if (same.length === 1) return first;
  const slow = same.flatMap((each) => each.slow ?? []);
  const journeys = mergedJourneys(same.flatMap((each) => each.journeys ?? []));
  const assigned = mergedAssigned(same.flatMap((each) => each.assigned ?? []));
  return {
    ...{ block: first.block, ...(first.of === undefined ? {} : { of: first.of }), ...mergedSides(same) },
    ...(slow.length === 0 ? {} : { slow: mergedSides(slow) }),
    ...(journeys.length === 0 ? {} : { journeys }),
    ...(assigned.length === 0 ? {} : { assigned }),
  };
}

function mergedSides(sides: readonly ReportedSides[]): ReportedSides {
  const of = (side: CountedSide) => mergedSide(sides.map((each) => each[side]));
  return { legacy: of("legacy"), onNew: of("onNew") };
}

/** A shopper who failed in several processes is one. */
function mergedSide(sides: readonly SideReport[]): SideReport {
  const [only] = sides;
  if (only !== undefined && sides.length === 1) return only;
  const quick = [...new Set(sides.flatMap((side) => side.quick))];
  const late = [...new Set(sides.flatMap((side) => side.late))];
  const sum = (of: (side: SideReport) => number) => sides.reduce((all, side) => all + of(side), 0);
  return {
    units: sum(({ units }) => units),
    quick: quick.slice(0, mostNamed),
    late: late.slice(0, mostNamed),
    unnamedQuick: sum(({ unnamedQuick }) => unnamedQuick) + Math.max(0, quick.length - mostNamed),
    unnamedLate: sum(({ unnamedLate }) => unnamedLate) + Math.max(0, late.length - mostNamed),
  };
}

/** @returns one row of each cohort, the youngest first; older ones than may be told are left out */
export function mergedJourneys(rows: readonly JourneyRow[]): readonly JourneyRow[] {
  const found = new Map<string, JourneyRow>();
  for (const row of rows) {
    const [minute, percent, ...more] = row;
    const key = `${minute} ${percent}`;
    const [, , ...before] = found.get(key) ?? [minute, percent, 0, 0, 0, 0];
    const sum = (at: 0 | 1 | 2 | 3) => before[at] + more[at];
    found.set(key, [minute, percent, sum(0), sum(1), sum(2), sum(3)]);
  }
  return youngest([...found.values()]);
}

/** @returns one row of each percent */
export function mergedAssigned(rows: readonly AssignedRow[]): readonly AssignedRow[] {
  const found = new Map<number, AssignedRow>();
  for (const [percent, legacy, onNew] of rows) {
    const [, before, beforeOnNew] = found.get(percent) ?? [percent, 0, 0];
    found.set(percent, [percent, before + legacy, beforeOnNew + onNew]);
  }
  return [...found.values()].sort((one, other) => one[0] - other[0]);
}

const count = z.int().min(0);
const buckets = z.array(z.int().min(0).max(99_999)).max(mostNamed);
/** Units, those that failed by the quick look, those that failed by the late one only, and how many more of each. */
const writtenSide = z.union([count, z.tuple([count, buckets, buckets, count, count])]);
/** Minute, percent in thousandths, begun on legacy and on new, paid on legacy and on new. */
export const journeyRow = z.tuple([count, count, count, count, count, count]);
/** Percent in thousandths, assigned to legacy and to new. */
export const assignedRow = z.tuple([count, count, count]);
const writtenMore = z.object({
  of: z.string().optional(),
  slow: z.tuple([writtenSide, writtenSide]).optional(),
  journeys: z.array(journeyRow).max(200).optional(),
  assigned: z.array(assignedRow).max(200).optional(),
});
const writtenBlock = z.union([
  z.tuple([count, writtenSide, writtenSide]),
  z.tuple([count, writtenSide, writtenSide, writtenMore]),
]);
type WrittenSide = z.output<typeof writtenSide>;
type WrittenMore = z.output<typeof writtenMore>;

export const writtenBlocks = z.array(writtenBlock);
type WrittenBlocks = z.output<typeof writtenBlocks>;

export function written(blocks: readonly ToldBlock[]): WrittenBlocks {
  return blocks.map(({ block, of, legacy, onNew, slow, journeys, assigned }) => {
    const more: WrittenMore = {
      ...(of === undefined ? {} : { of }),
      ...(slow === undefined ? {} : { slow: [writtenSideOf(slow.legacy), writtenSideOf(slow.onNew)] }),
      ...(journeys === undefined ? {} : { journeys: journeys.map((row) => [...row]) }),
      ...(assigned === undefined ? {} : { assigned: assigned.map((row) => [...row]) }),
    };
    const sides = [block, writtenSideOf(legacy), writtenSideOf(onNew)] as const;
    return Object.keys(more).length === 0 ? [...sides] : [...sides, more];
  });
}

export function blocksFrom(blocks: WrittenBlocks): ToldBlock[] {
  return blocks.map(([block, legacy, onNew, more]) => ({
    ...{ block, legacy: sideFrom(legacy), onNew: sideFrom(onNew) },
    ...(more?.of === undefined ? {} : { of: more.of }),
    ...(more?.slow === undefined
      ? {}
      : { slow: { legacy: sideFrom(more.slow[0]), onNew: sideFrom(more.slow[1]) } }),
    ...(more?.journeys === undefined ? {} : { journeys: more.journeys }),
    ...(more?.assigned === undefined ? {} : { assigned: more.assigned }),
  }));
}

function writtenSideOf({ units, quick, late, unnamedQuick, unnamedLate }: SideReport): WrittenSide {
  if (late.length === 0 && unnamedLate === 0) return units;
  const soon = new Set(quick);
  return [units, [...quick], late.filter((bucket) => !soon.has(bucket)), unnamedQuick, unnamedLate];
}

function sideFrom(side: WrittenSide): SideReport {
  if (typeof side === "number") return { ...noSide, units: side };
  const [units, quick, later, unnamedQuick, unnamedLate] = side;
  return { units, quick, late: [...quick, ...later], unnamedQuick, unnamedLate };
}
