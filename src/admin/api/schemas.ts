/**
 * The admin API's bodies (zod): what the server validates and the command line is typed by. JSON, locale-free.
 */
import { z } from "zod";
import { refusalCodes, stateNames } from "../../state/rules/model.ts";
import { percentFromNumber } from "../../state/rules/percent.ts";
import { openView } from "./open-view.ts";
import { approvalView, proposalView } from "./proposal-view.ts";
import { scopes } from "./write-answer.ts";

/** Path parameters of every call on one cutover. */
export const cutoverName = z.object({ name: z.string().meta({ description: "The cutover's name" }) });

export const percentSchema = z
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
  .max(500)
  .meta({ description: "Why; white space alone is no reason", examples: ["step 2 of the plan"] });
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

export const setPercentBody = z
  .strictObject({ percent: percentSchema, reason: reasonSchema, ...writeOptions })
  .meta({ examples: [{ percent: 25, reason: "step 3", ifVersion: 42 }] });

export const rollbackBody = z
  .strictObject({
    reason: optionalReason,
    hard: z.boolean().default(false).meta({ description: "Void unowned journeys on the new side as well" }),
    ...writeOptions,
  })
  .meta({ examples: [{ reason: "errors up" }] });
export const holdBody = z.strictObject({ reason: optionalReason, ...writeOptions }).meta({ examples: [{}] });
export const approveBody = z.strictObject({ waitMs: writeOptions.waitMs }).meta({ examples: [{}] });
export const resumeBody = z
  .strictObject({ reason: reasonSchema, ...writeOptions })
  .meta({ examples: [{ reason: "payment fixed" }] });
export const closeBody = z
  .strictObject({ reason: reasonSchema, ...writeOptions })
  .meta({ examples: [{ reason: "all shoppers on marketplace since June" }] });

export const sideTraffic = z.object({
  requests: z.int().meta({ description: "Requests that count towards the error rate" }),
  errors: z.int(),
  errorRate: z.number().nullable().meta({ description: "errors / requests; null without requests" }),
  p50: z.number().nullable().meta({ description: "Seconds; null without requests" }),
  p99: z.number().nullable().meta({ description: "Seconds; null without requests" }),
});
export type SideTraffic = z.output<typeof sideTraffic>;

const figures = { requests: 4312, errors: 4, errorRate: 0.000928, p50: 0.018, p99: 0.21 };
const openFigures = { open: 41, atLeast: false, oldestStartedAt: "2025-03-01T10:51:30.000Z" };

export const cutoverView = z
  .object({
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
    scope: z.enum(scopes).meta({
      description:
        "`local`: this instance was told so while the store was out of reach; the others may not know",
    }),
    approval: approvalView
      .optional()
      .meta({ description: "Four eyes; without it, one person may raise to any percent" }),
    proposal: proposalView.optional().meta({ description: "The raise that waits for another person" }),
    traffic: z.object({ windowSeconds: z.number(), legacy: sideTraffic, new: sideTraffic }),
    ...openView,
    instances: z.object({
      live: z.int().meta({
        description:
          "Instances with a current lease in the store; only this one is known while the store is out of reach",
      }),
      applied: z.int().meta({ description: "Those of them that decide by this version" }),
    }),
  })
  .meta({
    examples: [
      {
        name: "checkout",
        legacy: "social-shop",
        new: "marketplace",
        percent: 10,
        state: "open",
        version: 42,
        pinEpoch: 0,
        updatedAt: "2025-03-01T11:04:09.120Z",
        updatedBy: "ops-1",
        reason: "step 2",
        scope: "fleet",
        traffic: { windowSeconds: 60, legacy: figures, new: figures },
        journeys: { legacy: openFigures, new: { ...openFigures, open: 3 } },
        unfinished: { legacy: openFigures, new: { ...openFigures, open: 2 } },
        instances: { live: 6, applied: 6 },
      },
    ],
  });
export type CutoverView = z.output<typeof cutoverView>;

export const instanceView = z
  .object({
    id: z.string(),
    startedAt: z.string(),
    seenAt: z.string(),
    versions: z.record(z.string(), z.int()),
  })
  .meta({
    examples: [
      {
        id: "proxy-1",
        startedAt: "2025-03-01T08:00:00.000Z",
        seenAt: "2025-03-01T12:00:00.004Z",
        versions: { checkout: 43 },
      },
    ],
  });
export type InstanceView = z.output<typeof instanceView>;

/** Event `metrics`: the figures of one cutover, once a second. */
export const metricsEvent = z.array(
  cutoverView.pick({
    name: true,
    proposal: true,
    traffic: true,
    journeys: true,
    unfinished: true,
    instances: true,
  }),
);
export type MetricsEvent = z.output<typeof metricsEvent>;

const contact = z.object({
  up: z.boolean().meta({ description: "Whether the store answered the last call" }),
  stalenessSeconds: z.number().meta({ description: "Seconds since the store last answered" }),
});

export type ContactView = z.output<typeof contact>;

/** Event `tick`: the server's time, once a second. What is older than three ticks is stale. */
export const tickEvent = z.object({ serverTime: z.string(), store: contact });
export type TickEvent = z.output<typeof tickEvent>;

export const phases = ["starting", "ready", "draining"] as const;
export type Phase = (typeof phases)[number];

export const healthView = z.object({
  status: z.enum(phases),
  store: contact,
  cutovers: z.record(z.string(), z.int()).meta({ description: "The version this instance decides by" }),
});
export type HealthView = z.output<typeof healthView>;

/** Every `code` of a problem body (RFC 9457). */
export const problemCodes = [
  "malformed_request",
  "malformed_body",
  "unauthenticated",
  "not_found",
  "method_not_allowed",
  "request_timeout",
  "body_too_large",
  "unsupported_media_type",
  "invalid",
  "headers_too_large",
  "too_many_attempts",
  "too_many_streams",
  "store_unavailable",
  "issuer_unavailable",
  "internal",
  ...refusalCodes,
] as const;
export type ProblemCode = (typeof problemCodes)[number];

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(problemCodes),
    detail: z.string().optional(),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .meta({ description: "With `invalid`: each field that was refused, and what was expected" }),
    current: z
      .object({ percent: z.number(), state: z.enum(stateNames), version: z.int() })
      .optional()
      .meta({ description: "With a refusal of the rule book: how the cutover stands" }),
  })
  .meta({
    examples: [
      {
        type: "about:blank",
        title: "Conflict",
        status: 409,
        code: "held",
        detail: "the cutover is held: resume it first",
      },
    ],
  });
export type Problem = z.output<typeof problem>;
