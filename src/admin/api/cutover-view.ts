/** A cutover as the API shows it (zod). JSON, locale-free. */
import * as z from "zod";
import { sides, stateNames } from "../../state/rules/model.ts";
import { guardInBrief, guardView } from "./guard/guard-view.ts";
import { raiseFields } from "./plan/raise-view.ts";
import { returningField } from "./plan/return-view.ts";
import { exposureView } from "./sides/exposure.ts";
import { approvalView, proposalView, scopes, warning } from "./write.ts";

/** Path parameters of every call on one cutover. */
export const cutoverName = z.object({ name: z.string().meta({ description: "The cutover's name" }) });
export const cohortName = cutoverName.extend({
  cohort: z.string().meta({ description: "The cohort's name" }),
});

const timestamp = z.string().meta({ description: "RFC 3339; empty at version 0" });

export const sideTraffic = z.object({
  requests: z.int().meta({ description: "Requests that count towards the error rate" }),
  errors: z.int(),
  errorRate: z.number().nullable().meta({ description: "errors / requests; null without requests" }),
  p50: z.number().nullable().meta({ description: "Seconds; null without requests" }),
  p99: z.number().nullable().meta({ description: "Seconds; null without requests" }),
  clientErrors: z.int().default(0).meta({ description: "Answers from 400 to 499" }),
  shares: z
    .object({ "2xx": z.number(), "3xx": z.number(), "4xx": z.number(), "5xx": z.number() })
    .nullable()
    .default(null)
    .meta({
      description:
        "Of the requests, those that the side answered so, 0–1; what is missing of 1 it did not answer. Null without requests",
    }),
  inFlight: z.int().default(0).meta({ description: "Requests that are not over" }),
  oldestInFlightSeconds: z
    .number()
    .nullable()
    .default(null)
    .meta({ description: "The longest wait for the head of an answer; null while nobody waits" }),
});
export type SideTraffic = z.output<typeof sideTraffic>;

export const sideUnderWay = z.object({
  open: z.int(),
  atLeast: z.boolean().meta({ description: "As many as are kept are open: there may be more" }),
  oldestStartedAt: z.string().nullable().meta({ description: "RFC 3339; null when none is open" }),
  oldest: z
    .array(z.object({ id: z.string(), startedAt: z.string() }))
    .optional()
    .meta({
      description:
        "Of legacy: the oldest, at most 10, with their starts (RFC 3339). A journey's id is random; an order's is the beginning of the base64url SHA-256 of its key. Absent when none is open",
    }),
});

export type SideUnderWay = z.output<typeof sideUnderWay>;

const sidesUnderWay = z.object({ legacy: sideUnderWay, new: sideUnderWay }).nullable();
export type SidesUnderWay = z.output<typeof sidesUnderWay>;

/** What is under way in the whole fleet, the same on every instance. Null rather than old. */
const underWayView = {
  journeys: sidesUnderWay.meta({
    description:
      "Journeys under way, those voided by a hard rollback left out; null without journeys, and while the store can not tell",
  }),
  unfinished: sidesUnderWay.meta({
    description:
      "Orders each side owns and no 2xx has finished; null where no route that ends a journey or takes a payment can name an order, and while the store can not tell",
  }),
};

const figures = {
  requests: 4312,
  errors: 4,
  errorRate: 0.000928,
  p50: 0.018,
  p99: 0.21,
  clientErrors: 62,
  shares: { "2xx": 0.9847, "3xx": 0, "4xx": 0.0144, "5xx": 0.0009 },
  inFlight: 9,
  oldestInFlightSeconds: 0.18,
};
const countUnderWay = { open: 41, atLeast: false, oldestStartedAt: "2025-03-01T10:51:30.000Z" };

const storeView = z
  .object({
    reachable: z.boolean(),
    writable: z.boolean(),
    since: timestamp.nullable().meta({ description: "Since when it is not; null: it is both" }),
    word: z.string().nullable().meta({ description: "The store's own, where it answers and refuses" }),
  })
  .meta({ description: "How the instance that answers stands with the store" });

const silentInstance = z.object({
  id: z.string(),
  name: z.string().meta({ description: "`instance.name` of its configuration" }),
  address: z.string().nullable().meta({ description: "Its admin listener; null: not known" }),
  pid: z.int().nullable(),
  version: z.int().meta({ description: "The version it decided by when it was last heard of" }),
  since: z.string().meta({ description: "RFC 3339, the store's clock: its last word" }),
  until: z.string().nullable().meta({
    description:
      "From then on it certainly starts no new journey on new (`onStale: legacy`); null: cut off, it goes on by its last state",
  }),
});
export type SilentInstance = z.output<typeof silentInstance>;

const remainder = z.object({
  reason: z.string().meta({ description: "The word of the decision order that sends it there" }),
  text: z.string().meta({ description: "What, and why, for people" }),
});
export type Remainder = z.output<typeof remainder>;

const cohortView = z
  .object({
    name: z.string(),
    side: z.enum(sides).nullable().meta({ description: "Where all of it goes, by the configuration" }),
    percent: z.number().nullable().meta({ description: "Its own; null where it has a side" }),
    limit: z
      .number()
      .optional()
      .meta({ description: "How far the cutover that this one goes after lets it go; absent: after none" }),
    effectivePercent: z
      .number()
      .optional()
      .meta({ description: "What of its percent is in effect, where that is less" }),
  })
  .meta({ description: "In the order of the configuration: the first whose rule holds counts" });

const begunView = z
  .object({
    windowSeconds: z.number(),
    legacy: z.int(),
    new: z.int(),
    newLately: z.int().meta({ description: "On new, within the last 5 to 10 s" }),
  })
  .meta({ description: "Journeys that have begun; absent where none is known to have" });

export const cutoverView = z
  .object({
    name: z.string(),
    legacy: z.string(),
    new: z.string(),
    percent: z.number(),
    effectivePercent: z.number().optional().meta({
      description: "What of the percent is in effect, where that is less: `after` holds it back",
    }),
    after: z
      .object({
        name: z.string(),
        state: z.enum(stateNames),
        percent: z
          .number()
          .meta({ description: "How far it is let go: by that, or by what that goes after" }),
        heldBy: z.string().nullable().meta({ description: "Which of them it is; null: none holds it" }),
      })
      .optional()
      .meta({ description: "The cutover that it goes after; absent: after none" }),
    cohorts: z.array(cohortView).optional().meta({ description: "Absent: it has none" }),
    state: z.enum(stateNames),
    version: z.int(),
    pinEpoch: z.int(),
    maintenance: z.object({ legacy: z.string().nullable(), new: z.string().nullable() }).optional().meta({
      description: "RFC 3339: until when nothing is sent to the side; null: it serves; absent: both do",
    }),
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
    traffic: z.object({
      windowSeconds: z.number(),
      legacy: sideTraffic,
      new: sideTraffic,
      begun: begunView.optional(),
    }),
    ...underWayView,
    exposure: exposureView.optional(),
    instances: z.object({
      live: z.int().meta({
        description:
          "Instances with a current lease in the store; only this one is known while the store is out of reach",
      }),
      applied: z.int().meta({ description: "Those of them that decide by this version" }),
      silent: z.array(silentInstance).default([]).meta({
        description:
          "Instances that have not left and are not heard of: those whose lease is over, for up to an hour; while the store is out of reach all others",
      }),
    }),
    store: storeView.optional(),
    ownerStore: storeView
      .optional()
      .meta({ description: "The same of the store of its owners, where that is one of its own" }),
    guard: guardInBrief.optional().meta({ description: "What its guard makes of it, or that it is off" }),
    ...raiseFields,
    ...returningField,
    stillLegacy: z.array(remainder).default([]).meta({
      description: "What still goes to legacy, and why; empty: nothing that is known of does",
    }),
    warnings: z.array(warning).default([]).meta({
      description: "What somebody must look at, the most urgent first; empty: nothing is known to be wrong",
    }),
  })
  .meta({
    examples: [
      {
        name: "checkout",
        legacy: "social-shop",
        new: "marketplace",
        percent: 10,
        cohorts: [
          { name: "staff", side: "new", percent: null },
          { name: "jakarta", side: null, percent: 40 },
        ],
        state: "open",
        version: 42,
        pinEpoch: 0,
        updatedAt: "2025-03-01T11:04:09.120Z",
        updatedBy: "ops-1",
        reason: "step 2",
        scope: "fleet",
        traffic: { windowSeconds: 60, legacy: figures, new: figures },
        journeys: { legacy: countUnderWay, new: { ...countUnderWay, open: 3 } },
        unfinished: { legacy: countUnderWay, new: { ...countUnderWay, open: 2 } },
        instances: { live: 6, applied: 6, silent: [] },
        store: { reachable: true, writable: true, since: null, word: null },
        stillLegacy: [{ reason: "bucket", text: "90% of shoppers, by their bucket" }],
        warnings: [],
      },
    ],
  });
export type CutoverView = z.output<typeof cutoverView>;

/** Event `metrics`: the figures of one cutover, once a second. */
export const metricsEvent = z.array(
  cutoverView
    .pick({
      name: true,
      proposal: true,
      traffic: true,
      journeys: true,
      unfinished: true,
      exposure: true,
      instances: true,
      store: true,
      ownerStore: true,
      freeze: true,
      window: true,
      plan: true,
      deadline: true,
      schedule: true,
      stillLegacy: true,
      warnings: true,
    })
    .extend({ guard: guardView.optional() }),
);
export type MetricsEvent = z.output<typeof metricsEvent>;
