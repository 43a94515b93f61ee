/**
 * What would become of each step of a target, by the rule book and by how things stand now: what a dry run can tell
 * beforehand. Each is judged by what the steps before it would have made. PURE.
 */
import type { CutoverView } from "../../../admin/api/cutover-view.ts";
import { foresee } from "../../../admin/api/rules.ts";
import type { Drift } from "./drift.ts";

type Role = Parameters<typeof foresee>[2];

/** `refused`: with its code; absent: it would be done, as far as can be told. */
type Foreseen = { readonly refused: string } | "proposed" | undefined;

const rank: Readonly<Record<Role, number>> = { viewer: 0, responder: 1, operator: 2, admin: 3 };

/** In the order of the steps. */
export function foreseeDrift(
  drift: readonly Drift[],
  views: readonly CutoverView[],
  role: Role,
): readonly Foreseen[] {
  const standing = new Map(views.map((view) => [view.name, view]));
  let isLifted = false;
  const asked = (least: Role): Foreseen => (rank[role] < rank[least] ? { refused: "forbidden" } : undefined);
  return drift.map((step): Foreseen => {
    if (step.pending !== undefined) return undefined;
    if (step.kind === "freeze") return asked("responder");
    if (step.kind === "unfreeze") {
      const refused = asked("operator");
      isLifted = refused === undefined;
      return refused;
    }
    const view = standing.get(step.name);
    if (view === undefined) return undefined;
    if (step.kind === "plan") return asked("operator") ?? startOf(step.to, view);
    const { freeze: _, ...thawed } = view;
    const { cohort, to: percent } = step;
    const foreseen = foresee(isLifted ? thawed : view, { call: "percent", cohort, percent }, role);
    if (foreseen?.kind === "refused") return { refused: foreseen.code };
    if (foreseen?.kind === "proposed") return "proposed";
    standing.set(step.name, { ...view, ...stands(view, step) });
    return undefined;
  });
}

function startOf(to: "start" | "pause", { state }: CutoverView): Foreseen {
  return to === "start" && state !== "open" ? { refused: state } : undefined;
}

function stands(
  { cohorts }: CutoverView,
  { cohort, to }: Extract<Drift, { kind: "percent" }>,
): Partial<CutoverView> {
  if (cohort === undefined) return { percent: to };
  const others = cohorts?.map((each) => (each.name === cohort ? { ...each, percent: to } : each));
  return others === undefined ? {} : { cohorts: others };
}

/** What is put behind the line of a step. */
export function foreseenText(foreseen: Foreseen): string {
  if (foreseen === undefined) return "";
  return foreseen === "proposed"
    ? " (would wait for another person)"
    : ` (would be refused: ${foreseen.refused})`;
}
