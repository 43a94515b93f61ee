import { type PlanRecord, type PlanSpec, startedPlan } from "../../../src/plan/plan.ts";
import { type Circumstances, nextOf } from "../../../src/plan/steps.ts";
import { type CutoverState, initialState } from "../../../src/state/rules/model.ts";

export const minuteMs = 60_000;

export const spec = (over: Partial<PlanSpec> = {}): PlanSpec => ({
  steps: [1000, 5000, 99_000, 100_000],
  dwellMs: 10 * minuteMs,
  advance: "auto",
  windows: [],
  ...over,
});

export function planAt(percentThousandths: number, over: Partial<PlanRecord> = {}): PlanRecord {
  const start = {
    id: "p1",
    by: "anna",
    reason: "go",
    at: "2024-01-01T00:00:00.000Z",
    percentThousandths,
    version: 7,
  };
  return { ...startedPlan(undefined, { ...start, spec: spec() }), ...over };
}

export const stateAt = (percentThousandths: number, over: Partial<CutoverState> = {}): CutoverState => ({
  ...initialState(),
  percentThousandths,
  version: 7,
  updatedBy: "budi",
  ...over,
});

/** A situation in which nothing is against the next step. */
export const well = (state: CutoverState, over: Partial<Circumstances> = {}): Circumstances => ({
  state,
  configured: spec(),
  evidence: { kind: "not asked" },
  guard: "unguarded",
  window: undefined,
  freeze: undefined,
  ...over,
});

export function becameIn(record: PlanRecord, situation: Circumstances): PlanRecord {
  const next = nextOf(record, situation, 0);
  if (next.kind !== "became") throw new Error(`the plan became nothing else: ${next.kind}`);
  return next.record;
}
