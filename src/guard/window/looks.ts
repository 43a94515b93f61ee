/**
 * Brings together what several instances have counted of a block, once for each of its looks. PURE.
 *
 * Counts are merged before they are evidence: evidence of several instances could not be multiplied. A shopper who failed
 * on one of them and again on another counts once a step, with his first failure.
 *
 * A look is taken as soon as everybody has told of the block up to then, and without those who have not after a while: of
 * them what they told last counts.
 */
import type { StratumJourneys } from "../evidence/cohorts.ts";
import type { Look, Sides } from "../evidence/evidence.ts";
import type { StratumAssigned } from "../evidence/share-check.ts";
import {
  type CountedSide,
  type ReportedSides,
  type SideReport,
  slowAfter,
  type WindowTimes,
} from "./attempts.ts";
import { bucketsFrom, type KeptBuckets, keptBuckets } from "./buckets.ts";
import { mergedAssigned, mergedJourneys, type ToldBlock, type ToldBlocks } from "./told.ts";

/** Of failures the quick and the late one, of slow answers and of payments one each. */
type LookName = Look | "slow" | "paid";

interface Looked {
  /** Its number. */
  readonly block: number;
  /** Whether it is the look's first block of a step. */
  readonly stepBegins: boolean;
}

export type LookedBlock =
  | (Looked & { readonly look: "late" | "slow"; readonly strata: readonly Sides[] })
  | (Looked & {
      readonly look: "quick";
      readonly strata: readonly Sides[];
      readonly assigned: readonly StratumAssigned[];
    })
  | (Looked & { readonly look: "paid"; readonly journeys: readonly StratumJourneys[] });

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

export type LooksState = Readonly<Record<Look, LookState>> &
  Readonly<Partial<Record<LookName, LookState | undefined>>>;

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
  readonly look: LookName;
  readonly afterMs: number;
  next: number;
  readonly failed: Readonly<Record<CountedSide, Set<number>>>;
  step: number | undefined;
}

/** @param from blocks that began before this moment are not looked at; or what was kept, to go on with */
export function createLooks(times: WindowTimes, from: number | LooksState): BlockLooks {
  const { blockMs } = times;
  const all = looksAfter(times).map(([look, afterMs]) => looking(look, afterMs, times, from));
  const dueMs = ({ next, afterMs }: Looking) => (next + 1) * blockMs + afterMs;
  return {
    due(atMs, told, patienceMs) {
      const throughMs = told.reduce((least, each) => Math.min(least, each.throughMs), atMs);
      const found: LookedBlock[] = [];
      for (;;) {
        // In the order of their moments, however late they are: what the quick look asks of the late one is the same then.
        const one = all.reduce((first, each) => (dueMs(each) < dueMs(first) ? each : first));
        if (throughMs < dueMs(one) && atMs < dueMs(one) + patienceMs) return found;
        found.push(lookAt(one, told));
        one.next += 1;
      }
    },
    pending: () => Math.min(...all.map(({ next }) => next)),
    stepBegins(atMs) {
      const block = Math.floor(atMs / blockMs);
      for (const one of all) one.step = Math.max(one.next, block);
    },
    state() {
      const states = Object.fromEntries(all.map((one) => [one.look, stateOf(one)]));
      const { quick, late } = states;
      if (quick === undefined || late === undefined) throw new RangeError("failures are always looked at");
      return { ...states, quick, late };
    },
  };
}

/** After a block's end, when each look is. */
function looksAfter(times: WindowTimes): readonly (readonly [LookName, number])[] {
  const { quickAfterMs, lateAfterMs, sloMs, followsJourneys } = times;
  return [
    ["quick", quickAfterMs],
    ["late", lateAfterMs],
    ...(sloMs === undefined ? [] : ([["slow", slowAfter(times)]] as const)),
    ...(followsJourneys ? ([["paid", quickAfterMs]] as const) : []),
  ];
}

function looking(
  look: LookName,
  afterMs: number,
  { blockMs }: WindowTimes,
  from: number | LooksState,
): Looking {
  const kept =
    typeof from === "number" ? undefined : (from[look] ?? { ...from.quick, legacy: [], onNew: [] });
  if (kept !== undefined) {
    const { next, step, legacy, onNew } = kept;
    return { look, afterMs, next, failed: { legacy: bucketsFrom(legacy), onNew: bucketsFrom(onNew) }, step };
  }
  const first = Math.ceil(Number(from) / blockMs);
  return { look, afterMs, next: first, failed: { legacy: new Set(), onNew: new Set() }, step: first };
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
  const looked = { block: one.next, stepBegins };
  const strata = strataOf(told.flatMap(({ blocks }) => blocks.filter(({ block }) => block === one.next)));
  if (one.look === "paid") {
    const journeys = strata.map(([of, found]) => ({
      of,
      rows: mergedJourneys(found.flatMap((each) => each.journeys ?? [])),
    }));
    return { ...looked, look: one.look, journeys };
  }
  const sides = strata.map(([, found]) => sidesOf(one, found));
  if (one.look !== "quick") return { ...looked, look: one.look, strata: sides };
  const assigned = strata.map(([of, found]) => ({
    of,
    rows: mergedAssigned(found.flatMap((each) => each.assigned ?? [])),
  }));
  return { ...looked, look: one.look, strata: sides, assigned };
}

/** By stratum, in an order that does not hang on who told first. */
function strataOf(found: readonly ToldBlock[]): [of: string, found: readonly ToldBlock[]][] {
  const names = [...new Set(found.map(({ of = "" }) => of))].sort();
  return names.map((name) => [name, found.filter(({ of = "" }) => of === name)]);
}

function sidesOf({ look, failed }: Looking, found: readonly ToldBlock[]): Sides {
  const reports = look === "slow" ? found.flatMap(({ slow }) => slow ?? []) : found;
  const tally = (side: CountedSide) => tallyOf(look, reports, side, failed[side]);
  return { legacy: tally("legacy"), onNew: tally("onNew") };
}

function tallyOf(
  look: LookName,
  reports: readonly ReportedSides[],
  side: CountedSide,
  failedBefore: Set<number>,
): Sides["legacy"] {
  let units = 0;
  let failed = 0;
  for (const report of reports) {
    const count: SideReport = report[side];
    units += count.units;
    failed += look === "quick" ? count.unnamedQuick : count.unnamedLate;
    for (const bucket of look === "quick" ? count.quick : count.late) {
      if (failedBefore.has(bucket)) continue;
      failedBefore.add(bucket);
      failed += 1;
    }
  }
  return { units, failed: Math.min(units, failed) };
}
