/**
 * What a person is offered: the page, `status` and the terminal offer what would be made, or proposed where another person
 * has to approve it, and else tell why nothing is. By the rule book, as a dry run (rules.ts). PURE.
 */
import type { CutoverView } from "./cutover-view.ts";
import { foresee, percentText, type tokenRoles } from "./rules.ts";

type Role = (typeof tokenRoles)[number];

/** Percents that are gone by. */
const steps = [1, 5, 10, 25, 50, 100];

/** `made` at once, or `proposed` to another person; or `none`, and why, as in `No raise: …`. */
export type Offer =
  | { readonly kind: "made" | "proposed"; readonly to: number }
  | { readonly kind: "none"; readonly why: string };

/**
 * @param raisedPoints what they that ask have raised alone lately
 * @returns the next step, or what of it may be gone; `undefined`: it stands at 100
 */
export function nextRaise(view: CutoverView, role: Role, raisedPoints = 0): Offer | undefined {
  const step = steps.find((each) => each > view.percent);
  if (step === undefined) return undefined;
  const limit = view.after?.percent ?? step;
  return offerOf(view, limit > view.percent ? Math.min(step, limit) : step, role, raisedPoints);
}

/** @param to a percent above the view's */
export function offerOf(view: CutoverView, to: number, role: Role, raisedPoints = 0): Offer {
  const foreseen = foresee(view, { call: "percent", percent: to }, role, raisedPoints);
  if (foreseen === undefined) return { kind: "none", why: "that is no percent" };
  if (foreseen.kind === "refused") return { kind: "none", why: whyRefused(view, foreseen.code, "operator") };
  return { kind: foreseen.kind === "proposed" ? "proposed" : "made", to };
}

/** @returns why what waits for another person would be refused to who has the role; `undefined`: it would not */
export function whyNotApproved(view: CutoverView, role: Role): string | undefined {
  const { approval: _, proposal, ...alone } = view;
  // Of what is to be made at a time it is judged then.
  if (proposal === undefined || proposal.action === "schedule") return undefined;
  const { action, percent, cohort, force, override } = proposal;
  const isClose = action === "close";
  // A plan makes each step by itself, and waits where it may not be made.
  const judged =
    action === "plan" ? { ...alone, after: undefined, freeze: undefined, window: undefined } : alone;
  const asked = isClose
    ? ({ call: "close", force, override } as const)
    : ({ call: "percent", percent, cohort, override } as const);
  const foreseen = foresee(judged, asked, role);
  if (foreseen?.kind !== "refused") return undefined;
  return whyRefused(view, foreseen.code, isClose ? "admin" : "operator", cohort);
}

type Code = Extract<NonNullable<ReturnType<typeof foresee>>, { kind: "refused" }>["code"];

/** @param takes the role that it takes */
function whyRefused(
  { after, cohorts = [], legacy, freeze, window }: CutoverView,
  code: Code,
  takes: Role,
  cohort?: string,
): string {
  switch (code) {
    case "forbidden":
      return `it takes the role ${takes}`;
    case "held":
      return "it is held: resume it first";
    case "rolled_back":
      return "it is rolled back: resume it first";
    case "closed":
      return `${legacy} is closed for good`;
    case "frozen":
      return `everything is frozen until ${freeze?.until ?? "it is lifted"}`;
    case "in_window":
      return `in a window until ${window?.until ?? "it ends"}, ${window?.reason ?? ""}`;
    case "without_effect": {
      const limit = cohorts.find(({ name }) => name === cohort)?.limit ?? after?.percent ?? 0;
      const by = after?.heldBy ?? after?.name ?? "what it goes after";
      return `${by} lets it go no further than ${percentText(limit)}%: raise ${by} first`;
    }
    case "out_of_order":
      return `${after?.name ?? "what it goes after"} is not closed: close that first`;
    case "not_complete":
      return "it is not at 100%, with all its cohorts";
    case "under_way":
      return `${legacy} has something under way`;
    case "cohort_on_legacy":
      return `the configuration keeps a cohort on ${legacy}`;
    case "version_conflict":
    case "approval_required":
      return "it stands otherwise by now";
  }
}
