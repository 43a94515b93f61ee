/** The plans and what is against a raise, as a scrape shows them: read then, the same on every instance. */
import { Gauge, type Registry } from "prom-client";
import type { RaiseDesk } from "../../admin/api/plan/raise-desk.ts";
import type { RaiseView } from "../../admin/api/plan/raise-view.ts";
import { gates } from "../../plan/steps.ts";

const statuses = [
  "not started",
  "running",
  "paused",
  "done",
  "ended",
  "unknown",
] as const satisfies readonly NonNullable<RaiseView["plan"]>["status"][];

/** @param cutovers every configured one; asked at a scrape */
export function showRaises(
  registry: Registry,
  raises: Pick<RaiseDesk, "read" | "known">,
  cutovers: () => readonly string[],
): void {
  type Known = readonly (readonly [cutover: string, RaiseView])[];
  let reading: Promise<Known> | undefined;

  async function readAll(): Promise<Known> {
    await raises.read();
    return cutovers().map((cutover) => [cutover, raises.known(cutover)]);
  }

  /** Once a scrape, however many gauges are in it. */
  function read(): Promise<Known> {
    reading ??= readAll().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  function gauge(
    name: string,
    help: string,
    labels: readonly string[],
    show: (view: RaiseView, set: (labels: Readonly<Record<string, string>>, value: number) => void) => void,
  ): void {
    new Gauge<string>({
      name,
      help,
      labelNames: ["cutover", ...labels],
      registers: [registry],
      async collect() {
        const known = await read();
        this.reset();
        for (const [cutover, view] of known) {
          show(view, (more, value) => this.set({ cutover, ...more }, value));
        }
      },
    });
  }

  gauge(
    "cutover_plan_status",
    "1 for the status of the cutover's plan. Only of cutovers with a plan.",
    ["status"],
    ({ plan }, set) => {
      if (plan === undefined) return;
      for (const status of statuses) set({ status }, plan.status === status ? 1 : 0);
    },
  );
  gauge(
    "cutover_plan_waits",
    "1 for each gate that the plan's next step waits for. Only of cutovers with a plan.",
    ["gate"],
    ({ plan }, set) => {
      if (plan === undefined) return;
      const waited = new Set(plan.waiting.map((wait) => wait.gate));
      for (const gate of gates) set({ gate }, waited.has(gate) ? 1 : 0);
    },
  );
  gauge(
    "cutover_plan_finish_timestamp_seconds",
    "When the plan will have finished, as far as is known. Absent: never, or it has.",
    [],
    ({ plan }, set) => {
      if (typeof plan?.finish === "string") set({}, secondsOf(plan.finish));
    },
  );
  gauge(
    "cutover_deadline_timestamp_seconds",
    "By when everybody has to be on new. Only of cutovers with a deadline.",
    [],
    ({ deadline }, set) => {
      if (deadline !== undefined) set({}, secondsOf(deadline.at));
    },
  );
  gauge(
    "cutover_raise_refused",
    "1 while a window or a freeze is against a raise.",
    ["by"],
    ({ window, freeze }, set) => {
      set({ by: "window" }, window === undefined ? 0 : 1);
      set({ by: "freeze" }, freeze === undefined ? 0 : 1);
    },
  );
}

function secondsOf(moment: string): number {
  return Date.parse(moment) / 1000;
}
