/** What has come of a change, line by line, from the answer to it. PURE. */

import { silentIn } from "../../admin/api/applied-view.ts";
import { spanText } from "../../admin/api/words/span.ts";
import type { WriteAnswer, WriteOfAll } from "../../admin/api/write.ts";
import type { PageNotice } from "../state.ts";
import { type Figures, momentsIn } from "./figures.ts";

/** The parts of a problem that people read. */
export interface RefusedCall {
  readonly code: string;
  readonly detail?: string | undefined;
  readonly current?:
    | { readonly percent: number; readonly state: string; readonly version: number }
    | undefined;
}

/** It may be out of reach, or answer and refuse. */
const aloneWords =
  "The store does not take it: this instance alone does as it was told, and offers it to the store";

/** @param now RFC 3339 */
export function doneNotice(answer: WriteAnswer, figures: Figures, now: string): PageNotice {
  const { applied, version, changed } = answer;
  const { instances, of, ms, committedMs, scope, lagging, complete, completeBy } = applied;
  const took = committedMs === undefined ? "" : ` (${spanText(committedMs)})`;
  const committed = scope === "local" ? "Made on this instance alone" : `Committed as v${version}${took}`;
  const made = changed ? committed : `It stood so already, as v${version}`;
  const head = complete ? made : `${made}: not certain on every instance yet`;
  const known = of + silentIn(applied);
  const reached = `Applied on ${instances}/${known} ${known === 1 ? "instance" : "instances"} (${spanText(ms)})`;
  const late = lagging.map(({ id, name = id, version: at, seenAt, leaseEndsAt }) => {
    const since = `${name} decides by v${at}, silent since ${seenAt}`;
    return momentsIn(
      leaseEndsAt === null
        ? `${since}: it may go on by its last state`
        : `${since}: its lease ends ${leaseEndsAt}`,
      figures,
      now,
    );
  });
  const alone = scope === "local" ? [aloneWords] : [];
  const more = (answer.warnings ?? []).map(({ text }) => momentsIn(text, figures, now));
  const latest =
    complete || completeBy === null
      ? []
      : [`Certain everywhere by ${figures.moment(completeBy, now)} at the latest`];
  const details = [reached, ...alone, ...late, ...latest, ...more];
  return { kind: complete ? "done" : "partial", text: head, details };
}

export function refusedNotice({ code, detail, current }: RefusedCall): PageNotice {
  const stands =
    current === undefined ? [] : [`It stands at ${current.percent}%, ${current.state}, v${current.version}`];
  return { kind: "failed", text: `Not applied: ${detail ?? code}.`, details: stands };
}

/** @param command what does the same from a terminal */
export function unreachableNotice(command: string): PageNotice {
  return {
    kind: "failed",
    text: "Not applied. The admin API did not answer.",
    details: [`From a terminal: ${command}`],
  };
}

/** Where a cutover's change is not certain everywhere because only this instance makes it. */
function isAlone(each: WriteOfAll): boolean {
  return !("refused" in each) && each.applied.scope === "local" && !each.applied.complete;
}

/** What is rolled back need not be held: nothing raises it either. */
export function allNotice(answers: readonly WriteOfAll[]): PageNotice {
  const isIn = (each: WriteOfAll) => !("refused" in each) || each.refused.code === "rolled_back";
  const details = answers.map((each) => {
    if (!("refused" in each)) {
      const { name, version, percent, applied } = each;
      if (isAlone(each)) return `${name}: ${percent}%, on this instance alone`;
      return `${name}: v${version}, ${percent}%, applied on ${applied.instances}/${applied.of + silentIn(applied)}`;
    }
    const { name, refused } = each;
    return isIn(each)
      ? `${name}: is rolled back, which holds it already`
      : `${name}: not applied, ${refused.detail ?? refused.code}`;
  });
  if (answers.some(isAlone)) details.push(`${aloneWords}. Tell every other instance, too`);
  if (!answers.every(isIn)) return { kind: "failed", text: "Not done for all", details };
  const isWhole = answers.every((each) => "refused" in each || each.applied.complete);
  return isWhole
    ? { kind: "done", text: "Done for all", details }
    : { kind: "partial", text: "Made for all: not certain on every instance yet", details };
}
