/** How much stands between a person and a raise: by how far it goes and what is known of new. PURE. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { nextRaise, type Offer, offerOf } from "../../admin/api/offers.ts";
import { percentText, pointsRaisedBy, restOf } from "../../admin/api/rules.ts";
import type { VerdictWords } from "../../admin/api/words/verdict.ts";
import { type ConsoleState, toldOf } from "../state.ts";

/** Points; a raise by more is typed. */
const farPoints = 25;

/** What who is signed in is offered next; `undefined`: it stands at 100. */
export function nextOffered(state: ConsoleState, view: CutoverView): Offer | undefined {
  return nextRaise(view, state.who?.role ?? "viewer", raisedLately(state, view));
}

/** What becomes of a raise by who is signed in. @param to above the view's percent */
export function raiseOffered(state: ConsoleState, view: CutoverView, to: number): Offer {
  return offerOf(view, to, state.who?.role ?? "viewer", raisedLately(state, view));
}

/** Points, as far as the page knows the history. */
function raisedLately(state: ConsoleState, { name, approval }: CutoverView): number {
  const { history } = toldOf(state, name);
  if (state.who === undefined || approval === undefined || history === undefined) return 0;
  if (approval.windowSeconds === 0) return 0;
  const since = new Date(Date.parse(state.at) - approval.windowSeconds * 1000).toISOString();
  return pointsRaisedBy(state.who.name, history, since);
}

/** @returns what has to be typed; `undefined`: a reason is enough */
export function typedFor(from: number, to: number, { tone }: Pick<VerdictWords, "tone">): string | undefined {
  const isFar = to - from > farPoints || to === 100;
  return isFar || tone !== "well" ? percentText(to) : undefined;
}

interface Actual {
  /** Of all of them, new's, 0–1. */
  readonly share: number;
  readonly all: number;
  readonly what: "new checkouts" | "requests";
  readonly windowSeconds: number;
}

/** What really went to new of late: of the journeys that began, where they are known, else of all requests; none: no share. */
export function actualOf({ traffic }: Pick<CutoverView, "traffic">): Actual | undefined {
  const { begun, legacy, new: onNew, windowSeconds } = traffic;
  const journeys = begun === undefined ? 0 : begun.legacy + begun.new;
  if (begun !== undefined && journeys > 0) {
    const { windowSeconds: span } = begun;
    return { share: begun.new / journeys, all: journeys, what: "new checkouts", windowSeconds: span };
  }
  const all = legacy.requests + onNew.requests;
  return all === 0 ? undefined : { share: onNew.requests / all, all, what: "requests", windowSeconds };
}

/** @returns about how many more an hour would go to new, by what goes on now; `undefined`: nothing does */
export function moreAnHour(
  view: Pick<CutoverView, "traffic" | "percent">,
  to: number,
): { readonly anHour: number; readonly what: string } | undefined {
  const actual = actualOf(view);
  if (actual === undefined) return undefined;
  const more = (actual.all / actual.windowSeconds) * 3600 * ((to - view.percent) / 100);
  return { anHour: Number(more.toPrecision(2)), what: actual.what.replace("new ", "") };
}

/** What the two parts of the bar say. */
export function partsOf({ percent, legacy, new: onNew }: CutoverView): readonly [string, string] {
  return [`${legacy} ${percentText(restOf(percent))}%`, `${onNew} ${percentText(percent)}%`];
}
