/** What is to be set at a time: how it is asked for (zod). */
import * as z from "zod";
import { cutoverName } from "../cutover-view.ts";
import { setPercentBody } from "../write.ts";

/** Nobody knows for longer what will be right then. */
const longestAheadMs = 92 * 24 * 60 * 60 * 1000;

export const scheduleBody = z
  .strictObject({
    ...setPercentBody.omit({ ifVersion: true, waitMs: true }).shape,
    cohort: z.string().optional().meta({ description: "Whose percent; absent: the cutover's own" }),
    at: z.iso
      .datetime({ offset: true, error: "expected a time such as 2025-03-01T14:00:00Z" })
      .meta({ description: "RFC 3339: when it is to be made, to come within 92 days" }),
  })
  .meta({ examples: [{ percent: 25, at: "2025-03-01T14:00:00Z", reason: "step 3, with everybody awake" }] });

export const scheduledPath = cutoverName.extend({
  id: z.string().meta({ description: "The scheduled change's id" }),
});

/** @returns ms since the epoch; `undefined` when it is past or too far */
export function scheduledMoment(at: string, nowMs: number): number | undefined {
  const ms = Date.parse(at);
  return ms > nowMs && ms <= nowMs + longestAheadMs ? ms : undefined;
}
