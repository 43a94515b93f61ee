/** A freeze of everything: what begins and lifts it, and how it is shown (zod). */
import * as z from "zod";
import { escapeUnseen } from "../../../state/rules/history.ts";
import { longestReason } from "../rules.ts";
import { reasonSchema } from "../write.ts";

/** What must last longer stands in the configuration. */
const longestFreezeMs = 366 * 24 * 60 * 60 * 1000;

export const freezeBody = z
  .strictObject({
    until: z.iso
      .datetime({ offset: true, error: "expected a time such as 2025-03-01T14:00:00Z" })
      .meta({ description: "RFC 3339: when it ends by itself, to come within a year" }),
    reason: z.string().trim().max(longestReason).overwrite(escapeUnseen).default(""),
  })
  .meta({ examples: [{ until: "2025-03-31T14:00:00Z", reason: "Lebaran" }] });

export const unfreezeBody = z
  .strictObject({ reason: reasonSchema })
  .meta({ examples: [{ reason: "the provider is well again" }] });

/** @returns ms since the epoch; `undefined` when it is past or too far */
export function freezeMoment(until: string, nowMs: number): number | undefined {
  const ms = Date.parse(until);
  return ms > nowMs && ms <= nowMs + longestFreezeMs ? ms : undefined;
}

const moment = z.string().nullable();

export const freezeView = z
  .object({
    frozen: z.boolean(),
    until: moment.meta({ description: "RFC 3339: when it ends by itself; null: nothing is frozen" }),
    since: moment,
    by: z.string().nullable(),
    reason: z.string().nullable(),
    past: z
      .array(
        z.object({
          event: z.enum(["frozen", "lifted"]),
          at: z.string(),
          by: z.string(),
          reason: z.string(),
          until: moment.meta({ description: "null: it was lifted" }),
        }),
      )
      .meta({ description: "What has happened of freezes, newest first, at most 20" }),
  })
  .meta({
    examples: [
      {
        frozen: true,
        until: "2025-03-31T14:00:00.000Z",
        since: "2025-03-01T12:00:00.000Z",
        by: "ana",
        reason: "Lebaran",
        past: [
          {
            event: "frozen",
            at: "2025-03-01T12:00:00.000Z",
            by: "ana",
            reason: "Lebaran",
            until: "2025-03-31T14:00:00.000Z",
          },
        ],
      },
    ],
  });
export type FreezeView = z.output<typeof freezeView>;

/** It is asked of the store before each raise, and so in force everywhere at once. */
export const freezeAnswer = freezeView.extend({
  changed: z.boolean().meta({ description: "false: it stood so already" }),
  applied: z.object({
    instances: z.int().meta({ description: "Live instances that go by it: all of them" }),
    of: z.int().meta({ description: "Live instances" }),
    ms: z.number().meta({ description: "Milliseconds from the request's arrival to this answer" }),
  }),
});
export type FreezeAnswer = z.output<typeof freezeAnswer>;
