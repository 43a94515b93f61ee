/** A cutover's plan as the API shows it (zod), and what starts and pauses it. */
import * as z from "zod";
import { reasonSchema, writeOptions } from "../write.ts";

export const startPlanBody = z
  .strictObject({ reason: reasonSchema, ...writeOptions })
  .meta({ examples: [{ reason: "as agreed on Monday" }] });
export const pausePlanBody = z
  .strictObject({ reason: reasonSchema, ...writeOptions })
  .meta({ examples: [{ reason: "the provider has maintenance" }] });

export const planStatusNames = ["none", "not started", "running", "paused", "done", "ended"] as const;

export const waitView = z.object({
  gate: z.string(),
  text: z.string(),
  secondsLeft: z.number().nullable().meta({ description: "null: not known" }),
});

const projectedStep = z.object({
  percent: z.number(),
  at: z.string().meta({ description: "RFC 3339, the soonest moment" }),
  takesSeconds: z.number(),
  costs: z.enum(["dwell", "evidence", "windows", "nothing"]).meta({
    description: "What keeps it for the longest",
  }),
});

export const planView = z
  .object({
    name: z.string(),
    status: z.enum(planStatusNames).meta({ description: "`none`: the configuration has no plan" }),
    because: z.string().meta({ description: "How it came to a status other than running" }),
    by: z.string().nullable().meta({ description: "Who started it, and who approved that" }),
    reason: z.string().nullable(),
    startedAt: z.string().nullable(),
    percent: z
      .number()
      .meta({ description: "Where the plan stands; not started or paused: where the cutover does" }),
    next: z.number().nullable().meta({ description: "The next step; null: there is none" }),
    advance: z.enum(["auto", "manual"]),
    steps: z.array(z.number()),
    done: z.array(z.object({ percent: z.number(), at: z.string(), by: z.string(), because: z.string() })),
    dwellSeconds: z.number().meta({ description: "How long a step stands, at least" }),
    stoodSeconds: z.number().meta({ description: "How long this one has, as last written down" }),
    evidence: z.string().nullable().meta({ description: "What is proven of this step; null: not asked for" }),
    legacy: z.string().nullable().meta({
      description: "Whether legacy could take everybody back; null: not asked for",
    }),
    waiting: z
      .array(waitView)
      .meta({ description: "What the next step waits for, as this instance knows it" }),
    deadline: z.object({ at: z.string(), reason: z.string() }).nullable(),
    projection: z
      .object({
        finish: z.string().nullable().meta({
          description: "null: no moment within two years is open, or the steps end below 100",
        }),
        isMeasured: z.boolean().meta({
          description: "false: the pace of the evidence is not known yet; it is the soonest finish",
        }),
        against: z.enum(["on time", "tight", "cannot be met"]).nullable(),
        steps: z.array(projectedStep),
        costliest: projectedStep.nullable(),
      })
      .nullable(),
  })
  .meta({
    examples: [
      {
        name: "checkout",
        status: "running",
        because: "",
        by: "ana",
        reason: "as agreed on Monday",
        startedAt: "2025-03-01T12:00:00.000Z",
        percent: 5,
        next: 100,
        advance: "auto",
        steps: [5, 100],
        done: [{ percent: 5, at: "2025-03-01T12:00:01.000Z", by: "plan", because: "the first step" }],
        dwellSeconds: 600,
        stoodSeconds: 300,
        evidence: null,
        legacy: null,
        waiting: [{ gate: "dwell", text: "the step has not stood for its time", secondsLeft: 300 }],
        deadline: null,
        projection: null,
      },
    ],
  });
export type PlanView = z.output<typeof planView>;

/** A plan as people start, pause and see it. Each call throws StoreUnavailable. */
export interface PlanDesk {
  show(name: string): Promise<PlanView>;
  /** What starting it would mean; `code`: why it cannot be. */
  startable(name: string): Promise<
    | {
        /** Tells these steps from others. */
        readonly fingerprint: string;
        readonly lastThousandths: number;
        /** Runs already, as it is configured. */
        readonly isRunning: boolean;
        /** Goes on with what was approved before. */
        readonly isContinued: boolean;
      }
    | { readonly code: "invalid" | "held" | "rolled_back" | "closed"; readonly detail: string }
  >;
  /** @param by who started it, and who approved that @returns false: somebody else was faster */
  start(name: string, asked: PlanAsked): Promise<boolean>;
  /** @returns whether it ran; `undefined`: somebody else was faster */
  pause(name: string, asked: PlanAsked): Promise<boolean | undefined>;
}

interface PlanAsked {
  readonly by: string;
  readonly reason: string;
}
