/** What the API tells of changes that were made (zod). */
import * as z from "zod";
import { historyActions, vias } from "../../state/rules/history.ts";
import { stateNames } from "../../state/rules/model.ts";
import { cutoverName } from "./cutover-view.ts";
import { historyLimits } from "./rules.ts";
import { reasonSchema } from "./write.ts";

export const historyQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(historyLimits.most).default(historyLimits.default).meta({
    description: "At most so many entries, newest first",
  }),
  since: z.iso
    .datetime({ offset: true, error: "expected a time such as 2025-03-01T12:00:00Z" })
    .optional()
    .meta({
      description: "RFC 3339, the store's clock: none made before",
      examples: ["2025-03-01T12:00:00Z"],
    }),
});

/** As told by the caller: `cli` proves nothing. */
const via = z.enum(vias).nullable().meta({
  description: "By which way it came, `cli` as the caller says; null: written before that was kept",
});
const requestId = z.string().nullable().meta({
  description: "`x-request-id` of the answer to the request that asked for it; null: no request did",
});

export const annotateBody = z
  .strictObject({ reason: reasonSchema })
  .meta({ examples: [{ reason: "errors up" }] });
export const annotationView = z
  .object({ at: z.string(), by: z.string(), reason: z.string(), via, requestId })
  .meta({
    examples: [
      { at: "2025-03-01T12:09:00.004Z", by: "ana", reason: "errors up", via: "cli", requestId: null },
    ],
  });
export type AnnotationView = z.output<typeof annotationView>;
export const historyVersion = cutoverName.extend({
  version: z.coerce.number().int().min(1).meta({ description: "Of the change" }),
});

const standing = z.object({
  percent: z.number(),
  cohorts: z
    .record(z.string(), z.number())
    .optional()
    .meta({ description: "Percents of cohorts, by their names; absent: none had one" }),
  state: z.enum(stateNames),
});
const outcome = standing.extend({
  maintenance: z.string().optional().meta({
    description:
      "Until when nothing is sent to which side: `legacy 2025-03-01T14:00:00.000Z`; absent: to none",
  }),
});

export const historyEntry = z
  .object({
    version: z.int(),
    at: z.string(),
    by: z.string(),
    action: z.enum([...historyActions, "plan_step"]),
    from: standing,
    to: outcome,
    reason: z.string(),
    via,
    requestId,
    annotations: z.array(annotationView).meta({ description: "Reasons given later, oldest first" }),
  })
  .meta({
    examples: [
      {
        version: 43,
        at: "2025-03-01T12:00:00.004Z",
        by: "ops-1",
        action: "set",
        from: { percent: 10, state: "open" },
        to: { percent: 25, state: "open" },
        reason: "step 3",
        via: "console",
        requestId: "7f5c1a52-4a44-4a0a-8a53-0d4f1c2f5b1e",
        annotations: [],
      },
    ],
  });
export type HistoryEntryView = z.output<typeof historyEntry>;
