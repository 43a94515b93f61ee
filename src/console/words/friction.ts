/** How much stands between a person and a raise: by how far it goes and what is known of new. PURE. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { percentText, restOf } from "../../admin/api/rules.ts";
import type { VerdictWords } from "./verdict.ts";

const steps = [1, 5, 10, 25, 50, 100];
/** Points; a raise by more is typed. */
const farPoints = 25;

/** @returns the percent that is offered next; `undefined`: there is none above */
export function nextStep(percent: number): number | undefined {
  return steps.find((step) => step > percent);
}

/** @returns what has to be typed; `undefined`: a reason is enough */
export function typedFor(from: number, to: number, { tone }: Pick<VerdictWords, "tone">): string | undefined {
  const isFar = to - from > farPoints || to === 100;
  return isFar || tone !== "well" ? percentText(to) : undefined;
}

/** @returns about how many more requests an hour would go to new, by what goes on now; `undefined`: nothing does */
export function moreAnHour({ percent, traffic }: CutoverView, to: number): number | undefined {
  const requests = traffic.legacy.requests + traffic.new.requests;
  if (requests === 0) return undefined;
  const more = (requests / traffic.windowSeconds) * 3600 * ((to - percent) / 100);
  return Number(more.toPrecision(2));
}

/** The share of requests that new was sent, 0–100; `undefined`: there were none. */
export function actualPercent({ traffic }: CutoverView): number | undefined {
  const requests = traffic.legacy.requests + traffic.new.requests;
  return requests === 0 ? undefined : (traffic.new.requests / requests) * 100;
}

/** What the two parts of the bar say. */
export function partsOf({ percent, legacy, new: onNew }: CutoverView): readonly [string, string] {
  return [`${legacy} ${percentText(restOf(percent))}%`, `${onNew} ${percentText(percent)}%`];
}
