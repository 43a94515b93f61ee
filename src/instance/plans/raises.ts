/** What is against a raise, and how the plans stand, as the API shows it of this instance. */
import type { PlanView } from "../../admin/api/plan/plan-view.ts";
import type { RaiseDesk } from "../../admin/api/plan/raise-desk.ts";
import { planBriefly, type RaiseView, type ScheduledView } from "../../admin/api/plan/raise-view.ts";
import { systemTimers, within } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import { waitingIn } from "../../plan/schedule.ts";
import type { Freezes } from "../../plan/steward/freezes.ts";
import type { Stewards } from "../../plan/steward/stewards.ts";
import { scheduledViewOf } from "./schedule.ts";

/** What was last read of a cutover. */
interface Found {
  readonly plan?: PlanView | undefined;
  /** What waits. */
  readonly schedule?: readonly ScheduledView[];
}

/** A page or a status call does not wait longer than this for the store. */
const patienceMs = 1000;

/** @param isStoreUp whether the store answers, as far as is known */
export function createRaiseDesk(
  stewards: Pick<Stewards, "desk" | "schedule" | "window" | "names" | "isPlanned" | "deadline" | "freezes">,
  isStoreUp: () => boolean,
): RaiseDesk {
  const { freezes } = stewards;
  let found: ReadonlyMap<string, Found> = new Map();

  async function readOne(name: string): Promise<readonly [string, Found]> {
    const [plan, schedule] = await Promise.all([
      stewards.isPlanned(name) ? stewards.desk(name).show() : undefined,
      stewards.schedule(name).read(),
    ]);
    return [name, { plan, schedule: waitingIn(schedule).map(scheduledViewOf) }];
  }

  /** What was known of a freeze stays in force without the store; a plan is not told as it may have been. */
  async function readAll(): Promise<ReadonlyMap<string, Found>> {
    if (!isStoreUp()) return new Map();
    const each = Promise.all(stewards.names().map(readOne));
    try {
      const [read] = await within(patienceMs, systemTimers, Promise.all([each, freezes.now()]));
      return new Map(read);
    } catch (error) {
      if (error instanceof StoreUnavailable) return new Map();
      throw error;
    }
  }

  return {
    async read() {
      found = await readAll();
    },
    known(name) {
      const { plan, schedule = [] } = found.get(name) ?? {};
      const due = stewards.deadline(name);
      const window = stewards.window(name);
      const freeze = freezes.known();
      return {
        ...(freeze === undefined ? {} : { freeze: freezeBriefly(freeze) }),
        ...(window === undefined ? {} : { window: { until: isoOf(window.untilMs), reason: window.reason } }),
        ...(stewards.isPlanned(name) ? { plan: planBriefly(plan) } : {}),
        ...(schedule.length === 0 ? {} : { schedule: [...schedule] }),
        ...(due === undefined
          ? {}
          : {
              deadline: {
                at: isoOf(due.at),
                reason: due.reason,
                against: plan?.projection?.against ?? null,
              },
            }),
      };
    },
    async against(name, atMs) {
      const freeze = await freezes.now();
      const isFrozen = freeze !== undefined && (atMs === undefined || atMs < freeze.untilMs);
      return { window: stewards.window(name, atMs), freeze: isFrozen ? freeze : undefined };
    },
    async frozen() {
      const { events } = await freezes.record();
      return { freeze: freezes.known(), events };
    },
    freeze: (asked) => freezes.freeze(asked),
    lift: (asked) => freezes.lift(asked),
  };
}

function freezeBriefly({
  untilMs,
  at,
  by,
  reason,
}: NonNullable<ReturnType<Freezes["known"]>>): NonNullable<RaiseView["freeze"]> {
  return { until: isoOf(untilMs), since: at, by, reason };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
