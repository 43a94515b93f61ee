/** What is against a raise, and how the plans stand, as the API shows it of this instance. */
import type { PlanView } from "../../admin/api/plan/plan-view.ts";
import type { RaiseDesk } from "../../admin/api/plan/raise-desk.ts";
import { planBriefly, type RaiseView } from "../../admin/api/plan/raise-view.ts";
import { systemTimers, within } from "../../base/clock.ts";
import { StoreUnavailable } from "../../base/errors.ts";
import type { Freezes } from "../../plan/steward/freezes.ts";
import type { Stewards } from "../../plan/steward/stewards.ts";

/** A page or a status call does not wait longer than this for the store. */
const patienceMs = 1000;

/** @param isStoreUp whether the store answers, as far as is known */
export function createRaiseDesk(
  stewards: Pick<Stewards, "desk" | "window" | "planned" | "deadline" | "freezes">,
  isStoreUp: () => boolean,
): RaiseDesk {
  const { freezes } = stewards;
  let plans: ReadonlyMap<string, PlanView> = new Map();

  /** What was known of a freeze stays in force without the store; a plan is not told as it may have been. */
  async function readPlans(): Promise<ReadonlyMap<string, PlanView>> {
    if (!isStoreUp()) return new Map();
    const each = stewards.planned().map(async (name) => [name, await stewards.desk(name).show()] as const);
    try {
      const [found] = await within(patienceMs, systemTimers, Promise.all([Promise.all(each), freezes.now()]));
      return new Map(found);
    } catch (error) {
      if (error instanceof StoreUnavailable) return new Map();
      throw error;
    }
  }

  return {
    async read() {
      plans = await readPlans();
    },
    known(name) {
      const isPlanned = stewards.planned().includes(name);
      const plan = plans.get(name);
      const due = stewards.deadline(name);
      const window = stewards.window(name);
      const freeze = freezes.known();
      return {
        ...(freeze === undefined ? {} : { freeze: freezeBriefly(freeze) }),
        ...(window === undefined ? {} : { window: { until: isoOf(window.untilMs), reason: window.reason } }),
        ...(isPlanned ? { plan: planBriefly(plan) } : {}),
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
    against: async (name) => ({ window: stewards.window(name), freeze: await freezes.now() }),
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
