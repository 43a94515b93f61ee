/** What is against raising a cutover, and where its plan stands, in brief: its part of a cutover's view (zod). */
import * as z from "zod";
import type { Warning } from "../write.ts";
import { type PlanView, planStatusNames, waitView } from "./plan-view.ts";

const moment = (description: string) => z.string().meta({ description: `RFC 3339: ${description}` });

const freezeInBrief = z.object({
  until: moment("when it ends by itself"),
  since: moment("when it was frozen so"),
  by: z.string(),
  reason: z.string(),
});

const windowView = z.object({ until: moment("when this one ends"), reason: z.string() });

const against = z.enum(["on time", "tight", "cannot be met"]).nullable();

const planInBrief = z.object({
  status: z.enum([...planStatusNames, "unknown"]).meta({
    description: "`unknown`: the store has not told since this instance began, or tells no more",
  }),
  percent: z
    .number()
    .meta({ description: "Where the plan stands; not started or paused: where the cutover does" }),
  next: z.number().nullable().meta({ description: "The next step; null: there is none" }),
  waiting: z.array(waitView),
  finish: z.string().nullable().meta({ description: "RFC 3339; null: never, or it has none to come" }),
  sentence: z.string().meta({ description: "All of it, for people" }),
});

const deadlineView = z.object({
  at: moment("by when everybody has to be on new"),
  reason: z.string(),
  against: against.meta({ description: "Where the plan's finish stands to it; null: not known" }),
});

export const scheduledView = z.object({
  id: z.string(),
  percent: z.number(),
  cohort: z.string().optional().meta({ description: "Whose; absent: the cutover's own" }),
  at: moment("when it is to be made"),
  by: z.string().meta({ description: "Who asked for it, and who approved that" }),
  reason: z.string(),
  override: z.boolean().optional().meta({ description: "Although a window or a freeze is against it" }),
  outcome: z
    .object({
      kind: z.enum(["made", "refused", "missed", "cancelled"]),
      at: z.string(),
      because: z.string(),
    })
    .optional()
    .meta({ description: "Absent: it waits" }),
});
export type ScheduledView = z.output<typeof scheduledView>;

export const raiseFields = {
  freeze: freezeInBrief.optional().meta({
    description: "Of everything: nothing is raised or closed until then; absent: nothing is frozen",
  }),
  window: windowView.optional().meta({
    description: "The window against a raise that is open now, the longest of several; absent: none",
  }),
  plan: planInBrief
    .optional()
    .meta({ description: "Absent: the configuration has no plan, and none was started" }),
  deadline: deadlineView.optional().meta({ description: "Absent: there is none" }),
  schedule: z
    .array(scheduledView)
    .optional()
    .meta({ description: "What is to be set at a time; absent: nothing" }),
};
const raiseView = z.object(raiseFields);
export type RaiseView = z.output<typeof raiseView>;

/** @param plan as its own call tells it; `undefined`: the store does not tell */
export function planBriefly(plan: PlanView | undefined): NonNullable<RaiseView["plan"]> {
  if (plan === undefined) {
    const sentence = "it is not known: the store does not tell";
    return { status: "unknown", percent: 0, next: null, waiting: [], finish: null, sentence };
  }
  const { status, percent, next, waiting, projection } = plan;
  const finish = projection?.finish ?? null;
  return { status, percent, next, waiting, finish, sentence: sentenceOf(plan) };
}

function sentenceOf({ status, percent, next, because, waiting, projection }: PlanView): string {
  const finish = projection === null ? [] : [finishText(projection)];
  switch (status) {
    case "none":
      return "there is none";
    case "not started":
      return [`not started, the first step is ${next}%`, ...finish].join("; ");
    case "running": {
      const waits = waiting.map(({ gate, text }) => `${gate} (${text})`).join(", ");
      const told = next === null ? `at ${percent}%` : `at ${percent}%, next ${next}%`;
      return [`${told}${waits === "" ? "" : `: waits for ${waits}`}`, ...finish].join("; ");
    }
    case "paused":
      return `paused at ${percent}%: ${because}`;
    case "done":
    case "ended":
      return `${status} at ${percent}%: ${because}`;
  }
}

function finishText({ finish, isMeasured, against }: NonNullable<PlanView["projection"]>): string {
  const due =
    against === null ? "" : `, the deadline ${against === "cannot be met" ? against : `is ${against}`}`;
  if (finish === null) return `it never finishes${due}`;
  return `finish ${finish}${isMeasured ? "" : " at the soonest"}${due}`;
}

/** What is to be known of them beside where they stand: what everybody is kept from, and a date that will be missed. */
export function raiseWarnings({ freeze, deadline, plan }: RaiseView): Warning[] {
  const late = deadline?.against === "cannot be met" && plan !== undefined && plan.status !== "done";
  return [
    ...(freeze === undefined
      ? []
      : [{ code: "frozen", text: `${frozenText(freeze)}: nothing is raised or closed` }]),
    ...(deadline === undefined || !late
      ? []
      : [
          {
            code: "deadline_missed",
            text: `the deadline ${deadline.at} (${deadline.reason}) cannot be met: the plan ${plan?.finish === null ? "never finishes" : `finishes ${plan?.finish}`}`,
          },
        ]),
  ];
}

/** `everything is frozen until 2025-03-01T14:00:00.000Z by ana, Lebaran`. */
export function frozenText({
  until,
  by,
  reason,
}: Pick<z.output<typeof freezeInBrief>, "until" | "by" | "reason">) {
  return `everything is frozen until ${until} by ${by}${reason === "" ? "" : `, ${reason}`}`;
}
