/**
 * What an instance tells of its attempts in the record that it writes each second: the last blocks of all its processes,
 * as numbers that come out the same however often they are read. Short, since every instance writes it: most sides of a
 * block are one number. PURE.
 */
import * as z from "zod";
import type { BlockReport, SideReport } from "./attempts.ts";

/** Failed shoppers of a side of a block that are told by their buckets; of the others only how many there are. */
const mostNamed = 500;

export interface ToldBlocks {
  /** What arrived up to this moment is in it, by the clock by which blocks are told apart. */
  readonly throughMs: number;
  readonly blocks: readonly BlockReport[];
}

/** @returns one report of each block, the oldest first */
export function mergedBlocks(reports: readonly (readonly BlockReport[])[]): BlockReport[] {
  const byBlock = new Map<number, BlockReport[]>();
  for (const report of reports.flat()) {
    byBlock.set(report.block, [...(byBlock.get(report.block) ?? []), report]);
  }
  return [...byBlock]
    .sort(([one], [other]) => one - other)
    .map(([block, found]) => ({
      block,
      legacy: mergedSide(found.map(({ legacy }) => legacy)),
      onNew: mergedSide(found.map(({ onNew }) => onNew)),
    }));
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

const count = z.int().min(0);
const buckets = z.array(z.int().min(0).max(99_999)).max(mostNamed);
/** Units, those that failed by the quick look, those that failed by the late one only, and how many more of each. */
const writtenSide = z.union([count, z.tuple([count, buckets, buckets, count, count])]);
const writtenBlock = z.tuple([count, writtenSide, writtenSide]);
type WrittenSide = z.output<typeof writtenSide>;

export const writtenBlocks = z.array(writtenBlock);
type WrittenBlocks = z.output<typeof writtenBlocks>;

export function written(blocks: readonly BlockReport[]): WrittenBlocks {
  return blocks.map(({ block, legacy, onNew }) => [block, writtenSideOf(legacy), writtenSideOf(onNew)]);
}

export function blocksFrom(blocks: WrittenBlocks): BlockReport[] {
  return blocks.map(([block, legacy, onNew]) => ({
    block,
    legacy: sideFrom(legacy),
    onNew: sideFrom(onNew),
  }));
}

function writtenSideOf({ units, quick, late, unnamedQuick, unnamedLate }: SideReport): WrittenSide {
  if (late.length === 0 && unnamedLate === 0) return units;
  const soon = new Set(quick);
  return [units, [...quick], late.filter((bucket) => !soon.has(bucket)), unnamedQuick, unnamedLate];
}

function sideFrom(side: WrittenSide): SideReport {
  const none = { quick: [], late: [], unnamedQuick: 0, unnamedLate: 0 };
  if (typeof side === "number") return { units: side, ...none };
  const [units, quick, later, unnamedQuick, unnamedLate] = side;
  return { units, quick, late: [...quick, ...later], unnamedQuick, unnamedLate };
}
