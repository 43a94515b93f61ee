/**
 * What was counted in the last whole step of 10 s of the wall clock, which is the same on every instance: so the steps of
 * all can be added up. An instance's record in the store carries its last one. Counting allocates nothing.
 */
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import type { Outcome } from "../../proxy/outcome.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import {
  addForm,
  type CountsForm,
  clear,
  countRequest,
  countsForm,
  formOf,
  noRequests,
} from "./side-counts.ts";

export const stepMs = 10_000;

export const stepForm = z.object({
  /** When it began, ms since the epoch. */
  at: z.int().min(0),
  legacy: countsForm,
  new: countsForm,
});
type StepForm = z.output<typeof stepForm>;

interface StepCounts {
  /** @param nowMs of the monotonic clock */
  record(nowMs: number, side: Side, outcome: Outcome, seconds: number, status: number | undefined): void;
  add(nowMs: number, side: Side, form: CountsForm): void;
  /** @returns `undefined` while no step is over */
  last(): StepForm | undefined;
}

export function createStepCounts({ now, monotonic }: Clock): StepCounts {
  const running = { legacy: noRequests(), new: noRequests() };
  /** Between the two clocks, as of the last look: a wall clock that is put right moves the steps with it. */
  let aheadMs = now() - monotonic();
  let turn = Math.floor(now() / stepMs);
  let over: StepForm | undefined;

  function close(next: number): void {
    const isNextToIt = next === turn + 1;
    const ended = (side: Side) => formOf(isNextToIt ? [running[side]] : []);
    over = { at: (next - 1) * stepMs, legacy: ended("legacy"), new: ended("new") };
    for (const side of sides) clear(running[side]);
    turn = next;
  }

  function current(nowMs: number, side: Side) {
    const at = Math.floor((nowMs + aheadMs) / stepMs);
    if (at > turn) close(at);
    return running[side];
  }

  return {
    record: (nowMs, side, outcome, seconds, status) =>
      countRequest(current(nowMs, side), outcome, seconds, status),
    add: (nowMs, side, form) => addForm(current(nowMs, side), form),
    last() {
      aheadMs = now() - monotonic();
      current(monotonic(), "new");
      return over;
    },
  };
}
