/**
 * Brings together what several instances have counted of a block, once for each of its looks. PURE.
 *
 * Counts are merged before they are evidence: evidence of several instances could not be multiplied. A shopper who failed
 * on one of them and again on another counts once a step, with his first failure.
 *
 * A look is taken as soon as everybody has told of the block up to then, and without those who have not after a while: of
 * them what they told last counts.
 */
import type { Look, Sides } from "../evidence/evidence.ts";
import type { CountedSide, SideReport, WindowTimes } from "./attempts.ts";
import { bucketsFrom, type KeptBuckets, keptBuckets } from "./buckets.ts";
import type { ToldBlocks } from "./told.ts";

export interface LookedBlock {
  readonly look: Look;
  /** Its number. */
  readonly block: number;
  readonly sides: Sides;
  /** Whether it is the look's first block of a step. */
  readonly stepBegins: boolean;
}

/** All that is to be kept of a look. */
interface LookState {
  /** The next block to look at. */
  readonly next: number;
  /** The block with which the step that has not been told yet begins. */
  readonly step?: number | undefined;
  /** Who has failed in this step. */
  readonly legacy: KeptBuckets;
  readonly onNew: KeptBuckets;
}

export type LooksState = Readonly<Record<Look, LookState>>;

interface BlockLooks {
  /**
   * @param told by each instance, whatever it tells of so far
   * @param patienceMs how long those who have not told of a block are waited for
   * @returns the blocks whose look is due, in their order, each once
   */
  due(atMs: number, told: readonly ToldBlocks[], patienceMs: number): readonly LookedBlock[];
  /** The first block that some look is still to see. */
  pending(): number;
  /** A step begins with the block of this moment. */
  stepBegins(atMs: number): void;
  state(): LooksState;
}

interface Looking {
  readonly look: Look;
  readonly afterMs: number;
  next: number;
  readonly failed: Readonly<Record<CountedSide, Set<number>>>;
  step: number | undefined;
}

/** @param from blocks that began before this moment are not looked at; or what was kept, to go on with */
export function createLooks(
  { blockMs, quickAfterMs, lateAfterMs }: WindowTimes,
  from: number | LooksState,
): BlockLooks {
  const looking = (look: Look, afterMs: number): Looking => {
    if (typeof from !== "number") {
      const { next, step, legacy, onNew } = from[look];
      const failed = { legacy: bucketsFrom(legacy), onNew: bucketsFrom(onNew) };
      return { look, afterMs, next, failed, step };
    }
    const first = Math.ceil(from / blockMs);
    return { look, afterMs, next: first, failed: { legacy: new Set(), onNew: new Set() }, step: first };
  };
  const quick = looking("quick", quickAfterMs);
  const late = looking("late", lateAfterMs);
  return {
    due(atMs, told, patienceMs) {
      const throughMs = told.reduce((least, each) => Math.min(least, each.throughMs), atMs);
      const dueMs = (one: Looking) => (one.next + 1) * blockMs + one.afterMs;
      const found: LookedBlock[] = [];
      for (;;) {
        // In the order of their moments, however late they are: what the quick look asks of the late one is the same then.
        const one = dueMs(quick) <= dueMs(late) ? quick : late;
        if (throughMs < dueMs(one) && atMs < dueMs(one) + patienceMs) return found;
        found.push(lookAt(one, told));
        one.next += 1;
      }
    },
    pending: () => Math.min(quick.next, late.next),
    stepBegins(atMs) {
      const block = Math.floor(atMs / blockMs);
      for (const one of [quick, late]) one.step = Math.max(one.next, block);
    },
    state: () => ({ quick: stateOf(quick), late: stateOf(late) }),
  };
}

function stateOf({ next, step, failed: { legacy, onNew } }: Looking): LookState {
  return {
    next,
    ...(step === undefined ? {} : { step }),
    legacy: keptBuckets(legacy),
    onNew: keptBuckets(onNew),
  };
}

function lookAt(one: Looking, told: readonly ToldBlocks[]): LookedBlock {
  const stepBegins = one.step !== undefined && one.next >= one.step;
  if (stepBegins) {
    one.step = undefined;
    one.failed.legacy.clear();
    one.failed.onNew.clear();
  }
  const found = told.flatMap(({ blocks }) => blocks.find(({ block }) => block === one.next) ?? []);
  const tally = (side: CountedSide) => {
    let units = 0;
    let failed = 0;
    for (const report of found) {
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
  return {
    look: one.look,
    block: one.next,
    sides: { legacy: tally("legacy"), onNew: tally("onNew") },
    stepBegins,
  };
}
