/** Maintenance of a side: what sets it, how it is shown, and what is said of it (zod). */
import * as z from "zod";
import { type CutoverState, type Side, sides } from "../../../state/rules/model.ts";
import { maxThousandths } from "../../../state/rules/percent.ts";
import { maintainedUntil } from "../../../state/rules/sides/maintenance.ts";
import { reasonSchema, type Warning, writeOptions } from "../write.ts";

/** Nobody maintains a side for longer: what has to be away for so long is rolled back, or closed. */
const longestMaintenanceMs = 31 * 24 * 60 * 60 * 1000;

export const maintenanceBody = z
  .strictObject({
    side: z.enum(sides),
    until: z.iso
      .datetime({ offset: true, error: "expected a time such as 2025-03-01T14:00:00Z" })
      .nullable()
      .meta({ description: "RFC 3339: when it ends by itself, to come within 31 days; null ends it now" }),
    reason: reasonSchema,
    ...writeOptions,
  })
  .meta({ examples: [{ side: "legacy", until: "2025-03-01T14:00:00Z", reason: "database moves" }] });

/** @returns the moment as a state has it; `undefined` when it is past or too far */
export function maintenanceMoment(until: string, nowMs: number): string | undefined {
  const ms = Date.parse(until);
  return ms > nowMs && ms <= nowMs + longestMaintenanceMs ? new Date(ms).toISOString() : undefined;
}

/** @param maintenance as a cutover shows it */
export function maintenanceWarnings(
  maintenance: Readonly<Record<Side, string | null>> | undefined,
): Warning[] {
  return sides.flatMap((side) => {
    const until = maintenance?.[side] ?? null;
    const text = `${side} is in maintenance until ${until}: what would go there is answered 503`;
    return until === null ? [] : [{ code: `${side}_maintained`, text }];
  });
}

/** @returns RFC 3339: until when nothing is sent to each side; `undefined`: both serve */
export function maintenanceView(
  text: string | undefined,
  nowMs: number,
): Record<Side, string | null> | undefined {
  const moment = (side: Side) => {
    const ms = maintainedUntil(text, side, nowMs);
    return ms === undefined ? null : new Date(ms).toISOString();
  };
  const view = { legacy: moment("legacy"), new: moment("new") };
  return view.legacy === null && view.new === null ? undefined : view;
}

/** Of each side that is maintained and that shoppers are sent to by the state: said with the change that made it so. */
export function warningsAfter(
  { maintenance, percentThousandths }: Pick<CutoverState, "maintenance" | "percentThousandths">,
  nowMs: number,
): Warning[] {
  const maintained = maintenanceView(maintenance, nowMs);
  return maintenanceWarnings({
    legacy: percentThousandths < maxThousandths ? (maintained?.legacy ?? null) : null,
    new: percentThousandths > 0 ? (maintained?.new ?? null) : null,
  });
}
