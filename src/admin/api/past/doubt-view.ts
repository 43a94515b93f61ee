/** Requests in doubt as people and programs read them, and what settles them (zod). */
import * as z from "zod";
import { sides } from "../../../state/rules/model.ts";
import { cutoverName } from "../cutover-view.ts";
import { reasonSchema } from "../write.ts";

const digest = z.string().regex(/^[0-9a-f]{32}$/, "expected the 32 hex digits of a key's digest");

export const doubtLimits = { most: 100_000, usual: 1000 } as const;

export const doubtQuery = z.strictObject({
  side: z.enum(sides).optional().meta({ description: "Those of this side alone" }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(doubtLimits.most)
    .default(doubtLimits.usual)
    .meta({ description: "At most so many of each side, the oldest" }),
});

const time = z.string().meta({ description: "RFC 3339" });

const outcomes = [
  "timeout",
  "reset",
  "protocol_error",
  "gave_up",
  "client_aborted",
  "instance_gone",
] as const;

export const doubtView = z
  .object({
    side: z.enum(sides),
    sentAt: time,
    lastSentAt: z.string().meta({ description: "RFC 3339; the last of several with the same first key" }),
    since: z.string().meta({ description: "RFC 3339; since when it is known that no answer comes" }),
    route: z.string(),
    outcome: z.enum(outcomes).meta({
      description: "How it ended; `instance_gone`: its instance was killed while it waited for the answer",
    }),
    digest: z.string().meta({
      description: "Of its first key: the first 32 hex digits of the SHA-256 of the key's bytes",
    }),
    others: z.array(z.string()).meta({ description: "Digests of its other keys" }),
  })
  .meta({
    examples: [
      {
        side: "new",
        sentAt: "2025-03-01T12:00:00.000Z",
        lastSentAt: "2025-03-01T12:00:00.000Z",
        since: "2025-03-01T12:00:30.000Z",
        route: "pay",
        outcome: "timeout",
        digest: "9f86d081884c7d659a2feaa0c55ad015",
        others: [],
      },
    ],
  });
export type DoubtView = z.output<typeof doubtView>;

export const exportFormats = ["ndjson", "csv"] as const;
export type ExportFormat = (typeof exportFormats)[number];
export const exportQuery = doubtQuery.extend({ format: z.enum(exportFormats).default("ndjson") });

export const settleBody = z
  .strictObject({
    digest: digest.meta({ description: "Of any of its keys" }),
    reason: reasonSchema,
  })
  .meta({ examples: [{ digest: "9f86d081884c7d659a2feaa0c55ad015", reason: "charged once, by new" }] });

export const settleAnswer = z
  .object({
    name: cutoverName.shape.name,
    settled: z.int().meta({ description: "So many were in doubt until now" }),
    changed: z.boolean(),
  })
  .meta({ examples: [{ name: "checkout", settled: 1, changed: true }] });
export type SettleAnswer = z.output<typeof settleAnswer>;

const columns = ["side", "sentAt", "lastSentAt", "since", "route", "outcome", "digest"] as const;

/** A line for each, of CSV (RFC 4180) with the names of its columns first, all others of JSON. PURE. */
export function exportedAs(format: ExportFormat, all: readonly DoubtView[]): string {
  const lines =
    format === "ndjson"
      ? all.map((one) => JSON.stringify(one))
      : [
          [...columns, "others"].join(","),
          ...all.map((one) => [...columns.map((name) => one[name]), one.others.join(" ")].join(",")),
        ];
  return lines.map((line) => `${line}\n`).join("");
}
