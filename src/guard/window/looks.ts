/**
 * Brings together what several processes have counted of a block, once for each of its looks. PURE.
 *
 * Counts are merged before they are evidence: evidence of several processes could not be multiplied. A shopper who failed
 * in one of them and again in another counts once a step, with his first failure.
 */
import type { Look, Sides } from "../evidence/evidence.ts";
import type { BlockReport, CountedSide, SideReport, WindowTimes } from "./attempts.ts";

export interface LookedBlock {
  readonly look: Look;
  readonly sides: Sides;
  /** Whether it is the look's first block of a step. */
  readonly stepBegins: boolean;
}

interface BlockLooks {
  /**
   * @param reports of each process, whatever they tell of so far
   * @returns the blocks whose look is due, in their order, each once
   */
  due(atMs: number, reports: readonly (readonly BlockReport[])[]): readonly LookedBlock[];
  /** A step begins with the block of this moment. */
  stepBegins(atMs: number): void;
}

/** Until what another process has counted has come. */
const graceMs = 300;

interface Looking {
  readonly look: Look;
  readonly afterMs: number;
  /** The next block to look at. */
  next: number;
  readonly failed: Readonly<Record<CountedSide, Set<number>>>;
  /** The block with which the step that has not been told yet begins. */
  step: number | undefined;
}

/** @param fromMs blocks that began before it are not looked at */
export function createLooks({ blockMs, quickAfterMs, lateAfterMs }: WindowTimes, fromMs: number): BlockLooks {
  const first = Math.ceil(fromMs / blockMs);
  const looking = (look: Look, afterMs: number): Looking => ({
    look,
    afterMs,
    next: first,
    failed: { legacy: new Set(), onNew: new Set() },
    step: first,
  });
  const both = [looking("quick", quickAfterMs), looking("late", lateAfterMs)];
  return {
    due(atMs, reports) {
      return both.flatMap((one) => {
        const found: LookedBlock[] = [];
        while ((one.next + 1) * blockMs + one.afterMs + graceMs <= atMs) {
          found.push(lookAt(one, reports));
          one.next += 1;
        }
        return found;
      });
    },
    stepBegins(atMs) {
      const block = Math.floor(atMs / blockMs);
      for (const one of both) one.step = Math.max(one.next, block);
    },
  };
}

function lookAt(one: Looking, reports: readonly (readonly BlockReport[])[]): LookedBlock {
  const stepBegins = one.step !== undefined && one.next >= one.step;
  if (stepBegins) {
    one.step = undefined;
    one.failed.legacy.clear();
    one.failed.onNew.clear();
  }
  const told = reports.flatMap((blocks) => blocks.find(({ block }) => block === one.next) ?? []);
  const tally = (side: CountedSide) => {
    let units = 0;
    let failed = 0;
    for (const report of told) {
      const count: SideReport = report[side];
      units += count.units;
      failed += one.look === "quick" ? count.unnamedQuick : count.unnamedLate;
      for (const bucket of count[one.look]) {
        if (one.failed[side].has(bucket)) continue;
        one.failed[side].add(bucket);
        failed += 1;
      }
    }
    return { units, failed: Math.min(units, failed) };
  };
  return { look: one.look, sides: { legacy: tally("legacy"), onNew: tally("onNew") }, stepBegins };
}
