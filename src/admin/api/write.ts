/**
 * Changing a cutover (zod): the bodies of the calls, and what they are answered with. A write answer says where the
 * cutover stands, on which instances that is in force, and by when it is on the rest; a raise that needs another person
 * is answered with a proposal.
 */
import * as z from "zod";
import { escapeUnseen } from "../../state/rules/history.ts";
import { type Applied, stateNames } from "../../state/rules/model.ts";
import { percentFromNumber, percentToNumber } from "../../state/rules/percent.ts";
import { standingPercent } from "../../state/rules/routing.ts";
import { returningField } from "./plan/return-view.ts";
import { longestReason, longestWaitMs } from "./rules.ts";

const percentSchema = z
  .number()
  .refine((value) => percentFromNumber(value) !== undefined, {
    error: "expected a percent from 0 to 100 with at most 3 decimals",
  })
  .meta({
    description: "Share of shoppers whose new journeys start on the new side, 0–100, at most 3 decimals",
    minimum: 0,
    maximum: 100,
    examples: [12.5],
  });

export const reasonSchema = z
  .string({ error: "expected a reason" })
  .trim()
  .min(1, "expected a reason")
  .max(longestReason)
  .overwrite(escapeUnseen)
  .meta({ description: "Why; white space alone is no reason", examples: ["step 2 of the plan"] });
const optionalReason = z.string().trim().max(longestReason).overwrite(escapeUnseen).optional();
export const writeOptions = {
  ifVersion: z.int().min(0).optional().meta({ description: "Refuse unless the state has this version" }),
  waitMs: z
    .int()
    .min(0)
    .max(longestWaitMs)
    .default(2000)
    .meta({ description: "How long to wait for every live instance to have applied the change" }),
};

const override = z.boolean().default(false).meta({
  description:
    "Although a window or a freeze is against it: said in the history, and of two people where approval is on",
});

export const setPercentBody = z
  .strictObject({ percent: percentSchema, reason: reasonSchema, override, ...writeOptions })
  .meta({ examples: [{ percent: 25, reason: "step 3", ifVersion: 42 }] });

const rollbackFields = z.strictObject({
  reason: optionalReason,
  hard: z.boolean().default(false).meta({ description: "Void unowned journeys on the new side as well" }),
  ...writeOptions,
});
export const rollbackBody = rollbackFields
  .extend({
    gradual: z.boolean().default(false).meta({
      description: "Latch raises at once, and return over the cutover's configured time: done only at 0",
    }),
  })
  .refine(({ hard, gradual }) => !(hard && gradual), { path: ["gradual"], error: "expected hard or gradual" })
  .meta({ examples: [{ reason: "errors up" }] });
export const holdBody = z.strictObject({ reason: optionalReason, ...writeOptions }).meta({ examples: [{}] });
export const approveBody = z.strictObject({ waitMs: writeOptions.waitMs }).meta({ examples: [{}] });
export const resumeBody = z
  .strictObject({ reason: reasonSchema, ...writeOptions })
  .meta({ examples: [{ reason: "payment fixed" }] });
export const closeBody = z
  .strictObject({
    reason: reasonSchema,
    force: z.boolean().default(false).meta({
      description: "Close although legacy has journeys under way or unfinished orders: they are given up",
    }),
    override,
    ...writeOptions,
  })
  .meta({ examples: [{ reason: "all shoppers on marketplace since June" }] });

/** Of every cutover at once: they have no version in common. */
export const rollbackAllBody = rollbackFields
  .omit({ ifVersion: true })
  .meta({ examples: [{ reason: "errors up" }] });
export const holdAllBody = holdBody.omit({ ifVersion: true }).meta({ examples: [{}] });

/** `local`: this instance was told while the store was out of reach; the others may not know. */
export const scopes = ["fleet", "local"] as const;

const laggingInstance = z.object({
  id: z.string(),
  name: z.string().optional().meta({ description: "`instance.name` of its configuration" }),
  address: z.string().optional().meta({ description: "Its admin listener" }),
  pid: z.int().optional().meta({ description: "Of its process" }),
  version: z.int().meta({ description: "The version it decided by when it was last heard of" }),
  seenAt: z.string().meta({ description: "RFC 3339, the store's clock" }),
  leaseEndsAt: z.string().nullable().meta({
    description:
      "From then on it certainly starts no new journey on new (`onStale: legacy`); null: cut off, it goes on by its last state",
  }),
});
export type LaggingInstance = z.output<typeof laggingInstance>;

/**
 * What an operator must know of, a sentence each. Moments in it are RFC 3339, so that each reader's screen may say them in
 * its own zone.
 */
export const warning = z.object({
  code: z.string().meta({ description: "Stays what it is from release to release" }),
  text: z.string().meta({ description: "One sentence for a person, without a mark in front" }),
});
export type Warning = z.output<typeof warning>;

export const writeAnswer = z
  .object({
    name: z.string(),
    percent: z.number().meta({ description: "The cutover's own" }),
    cohort: z
      .object({ name: z.string(), percent: z.number() })
      .optional()
      .meta({ description: "Whose percent was set, where it was a cohort's" }),
    state: z.enum(stateNames),
    version: z.int(),
    changed: z.boolean(),
    ...returningField,
    warnings: z.array(warning).optional().meta({
      description: "A side that shoppers are sent to and that is in maintenance; absent: none is",
    }),
    applied: z.object({
      instances: z.int().meta({ description: "Live instances that decide by this version" }),
      of: z.int().meta({ description: "Live instances" }),
      ms: z.number().meta({ description: "Milliseconds from the request's arrival to this answer" }),
      committedMs: z.number().optional().meta({ description: "Milliseconds from its arrival to its commit" }),
      scope: z.enum(scopes).meta({
        description: "`local`: the store does not take it: on this instance alone, reconciled once it does",
      }),
      complete: z.boolean().meta({
        description:
          "Whether it is certain of every instance, silent ones included: by their leases' end for a lower or a rollback; a raise, a hold and a resume need the live ones only",
      }),
      completeBy: z.string().nullable().meta({
        description:
          "RFC 3339, the store's clock: complete everywhere at the latest then; null: not known, since an instance in `lagging` may go on by its last state",
      }),
      at: z
        .object({ id: z.string(), name: z.string() })
        .optional()
        .meta({ description: "The instance that answers" }),
      lagging: z
        .array(laggingInstance)
        .meta({ description: "Every known instance, live or silent, that may decide by an older version" }),
    }),
  })
  .meta({
    examples: [
      {
        name: "checkout",
        percent: 0,
        state: "rolled_back",
        version: 43,
        changed: true,
        applied: {
          instances: 5,
          of: 5,
          ms: 41.3,
          scope: "fleet",
          complete: false,
          completeBy: "2025-03-01T12:00:26.311Z",
          lagging: [
            {
              id: "1f0c77ab",
              version: 42,
              seenAt: "2025-03-01T11:59:56.311Z",
              leaseEndsAt: "2025-03-01T12:00:26.311Z",
            },
          ],
        },
      },
    ],
  });
export type WriteAnswer = z.output<typeof writeAnswer>;

/** One of many that were asked at once: done, or refused by itself. */
export const writeOfAll = z.union([
  writeAnswer,
  z.object({
    name: z.string(),
    refused: z.object({
      code: z.string(),
      detail: z.string().optional(),
      current: z.object({ percent: z.number(), state: z.enum(stateNames), version: z.int() }).optional(),
    }),
  }),
]);
export type WriteOfAll = z.output<typeof writeOfAll>;

type AppliedView = WriteAnswer["applied"];

export function writeView(
  name: string,
  applied: Extract<Applied, { accepted: true }>,
  where: AppliedView,
  warnings: readonly Warning[],
  cohort?: string,
): WriteAnswer {
  const { percentThousandths, state, version } = applied.state;
  const ofCohort = () => percentToNumber(standingPercent(applied.state, cohort));
  return {
    name,
    percent: percentToNumber(percentThousandths),
    ...(cohort === undefined ? {} : { cohort: { name: cohort, percent: ofCohort() } }),
    state,
    version,
    changed: applied.changed,
    ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
    applied: where,
  };
}

export const approvalView = z.object({
  over: z.number().meta({
    description: "A raise by more points than these waits for another person; so does closing, always",
  }),
  ttlSeconds: z.number().meta({ description: "For so long" }),
  windowSeconds: z.number().default(0).meta({
    description: "What one person raises within so long counts together; 0: each raise by itself",
  }),
});

/** A raise or a close that waits for another person: what it is answered with, and what a cutover shows. */
export const proposalView = z
  .object({
    id: z.string(),
    name: z.string().meta({ description: "The cutover's" }),
    action: z.enum(["set", "close", "plan", "schedule"]).default("set").meta({
      description: "`set`: a raise; `plan`: the start of the plan; `schedule`: a raise at a time",
    }),
    dueAt: z.string().optional().meta({ description: "Of a raise at a time: when, RFC 3339" }),
    plan: z.string().optional().meta({ description: "Of a plan: tells its steps from others" }),
    cohort: z.string().optional().meta({ description: "Of a raise: whose, where it is a cohort's" }),
    force: z.boolean().default(false).meta({
      description: "Of a close: although legacy has something under way",
    }),
    override: z.boolean().optional().meta({
      description: "Of a raise or a close: although a window or a freeze is against it",
    }),
    percent: z.number().meta({ description: "What it would be raised to" }),
    version: z.int().meta({ description: "Of the state it was made on: it can be approved on no other" }),
    by: z.string().meta({ description: "Who may not approve it" }),
    reason: z.string(),
    at: z.string(),
    expiresAt: z.string(),
  })
  .meta({
    examples: [
      {
        id: "f3a1c09b",
        name: "checkout",
        action: "set",
        force: false,
        percent: 50,
        version: 42,
        by: "ana",
        reason: "step 4",
        at: "2025-03-01T12:00:00.004Z",
        expiresAt: "2025-03-01T12:30:00.004Z",
      },
    ],
  });
export type ProposalView = z.output<typeof proposalView>;

/** A rollback or hold that goes straight to the store. */
export interface DirectWrite {
  /** redis://… or rediss://…, with what it takes to sign in. */
  readonly url: string;
  /** The beginning of every key in the store. */
  readonly prefix: string;
  /** Without it, every cutover that an instance has told the store of. */
  readonly name?: string;
  readonly action: "rollback" | "rollback_hard" | "hold";
  readonly reason: string;
  readonly ifVersion?: number;
  readonly waitMs: number;
}

export type DirectAnswer =
  | { readonly kind: "answered"; readonly answer: WriteAnswer }
  /** Where no name was given: each by itself. */
  | { readonly kind: "answered_all"; readonly answers: readonly WriteOfAll[] }
  /** By the rule book; `stands`: how the cutover does. */
  | {
      readonly kind: "refused";
      readonly code: string;
      readonly stands: Pick<WriteAnswer, "percent" | "state" | "version">;
    }
  /** Neither the store nor an instance has a cutover of that name. */
  | { readonly kind: "unknown_name"; readonly known: readonly string[] }
  /** `why`: the store's own word where it `answers`, and refuses. */
  | { readonly kind: "out_of_reach"; readonly why: string; readonly answers: boolean };
