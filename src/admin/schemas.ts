/**
 * The admin API's bodies (zod): what the server validates and the command line is typed by. JSON, locale-free.
 */
import { z } from "zod";
import { historyActions, refusalCodes, stateNames } from "../state/model.ts";
import { percentFromNumber } from "../state/percent.ts";

export const percentSchema = z
  .number()
  .refine((value) => percentFromNumber(value) !== undefined, {
    error: "expected a percent from 0 to 100 with at most 3 decimals",
  })
  .meta({
    description: "Share of shoppers whose new journeys start on the new side, 0–100, at most 3 decimals",
  });

export const reasonSchema = z.string().trim().min(1, "expected a reason").max(500);
const optionalReason = z.string().trim().max(500).optional();
const timestamp = z.string().meta({ description: "RFC 3339; empty at version 0" });

const writeOptions = {
  ifVersion: z.int().min(0).optional().meta({ description: "Refuse unless the state has this version" }),
  waitMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(2000)
    .meta({ description: "How long to wait for every live instance to have applied the change" }),
};

export const setPercentBody = z.strictObject({
  percent: percentSchema,
  reason: reasonSchema,
  ...writeOptions,
});
export const rollbackBody = z.strictObject({
  reason: optionalReason,
  hard: z.boolean().default(false).meta({ description: "Void unowned journeys on the new side as well" }),
  ...writeOptions,
});
export const holdBody = z.strictObject({ reason: optionalReason, ...writeOptions });
export const resumeBody = z.strictObject({ reason: reasonSchema, ...writeOptions });
export const closeBody = z.strictObject({ reason: reasonSchema, ...writeOptions });

export const sideTraffic = z.object({
  requests: z.int().meta({ description: "Requests that count towards the error rate" }),
  errors: z.int(),
  errorRate: z.number().nullable().meta({ description: "errors / requests; null without requests" }),
  p50: z.number().nullable().meta({ description: "Seconds; null without requests" }),
  p99: z.number().nullable().meta({ description: "Seconds; null without requests" }),
});
export type SideTraffic = z.output<typeof sideTraffic>;

export const cutoverView = z.object({
  name: z.string(),
  legacy: z.string(),
  new: z.string(),
  percent: z.number(),
  state: z.enum(stateNames),
  version: z.int(),
  pinEpoch: z.int(),
  updatedAt: timestamp,
  updatedBy: z.string(),
  reason: z.string(),
  traffic: z.object({ windowSeconds: z.number(), legacy: sideTraffic, new: sideTraffic }),
  instances: z.object({
    live: z.int().meta({ description: "Instances with a current lease in the store" }),
    applied: z.int().meta({ description: "Those of them that decide by this version" }),
  }),
});
export type CutoverView = z.output<typeof cutoverView>;

export const writeAnswer = z.object({
  name: z.string(),
  percent: z.number(),
  state: z.enum(stateNames),
  version: z.int(),
  changed: z.boolean(),
  applied: z.object({
    instances: z.int().meta({ description: "Live instances that decide by this version" }),
    of: z.int().meta({ description: "Live instances" }),
    ms: z.number().meta({ description: "Milliseconds from the request's arrival to this answer" }),
  }),
});
export type WriteAnswer = z.output<typeof writeAnswer>;

const standing = z.object({ percent: z.number(), state: z.enum(stateNames) });

export const historyEntry = z.object({
  version: z.int(),
  at: z.string(),
  by: z.string(),
  action: z.enum(historyActions),
  from: standing,
  to: standing,
  reason: z.string(),
});
export type HistoryEntryView = z.output<typeof historyEntry>;

export const explanation = z.object({
  side: z.enum(["legacy", "new"]),
  reason: z.string().meta({ description: "The word of the decision order" }),
  bucket: z.int().nullable().meta({ description: "0–99999; null without a shopper" }),
  percent: z.number(),
  version: z.int(),
});
export type Explanation = z.output<typeof explanation>;

export const instanceView = z.object({
  id: z.string(),
  startedAt: z.string(),
  seenAt: z.string(),
  versions: z.record(z.string(), z.int()),
});
export type InstanceView = z.output<typeof instanceView>;

/** Every `code` of a problem body (RFC 9457). */
export const problemCodes = [
  "malformed_body",
  "unauthenticated",
  "not_found",
  "method_not_allowed",
  "body_too_large",
  "unsupported_media_type",
  "invalid",
  "store_unavailable",
  "internal",
  ...refusalCodes,
] as const;
export type ProblemCode = (typeof problemCodes)[number];

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(problemCodes),
  detail: z.string().optional(),
});
export type Problem = z.output<typeof problem>;
