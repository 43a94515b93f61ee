/** A question about a decision, and its answer (zod). */
import * as z from "zod";
import { owning } from "../../decide/sentence.ts";
import { sides } from "../../state/rules/model.ts";
import { pastView } from "./past/past-view.ts";

export const explainQuery = z.strictObject({
  shopper: z.string().max(1024).optional().meta({ description: "The shopper's value as a source gives it" }),
  path: z
    .string()
    .max(2048)
    .optional()
    .meta({ description: "A request path, to name its route; with its query where a route asks for that" }),
  host: z
    .string()
    .max(260)
    .optional()
    .meta({ description: "The host that the request is for; without it, any that the cutover is for" }),
  method: z
    .string()
    .regex(/^[A-Z][A-Z-]{0,31}$/, "expected a method in capitals such as POST")
    .optional()
    .meta({ description: "The request's method, GET without one" }),
  key: z
    .string()
    .max(512)
    .optional()
    .meta({ description: "An order's or an idempotency key, as the request would carry it" }),
  order: z.string().max(512).optional().meta({ description: "The same as key" }),
  at: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({ description: "A time in the past: how a request with the key was decided then" }),
  cohort: z.string().max(63).optional().meta({
    description:
      "The cohort to take the shopper for one of; without it the first whose rule goes by the shopper and the host alone and holds",
  }),
  force: z
    .enum(sides)
    .optional()
    .meta({ description: "The side that a tester asks for, as with a right secret: none is sent here" }),
  visit: z
    .enum(sides)
    .optional()
    .meta({ description: "The side of a visit under way, as a cookie would tell of it" }),
});
export type ExplainQuery = z.output<typeof explainQuery>;

export const explanation = z
  .object({
    side: z.enum(sides),
    reason: z.string().meta({ description: "The word of the decision order" }),
    bucket: z.int().nullable().meta({ description: "0–99999; null without a shopper" }),
    cohort: z.string().optional().meta({ description: "Whose it is; absent: of none" }),
    percent: z.number().meta({ description: "That counts for it: the cohort's own, or the cutover's" }),
    version: z.int(),
    owner: z
      .object({ side: z.enum(sides).nullable(), by: z.enum(owning) })
      .nullable()
      .meta({ description: "Who owns the key, and by what; null when no key was asked about" }),
    journey: z
      .object({ side: z.enum(sides), startedAt: z.string().meta({ description: "RFC 3339" }) })
      .nullable()
      .meta({ description: "The shopper's journey in the store; one in a cookie only its client knows" }),
    routes: z
      .array(
        z.object({
          cutover: z.string(),
          name: z.string(),
          when: z
            .string()
            .nullable()
            .meta({ description: "What has yet to hold of the request; null: nothing" }),
        }),
      )
      .default([])
      .meta({
        description:
          "The routes that a request of the path may be on, in the order in which they are asked: the first whose when holds is it. Empty when no path was asked about",
      }),
    sentence: z.string().meta({ description: "Why, for people" }),
    past: pastView,
  })
  .meta({
    examples: [
      {
        side: "new",
        reason: "bucket",
        bucket: 8123,
        percent: 10,
        version: 42,
        owner: null,
        journey: null,
        routes: [{ cutover: "checkout", name: "checkout", when: null }],
        sentence:
          "new, because the shopper's bucket 8123 is below 10000, which is 10% of 100000; version 42 at 10%.",
        past: null,
      },
    ],
  });
export type Explanation = z.output<typeof explanation>;
