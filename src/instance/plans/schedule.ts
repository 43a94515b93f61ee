/** What is to be set at a time, as the API shows it of this instance. */
import type { PlansDesk } from "../../admin/api/plan/raise-desk.ts";
import type { ScheduledView } from "../../admin/api/plan/raise-view.ts";
import type { Scheduled } from "../../plan/schedule.ts";
import type { Stewards } from "../../plan/steward/stewards.ts";
import { percentToNumber } from "../../state/rules/percent.ts";

export function createScheduleDesk(stewards: Pick<Stewards, "schedule">): PlansDesk["schedule"] {
  const shown = (entry: Scheduled | undefined) => (entry === undefined ? undefined : scheduledViewOf(entry));
  return {
    list: async (name) => (await stewards.schedule(name).read()).entries.map(scheduledViewOf),
    add: async (name, asked) => shown(await stewards.schedule(name).add(asked)),
    cancel: async (name, id, by) => shown(await stewards.schedule(name).cancel(id, by)),
  };
}

export function scheduledViewOf(entry: Scheduled): ScheduledView {
  const { id, percentThousandths, cohort, dueMs, by, reason, override, outcome } = entry;
  return {
    id,
    percent: percentToNumber(percentThousandths),
    ...(cohort === undefined ? {} : { cohort }),
    at: new Date(dueMs).toISOString(),
    by,
    reason,
    ...(override === true ? { override } : {}),
    ...(outcome === undefined ? {} : { outcome }),
  };
}
