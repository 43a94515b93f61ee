/** What is said of a cutover below its head, a sentence each: what its state, guard, plan and proposal mean now. PURE. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { nextRaise, whyNotApproved } from "../../admin/api/offers.ts";
import { age, count, oldestPart, onThisClock, plural, proposedText, share } from "./format.ts";
import { printable, shellWord } from "./text.ts";

/** @param now ms since the epoch */
export function headNotes(view: CutoverView, now: number): string[] {
  return [
    ...drainNote(view, now),
    ...stateNote(view, now),
    ...guardNote(view),
    ...raiseNotes(view, now),
    ...proposalNote(view, now),
  ];
}

function proposalNote(view: CutoverView, now: number): string[] {
  const { name, proposal } = view;
  if (proposal === undefined) return [];
  const { id, by, expiresAt } = proposal;
  const vain = whyNotApproved(view, "admin");
  if (vain !== undefined) {
    const what = `${proposedText(proposal)} is proposed by ${printable(by)}`;
    return [`${what}, and would be refused: ${printable(onThisClock(vain, now))}.`];
  }
  const left = age(Math.max(0, Date.parse(expiresAt) - now));
  return [
    `${proposedText(proposal)} is proposed by ${printable(by)}, and waits ${left} for another person:`,
    `cutover approve ${shellWord(printable(name))} ${printable(id)}`,
  ];
}

/** Once it has rolled back, its sentence is the reason of the change, which is told anyway. */
function guardNote({ guard, reason }: CutoverView): string[] {
  if (guard === undefined || (guard.sentence !== "" && guard.sentence === reason)) return [];
  return [guard.guarded ? `guard: ${printable(guard.sentence)}` : printable(guard.sentence)];
}

/** Where its plan stands, its date, and what is to be set at a time. */
function raiseNotes({ plan, deadline, schedule = [] }: CutoverView, now: number): string[] {
  const said = (text: string) => printable(onThisClock(text, now));
  return [
    ...(plan === undefined ? [] : [`plan: ${said(plan.sentence)}`]),
    ...(deadline === undefined ? [] : [`deadline: ${said(deadline.at)}, ${said(deadline.reason)}`]),
    ...schedule.map(({ percent, cohort, at, by }) => {
      const whose = cohort === undefined ? "" : `${printable(cohort)} `;
      return `scheduled: ${whose}${share(percent)} at ${said(at)}, by ${printable(by)}`;
    }),
  ];
}

function stateNote(view: CutoverView, now: number): string[] {
  const resume = `cutover resume ${shellWord(printable(view.name))} --reason TEXT`;
  switch (view.state) {
    case "open": {
      const next = nextRaise(view, "operator");
      return next?.kind === "none" ? [`No raise: ${printable(onThisClock(next.why, now))}.`] : [];
    }
    case "held":
      return [`Nothing raises it before: ${resume}`];
    case "rolled_back":
      return ["New journeys start on legacy; latched.", `Nothing raises it before: ${resume}`];
    case "closed":
      return ["Legacy is closed for good."];
  }
}

/** How far a rollback has got, where that is known. */
function drainNote({ state, journeys }: CutoverView, now: number): string[] {
  if (state !== "rolled_back" || journeys === null) return [];
  const { open, atLeast, oldestStartedAt } = journeys.new;
  if (open === 0) return ["Drained: no journey is under way on new."];
  const many = atLeast ? `at least ${count(open)} journeys` : plural(open, "journey");
  return [`draining: ${many} on new${oldestPart(oldestStartedAt, now)}`];
}
