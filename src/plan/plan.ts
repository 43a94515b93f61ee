/**
 * A plan as it is kept in the store: what was approved, whole, and how far it has come. PURE.
 *
 * The record follows the cutover's state; it never leads it. A step is made by a change of the percent, which names the
 * version that it leaves, and written down here afterwards; whoever finds the change made and the record behind completes
 * the record (steps.ts). So a process that ends between the two repeats no step and skips none.
 */
import * as z from "zod";

const thousandths = z.int().min(0).max(100_000);
const ms = z.number().min(0);

/** A time in which nothing is raised. Moments in ms since the epoch, `for` in ms. */
const windowSpec = z.object({
  deny: z.literal("raise"),
  from: z.number().optional(),
  to: z.number().optional(),
  cron: z.string().optional(),
  for: ms.optional(),
  timezone: z.string().optional(),
  reason: z.string(),
});
export type WindowSpec = z.output<typeof windowSpec>;

/** What is approved: all that decides when a step is made. */
const planSpec = z.object({
  steps: z.array(thousandths).min(1),
  dwellMs: ms,
  advance: z.enum(["auto", "manual"]),
  evidence: z
    .object({ notWorseThan: z.number(), confidence: z.number(), paid: z.number().optional() })
    .optional(),
  windows: z.array(windowSpec),
  requireReady: z.enum(["legacy"]).optional(),
});
export type PlanSpec = z.output<typeof planSpec>;

const madeStep = z.object({
  percentThousandths: thousandths,
  /** RFC 3339. */
  at: z.string(),
  by: z.string(),
  because: z.string(),
});
export type MadeStep = z.output<typeof madeStep>;

const planStatuses = ["running", "paused", "done", "ended"] as const;

const planRecord = z.object({
  id: z.string(),
  spec: planSpec,
  /** Who started it, and who approved that. */
  by: z.string(),
  reason: z.string(),
  /** RFC 3339. */
  startedAt: z.string(),
  status: z.enum(planStatuses),
  /** Of a status other than running: how it came to that. */
  because: z.string(),
  /** The percent at which the plan stands. */
  standsThousandths: thousandths,
  /** The version of the cutover that it has followed; who knows an older one knows nothing of the plan yet. */
  version: z.int().min(0),
  /** How long it has stood there while somebody watched, by clocks that never step. */
  dweltMs: ms,
  /** What its gates have gathered of this step. */
  gathered: z.object({ failures: z.array(z.number()), paid: z.array(z.number()) }).optional(),
  made: z.array(madeStep),
});
export type PlanRecord = z.output<typeof planRecord>;

/** The configuration's plan, as config/plan gives it: percents, and times in ms. */
interface ConfiguredPlan {
  readonly steps: readonly number[];
  readonly dwell: number;
  readonly advance: "auto" | "manual";
  readonly evidence?:
    | { readonly notWorseThan: number; readonly confidence: number; readonly paid?: number | undefined }
    | undefined;
  readonly windows: readonly z.input<typeof windowSpec>[];
  readonly requireReady?: "legacy" | undefined;
}

export function specOf(plan: ConfiguredPlan): PlanSpec {
  return planSpec.parse({
    steps: plan.steps.map((percent) => Math.round(percent * 1000)),
    dwellMs: plan.dwell,
    advance: plan.advance,
    evidence: plan.evidence,
    windows: plan.windows,
    requireReady: plan.requireReady,
  });
}

export function sameSpec(one: PlanSpec, other: PlanSpec): boolean {
  // The schema puts their keys in one order.
  return JSON.stringify(planSpec.parse(one)) === JSON.stringify(planSpec.parse(other));
}

/** @returns `undefined` where the text is no plan: it was written by hand, or by another program */
export function readPlan(text: string): PlanRecord | undefined {
  try {
    return planRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function planText(record: PlanRecord): string {
  return JSON.stringify(record);
}

/** The first step above where the plan stands; `undefined`: there is none. */
export function stepAbove({ spec, standsThousandths }: Pick<PlanRecord, "spec" | "standsThousandths">) {
  return spec.steps.find((step) => step > standsThousandths);
}

interface Start {
  readonly id: string;
  readonly spec: PlanSpec;
  readonly by: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
  readonly percentThousandths: number;
  /** The cutover's. */
  readonly version: number;
}

/**
 * The plan from where the cutover stands. One that is paused and stands there still, with the same steps, goes on as it was
 * approved; its dwell and its evidence begin anew.
 */
export function startedPlan(
  before: PlanRecord | undefined,
  { id, spec, by, reason, at, percentThousandths, version }: Start,
): PlanRecord {
  const goesOn = isContinued(before, { spec, percentThousandths });
  const { gathered: _, ...kept } = before ?? {};
  return planRecord.parse({
    ...(goesOn ? kept : { id, spec, by, reason, startedAt: at, made: [] }),
    status: "running",
    because: "",
    standsThousandths: percentThousandths,
    version,
    dweltMs: 0,
  });
}

/** Whether starting the plan is going on with what was approved already. */
export function isContinued(
  before: PlanRecord | undefined,
  { spec, percentThousandths }: Pick<Start, "spec" | "percentThousandths">,
): boolean {
  return (
    before?.status === "paused" &&
    sameSpec(before.spec, spec) &&
    before.standsThousandths === percentThousandths
  );
}
