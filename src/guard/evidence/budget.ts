/**
 * One budget of false alarms for a cutover and a day, and who may spend how much of it. PURE.
 *
 * α is divided by name, not by data: by test, then by halves between the looks of a test (quick and late) and between
 * the two forms of its evidence. Onset weights are what a mixture spends: half of them uniform over the day, the other
 * half on the blocks with which steps begin, since most that is wrong begins with a step. The start of a step renews
 * neither; the 24 hours do.
 */
import type { TestName } from "./tests.ts";

/** Each test's part of α. */
export const shares: Readonly<Record<TestName, number>> = {
  failures: 0.4,
  tooMany: 0.2,
  paid: 0.3,
  slow: 0.1,
};

/** How often a block is looked at: soon after its end, and when what was unanswered then is known. */
const looks: Readonly<Record<TestName, number>> = { failures: 2, tooMany: 2, paid: 1, slow: 1 };

const forms = 2;

/** @returns the α of one form of one look of the test */
export function alphaOf(test: TestName, alpha: number): number {
  return (alpha * shares[test]) / looks[test] / forms;
}

/** Odds at which a process acts. */
export interface Thresholds {
  readonly mixture: number;
  readonly endless: number;
}

export function thresholdsOf(alphaOfForm: number, blocksADay: number): Thresholds {
  return { mixture: 1 / alphaOfForm, endless: blocksADay / alphaOfForm };
}

/** All that is to be kept of a day. */
export interface DayState {
  /** Blocks of this day so far. */
  readonly blocks: number;
  /** Steps that began in this day so far; the day's own beginning counts as one. */
  readonly steps: number;
}

export interface Day {
  /**
   * @param stepBegins with this block
   * @returns the block's onset weight, and whether a day begins with it
   */
  block(stepBegins: boolean): { readonly onset: number; readonly dayBegins: boolean };
  state(): DayState;
}

export interface DayOptions {
  readonly blocksADay: number;
  /**
   * `many`: the j-th step of a day is given ½·2^−j. `one`: the first is given the whole half, for a day in which no other
   * may begin.
   */
  readonly steps: "one" | "many";
  /** Whether another day follows on the first; without it, no weight is left after it. */
  readonly isRenewed: boolean;
}

export function createDay(
  { blocksADay, steps: allowed, isRenewed }: DayOptions,
  from: DayState = { blocks: 0, steps: 0 },
): Day {
  let { blocks, steps } = from;
  const uniform = 1 / (2 * blocksADay);
  const none = { onset: 0, dayBegins: false };
  const plain = { onset: uniform, dayBegins: false };
  return {
    block(stepBegins) {
      const isOver = blocks >= blocksADay;
      if (isOver && !isRenewed) return none;
      if (isOver) {
        blocks = 0;
        steps = 0;
      }
      const dayBegins = blocks === 0;
      blocks += 1;
      if (!dayBegins && !stepBegins) return plain;
      steps += 1;
      return { onset: uniform + stepWeight(allowed, steps), dayBegins };
    },
    state: () => ({ blocks, steps }),
  };
}

function stepWeight(allowed: DayOptions["steps"], step: number): number {
  if (allowed === "many") return 0.5 * 2 ** -step;
  return step === 1 ? 0.5 : 0;
}
