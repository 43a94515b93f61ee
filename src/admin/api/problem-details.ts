/** What the API answers when it does not do as asked (zod): problem details (RFC 9457) with a stable `code`. */
import * as z from "zod";
import { refusalCodes, stateNames } from "../../state/rules/model.ts";
import { orderCodes } from "../../state/rules/order/after.ts";
import { sideUnderWay } from "./cutover-view.ts";
import { againstCodes } from "./rules.ts";

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
  "under_way",
  "cohort_on_legacy",
  ...againstCodes,
  ...orderCodes,
  ...refusalCodes,
] as const;
export type ProblemCode = (typeof problemCodes)[number];

export const problemDetails = z
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
    until: z.string().optional().meta({
      description: "With `in_window` and `frozen`: RFC 3339, when that ends by itself",
    }),
    underWay: z
      .object({ journeys: sideUnderWay.nullable(), unfinished: sideUnderWay.nullable() })
      .optional()
      .meta({
        description:
          "With `under_way` of a close: what legacy has begun and not finished, as the cutover shows it; null: not counted, or not known now",
      }),
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
export type ProblemDetails = z.output<typeof problemDetails>;
