/** How cutovers stand as this instance decides by them, and what it has found of their states, as metrics. */
import { type CutoverState, initialState, stateNames } from "../state/rules/model.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import { type Family, labelPairs } from "./exposition.ts";

/**
 * What can roll a cutover back; `guard`: its guard, by itself; `out_of_band`: a hand on the store, past the API; `local`:
 * this instance alone was told, while the store was out of reach.
 */
const rollbackTriggers = ["operator", "guard", "out_of_band", "local"] as const;
export type RollbackTrigger = (typeof rollbackTriggers)[number];

/** How a cutover stands: what is known of it beside its counts. */
interface Standing {
  state: CutoverState;
  readonly rollbacks: Record<RollbackTrigger, number>;
  rejections: number;
  regressions: number;
}

/** They outlive their cutover's configuration, for when it comes back. */
export function createStandings() {
  const standings = new Map<string, Standing>();
  return {
    add(cutover: string): void {
      if (standings.has(cutover)) return;
      const rollbacks = { operator: 0, guard: 0, out_of_band: 0, local: 0 };
      standings.set(cutover, { state: initialState(), rollbacks, rejections: 0, regressions: 0 });
    },
    /** @throws Error when the cutover is not configured, and never was */
    of(cutover: string): Standing {
      const standing = standings.get(cutover);
      if (standing !== undefined) return standing;
      throw new Error(
        cutover === "none"
          ? "requests of no cutover have no state"
          : `the cutover ${cutover} is not configured`,
      );
    },
  };
}

export function stateFamilies(
  cutovers: readonly { readonly name: string; readonly standing: Standing }[],
): readonly Family[] {
  const rows = cutovers.map(({ name, standing }) => ({ label: labelPairs({ cutover: name }), standing }));
  const perCutover = (name: string, read: (standing: Standing) => number) => () =>
    rows.map(({ label, standing }) => `${name}{${label}} ${read(standing)}`);
  return [
    {
      name: "cutover_percent",
      type: "gauge",
      help: "Percent (0-100) this instance decides by: the share of shoppers whose new journeys start on the new side.",
      samples: perCutover("cutover_percent", ({ state }) => percentToNumber(state.percentThousandths)),
    },
    {
      name: "cutover_state",
      type: "gauge",
      help: "1 for the state this instance decides by, 0 for the others.",
      samples: () =>
        rows.flatMap(({ label, standing }) =>
          stateNames.map(
            (name) => `cutover_state{${label},state="${name}"} ${name === standing.state.state ? 1 : 0}`,
          ),
        ),
    },
    {
      name: "cutover_state_version",
      type: "gauge",
      help: "State version this instance decides by.",
      samples: perCutover("cutover_state_version", ({ state }) => state.version),
    },
    {
      name: "cutover_last_change_timestamp_seconds",
      type: "gauge",
      help: "When the state this instance decides by was accepted; 0: nothing was ever changed.",
      samples: perCutover(
        "cutover_last_change_timestamp_seconds",
        ({ state }) => (Date.parse(state.updatedAt) || 0) / 1000,
      ),
    },
    {
      name: "cutover_rollbacks_total",
      type: "counter",
      help: "Rollbacks this instance has put in force, by what triggered them. Every instance counts the same rollback, so the fleet's figure is the max over instances, not the sum.",
      samples: () =>
        rows.flatMap(({ label, standing }) =>
          rollbackTriggers.map(
            (trigger) =>
              `cutover_rollbacks_total{${label},trigger="${trigger}"} ${standing.rollbacks[trigger]}`,
          ),
        ),
    },
    {
      name: "cutover_state_rejected_total",
      type: "counter",
      help: "Contents of the store this instance has refused to follow, each distinct content counted once.",
      samples: perCutover("cutover_state_rejected_total", ({ rejections }) => rejections),
    },
    {
      name: "cutover_state_regressions_total",
      type: "counter",
      help: "Accepted changes the store had lost, as this instance found and settled them: the safer state is in force, held.",
      samples: perCutover("cutover_state_regressions_total", ({ regressions }) => regressions),
    },
  ];
}
