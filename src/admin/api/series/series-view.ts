/** The figures of the last 24 h, merged of all instances, and older ones, as the API tells them (zod). */
import * as z from "zod";

const side = z.object({
  requests: z.int().meta({ description: "Requests that count towards the error rate" }),
  errors: z.int(),
  p50: z.number().nullable().meta({ description: "Seconds; null without requests" }),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
  inFlight: z.int().meta({ description: "At the end of the step" }),
});

export const seriesView = z
  .object({
    stepSeconds: z.int().meta({
      description: "Of the instances 10 within the last 3 h, else 60; of Prometheus 300, 1200 or 3600",
    }),
    from: z
      .enum(["instances", "prometheus"])
      .optional()
      .meta({ description: "Whose figures these are; absent: the instances'" }),
    missing: z
      .string()
      .optional()
      .meta({ description: "Why older ones, which Prometheus was asked for, are missing; absent: none are" }),
    points: z.array(
      z.object({
        at: z.string().meta({ description: "RFC 3339: when the step began" }),
        instances: z.int().meta({ description: "Those whose figures are in it" }),
        legacy: side,
        new: side,
      }),
    ),
  })
  .meta({ description: "Oldest first. Steps of which nothing is known are missing" });
export type SeriesView = z.output<typeof seriesView>;

export const seriesQuery = z.strictObject({
  since: z.iso
    .datetime({ offset: true, error: "expected a time such as 2025-03-01T12:00:00Z" })
    .optional()
    .meta({
      description:
        "RFC 3339; without it, 24 h ago. What is longer ago is asked of Prometheus, where one is configured",
    }),
});
