/** A cutover's plan in the configuration: by which steps its percent is raised, when, and what must hold before each. */
import * as z from "zod";
import { block } from "../block.ts";
import * as value from "../single-values.ts";
import { isTimeZone, refusedCron } from "./cron.ts";

const moment = z.iso
  .datetime({ offset: true, error: "expected a moment with its zone, such as 2024-04-12T00:00:00+07:00" })
  .transform((text) => Date.parse(text));

const reason = z.string().trim().min(1, "expected a reason").max(500);

const cron = z.string().superRefine((text, context) => {
  const message = refusedCron(text);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

/** A time in which nothing is raised: once, or again and again for so long each time. */
export const window = block({
  /** What is refused; there is nothing else yet. */
  deny: z
    .union([z.literal("raise"), z.literal(true), z.null()], { error: "expected raise" })
    .transform(() => "raise" as const)
    .prefault("raise"),
  from: moment.optional(),
  to: moment.optional(),
  cron: cron.optional(),
  for: value.lifetime.optional(),
  timezone: z.string().refine(isTimeZone, { error: "expected a time zone such as Asia/Jakarta" }).optional(),
  reason,
}).superRefine(({ from, to, cron: again, for: lasts, timezone }, context) => {
  const wrong = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  const isOnce = from !== undefined || to !== undefined;
  if (isOnce && (again ?? lasts ?? timezone) !== undefined) {
    return wrong("from", "expected from and to, or cron, for and timezone: not both");
  }
  if (!isOnce) {
    if (again === undefined) return wrong("cron", "expected from and to, or cron, for and timezone");
    if (lasts === undefined) wrong("for", "expected how long it lasts each time");
    if (timezone === undefined) wrong("timezone", "expected the time zone of cron, such as Asia/Jakarta");
    return;
  }
  if (from === undefined) return wrong("from", "expected from and to");
  if (to === undefined) return wrong("to", "expected from and to");
  if (to <= from) wrong("to", "expected a moment after from");
});

const step = value.points.refine((percent) => percent > 0, { error: "expected a percent above 0" });

export const plan = block({
  /** Percents, rising. */
  steps: z
    .array(step)
    .min(1)
    .max(100)
    .superRefine((steps, context) => {
      steps.forEach((percent, at) => {
        if (at === 0 || percent > (steps[at - 1] ?? 0)) return;
        context.addIssue({ code: "custom", path: [at], message: "expected more than the step before" });
      });
    })
    .default([1, 5, 10, 25, 50, 99, 100]),
  /** How long each step stands, at least. */
  dwell: value.lifetime.default(10 * 60_000),
  /** `manual`: a person makes each step once the plan says that it may be made. */
  advance: z.enum(["auto", "manual"]).default("auto"),
  /** What must be proven of a step; without it, it only has to stand for its time. */
  evidence: block({
    /** Odds of a failure on new, in legacy's, that are to be excluded. */
    notWorseThan: z.number().min(1.1).max(100).default(2),
    confidence: value.part
      .refine((share) => share >= 0.5, { error: "expected a percent of at least 50%" })
      .prefault("95%"),
    /** New's journeys are paid at more than 1/so many of legacy's pace; without it, payments are not asked for. */
    paid: z.number().min(1.1).max(100).optional(),
  }).optional(),
  windows: z.array(window).max(100).default([]),
  /** Which side must be well before a raise: the one that everybody may have to go back to. */
  requireReady: z.enum(["legacy"]).optional(),
});

/** By when everybody has to be on new. */
export const deadline = block({ at: moment, reason });

/** Over how long a percent is lowered by hand, so that a legacy that has grown cold is filled again little by little. */
export const gradualReturn = block({
  over: value.wait.refine((ms) => ms >= 10_000 && ms <= 3_600_000, {
    error: "expected a duration from 10s to 1h",
  }),
});
