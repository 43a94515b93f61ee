/** What is open on each side, as a person reads it: how far a side has drained. PURE. */
import type { CutoverView, SidesUnderWay } from "../../admin/api/cutover-view.ts";
import { age, count, plural } from "./format.ts";
import { flow, padEnd } from "./text.ts";

type OpenSide = NonNullable<SidesUnderWay>["legacy"];

/** A line a side of what is known; none where nothing is. @param now ms since the epoch */
export function openLines({ journeys, unfinished }: CutoverView, columns: number, now: number): string[] {
  if (journeys === null && unfinished === null) return [];
  return (["legacy", "new"] as const).flatMap((side) => {
    const pieces = [
      ...(journeys === null ? [] : [`open journeys ${figure(journeys[side], now)}`]),
      ...(unfinished === null ? [] : [`unfinished orders ${figure(unfinished[side], now)}`]),
    ];
    const lines = flow(pieces, " · ", columns - 10, 2);
    return lines.map((line, index) => `  ${padEnd(index === 0 ? side : "", 8)}${line}`);
  });
}

/** How far a rollback has got, where that is known. */
export function drainNote({ state, journeys }: CutoverView, now: number): string[] {
  if (state !== "rolled_back" || journeys === null) return [];
  const { open, atLeast, oldestStartedAt } = journeys.new;
  if (open === 0) return ["Drained: no journey is open on new."];
  const many = atLeast ? `at least ${count(open)} journeys` : plural(open, "journey");
  return [`draining: ${many} on new${oldest(oldestStartedAt, now)}`];
}

function figure({ open, atLeast, oldestStartedAt }: OpenSide, now: number): string {
  return `${atLeast ? "at least " : ""}${count(open)}${oldest(oldestStartedAt, now)}`;
}

function oldest(startedAt: string | null, now: number): string {
  return startedAt === null ? "" : `, oldest ${age(Math.max(0, now - Date.parse(startedAt)))}`;
}
