/** The plans of a running instance: its stewards, and what they ask of the rest of it. */
import { availableParallelism } from "node:os";
import { guardViewOf } from "../../admin/api/guard/guard-view.ts";
import type { PlansDesk } from "../../admin/api/plan/raise-desk.ts";
import { leadersIn } from "../../admin/order.ts";
import { systemClock, systemTimers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { stepsOfReturn } from "../../plan/returning/return.ts";
import { createReturns } from "../../plan/returning/returns.ts";
import { watchDeadlines } from "../../plan/steward/deadline-watch.ts";
import { createDeadlineGauge } from "../../plan/steward/metrics.ts";
import { planActor } from "../../plan/steward/steward.ts";
import { createStewards } from "../../plan/steward/stewards.ts";
import { initialState } from "../../state/rules/model.ts";
import { limitOf } from "../../state/rules/order/after.ts";
import type { Control } from "../control.ts";
import { showRaises } from "./metrics.ts";
import { createRaiseDesk } from "./raises.ts";
import { createScheduleDesk, scheduledViewOf } from "./schedule.ts";

interface Around {
  readonly instance: { readonly id: string };
  /** In force. */
  readonly config: Config;
  readonly log: Log;
  readonly undo: (step: () => void) => void;
}

/** @param workers without them there is one process */
export function openPlans(
  around: Around,
  control: Control,
  workers: { collect(): Promise<void> } | undefined,
): PlansDesk {
  const { instance, log, undo } = around;
  const { store, follower, leaderships, guard, audit, traffic, metrics } = control;
  const reading = async (metric: string, labels: Readonly<Record<string, string>>) => {
    const found = (await metrics.registry.getSingleMetric(metric)?.get())?.values ?? [];
    return found.find((value) => Object.entries(labels).every(([key, is]) => value.labels[key] === is))
      ?.value;
  };
  const stewards = createStewards(() => around.config, {
    store,
    follower,
    leaderships,
    clock: systemClock,
    log,
    async guard(name) {
      const known = guard.known(name);
      if (known === undefined) return "unguarded";
      const { fleet, leader } = known;
      if (fleet !== undefined || leader === undefined || leader === instance.id) return fleet?.verdict;
      // Who shows the plan and does not lead has it from who does.
      return guardViewOf(name, known, await store.instances()).verdict ?? undefined;
    },
    limit(name) {
      const { states } = follower.current();
      return limitOf(leadersIn(around.config.cutovers, (each) => states.get(each) ?? initialState(), name));
    },
    async legacy(name) {
      const { cutovers, upstreams, workers: size } = around.config;
      const upstream = cutovers[name]?.legacy;
      const most = upstreams[upstream ?? ""]?.concurrency.max;
      if (upstream === undefined || most === undefined) return undefined;
      await workers?.collect();
      const [well, open] = await Promise.all([
        reading("cutover_upstream_healthy", { upstream }),
        reading("cutover_upstream_breaker_state", { upstream, state: "open" }),
      ]);
      return readinessOf({
        upstream,
        most,
        well,
        isBreakerOpen: (open ?? 0) > 0,
        processes: size === "auto" ? availableParallelism() : size,
        hasNow: traffic.flight(name, "legacy").inFlight,
        wouldCome: traffic.flight(name, "new").inFlight,
      });
    },
    onBecame(name, { status }, said) {
      const origin = { via: "plan" } as const;
      if (status !== "running") audit.plan({ event: "became", name, actor: planActor, reason: said, origin });
    },
    onOver(name, entry, { kind, because }) {
      if (kind === "cancelled") return;
      const { id, percent, cohort, at: due, by: scheduledBy } = scheduledViewOf(entry);
      const what = { event: kind, name, id, percent, cohort, due, scheduledBy } as const;
      audit.schedule({ ...what, actor: planActor, reason: because, origin: { via: "schedule" } });
    },
  });
  const returns = createReturns(() => around.config, {
    store,
    follower,
    leaderships,
    clock: systemClock,
    log,
  });
  undo(() => returns.stop());
  guard.onLate(stewards.counted);
  guard.onPaid(stewards.paid);
  undo(() => stewards.stop());
  undo(
    watchDeadlines({
      cutovers: () =>
        Object.entries(around.config.cutovers).flatMap(([name, { plan, deadline }]) =>
          plan === undefined || deadline === undefined ? [] : [name],
        ),
      show: (name) => stewards.desk(name).show(),
      onRisk(name, against, reason) {
        const which = against.replaceAll(" ", "-");
        control.notifier.noticed(name, "deadline_at_risk", { by: planActor.name, reason, which });
      },
      expose: createDeadlineGauge(metrics.registry),
      timers: systemTimers,
      log,
    }),
  );
  const raises = createRaiseDesk(stewards, () => follower.contact().up);
  showRaises(metrics.registry, raises, () => Object.keys(around.config.cutovers));
  return {
    raises,
    returns: { ...returns, steps: stepsOfReturn },
    schedule: createScheduleDesk(stewards),
    show: (name) => stewards.desk(name).show(),
    startable: (name) => stewards.desk(name).startable(),
    start: (name, asked) => stewards.desk(name).start(asked),
    pause: (name, asked) => stewards.desk(name).pause(asked),
  };
}

interface LegacyReading {
  readonly upstream: string;
  readonly processes: number;
  /** How many processes find it well; `undefined`: nobody asks. */
  readonly well: number | undefined;
  readonly isBreakerOpen: boolean;
  /** Requests that each process may send there at once. */
  readonly most: number;
  readonly hasNow: number;
  readonly wouldCome: number;
}

/** Whether legacy could take everybody back, by what this instance sees of it. PURE. What is not known is not ready. */
export function readinessOf(found: LegacyReading): { readonly isReady: boolean; readonly text: string } {
  const { upstream, processes, well, isBreakerOpen, most, hasNow, wouldCome } = found;
  if (well === undefined) {
    return { isReady: false, text: `nobody knows how ${upstream} is: it has no health checks` };
  }
  if (well < processes) return { isReady: false, text: `${upstream} fails its health checks` };
  if (isBreakerOpen) return { isReady: false, text: `the breaker of ${upstream} is open` };
  const room = most * processes;
  const text = `${upstream} is well and has ${hasNow} of ${room} requests here, new has ${wouldCome}`;
  return { isReady: hasNow + wouldCome <= room, text };
}
