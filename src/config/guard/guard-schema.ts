/** A cutover's guard in the configuration: what it goes by, and what follows. */
import * as z from "zod";
import { block } from "../block.ts";
import * as value from "../single-values.ts";

/** A metric of the owner's own. */
const metric = block({
  name: value.name,
  /** PromQL; `$side` in it is filled in. */
  query: z.string().trim().min(1, "expected a query in PromQL").max(2000),
  /** In which direction new is worse. */
  worse: z.enum(["above", "below"]),
  /** How many times as far: of legacy's 1.5, of a number 1 without it. */
  by: z.number().min(1).max(1000).optional(),
  /** What new is held against: legacy, or a number. */
  than: z.union([z.literal("legacy"), z.number().min(0)], {
    error: "expected legacy, or a number of at least 0",
  }),
  /** How long without a break. */
  for: value.wait
    .refine((ms) => ms >= 5000 && ms <= 3_600_000, { error: "expected a duration from 5s to 1h" })
    .default(300_000),
  action: z.enum(["hold", "alert", "rollback"]).default("hold"),
}).refine(({ than, query }) => than !== "legacy" || query.includes("$side"), {
  path: ["query"],
  error: "expected $side in it: it is asked of new and of legacy",
});

const metrics = z
  .array(metric)
  .max(16)
  .superRefine((given, context) => {
    given.forEach(({ name }, at) => {
      if (given.findIndex((other) => other.name === name) === at) return;
      context.addIssue({
        code: "custom",
        path: [at, "name"],
        message: "expected a name of its own for each metric",
      });
    });
  });

const blockMs = { least: 1000, most: 10_000 } as const;

/** Who watches the two sides and rolls back (src/guard/). */
const guard = block({
  /** Without it: hold until a step has passed by evidence, roll back from then on. */
  action: z.enum(["rollback", "hold", "alert"]).optional(),
  /** False alarms a day. */
  budget: value.part.prefault("1%"),
  /** Odds of a failure on new, in legacy's, that are still well. */
  tolerance: z.number().min(1).max(100).default(1),
  /** What may fail of a side's attempts, whatever the other does. */
  maxErrorRate: value.part
    .refine((share) => share <= 0.9, { error: "expected a percent of at most 90%" })
    .prefault("10%"),
  /** Shoppers who have to have failed on new. */
  minFailures: z.int().min(1).max(10_000).default(3),
  block: value.wait
    .refine((ms) => ms >= blockMs.least && ms <= blockMs.most, {
      error: "expected a duration from 1s to 10s",
    })
    .default(2000),
  /** After a block's end, when what is unanswered is no failure any more. */
  sloTimeout: value.wait
    .refine((ms) => ms >= 1000 && ms <= 120_000, { error: "expected a duration from 1s to 120s" })
    .default(10_000),
  /** Answers that take longer to begin are slow; without it, none is. */
  latency: block({
    slo: value.wait
      .refine((ms) => ms >= 50 && ms <= 120_000, { error: "expected a duration from 50ms to 120s" })
      .default(2000),
  }).optional(),
  /** Whether the payments of journeys are compared; without it, where journeys start and end. */
  paid: z.boolean().optional(),
  /** Names of the routes whose attempts it goes by; without it, all. */
  routes: z.array(value.name).min(1).optional(),
  /** What it asks `prometheus` for besides. */
  metrics: metrics.optional(),
}).refine(({ latency, sloTimeout }) => latency === undefined || latency.slo <= sloTimeout, {
  path: ["latency", "slo"],
  error: "expected a time of at most sloTimeout",
});

export const guardOrOff = z
  .union([guard, z.literal("off"), z.literal(false)], { error: "expected a mapping, or off" })
  .transform((given) => (typeof given === "object" ? given : undefined));
