/**
 * Looks once a minute, on every instance, how each plan stands against its deadline, started or not. Who leads tells of it,
 * and the others know what has been told when the lead comes to them. While the store does not answer it is as it was.
 */
import type { Timers } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { createDesk } from "./desk.ts";
import type { Against } from "./metrics.ts";

type Shown = Pick<
  Awaited<ReturnType<ReturnType<typeof createDesk>["show"]>>,
  "status" | "deadline" | "projection"
>;

interface DeadlineWatchOptions {
  /** The cutovers with a plan and a deadline, as configured now. */
  readonly cutovers: () => readonly string[];
  readonly show: (cutover: string) => Promise<Shown>;
  /** Hears of each that has become tight, or cannot be met any more. */
  readonly onRisk: (cutover: string, against: "tight" | "cannot be met", sentence: string) => void;
  readonly expose: (standings: ReadonlyMap<string, Against | undefined>) => void;
  readonly timers: Timers;
  readonly log: Log;
}

const lookEachMs = 60_000;

/** @returns what ends it */
export function watchDeadlines(options: DeadlineWatchOptions): () => void {
  const { cutovers, show, onRisk, expose, timers, log } = options;
  let known = new Map<string, Against | undefined>(cutovers().map((name) => [name, undefined]));
  let isStopped = false;

  async function lookAt(cutover: string): Promise<Against | undefined> {
    const before = known.get(cutover);
    try {
      const shown = await show(cutover);
      const isOver = shown.status === "done" || shown.status === "ended";
      const against = isOver ? undefined : (shown.projection?.against ?? undefined);
      const isRisk = against === "tight" || against === "cannot be met";
      if (isRisk && against !== before && !isStopped) onRisk(cutover, against, riskSentence(shown));
      return against;
    } catch (error) {
      log.warn({ cutover, error: errorText(error) }, "how the plan stands against its deadline is not known");
      return before;
    }
  }

  async function look(): Promise<void> {
    known = new Map(await Promise.all(cutovers().map(async (name) => [name, await lookAt(name)] as const)));
    if (isStopped) return;
    expose(known);
    cancel = timers.after(lookEachMs, () => void look());
  }

  expose(known);
  let cancel = timers.after(0, () => void look());
  return () => {
    isStopped = true;
    cancel();
  };
}

/** `cannot be met: the finish is projected for …, the deadline is … (the law); the longest is the step to 25%, by evidence`. */
function riskSentence({ status, deadline, projection }: Shown): string {
  const { against, finish, costliest } = projection ?? {};
  const projected = finish == null ? "it does not come to an end" : `the finish is projected for ${finish}`;
  const due = deadline === null ? "" : `, the deadline is ${deadline.at} (${deadline.reason})`;
  const longest =
    costliest == null ? "" : `; the longest is the step to ${costliest.percent}%, by ${costliest.costs}`;
  const stands = status === "running" ? "" : `; the plan is ${status}`;
  return `${against}: ${projected}${due}${longest}${stands}`;
}
