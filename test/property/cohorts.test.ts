/** With cohorts: whatever is done before, a raise of any percent moves nobody from new to legacy. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Cohort, decide } from "../../src/decide/decide.ts";
import { readByHand } from "../../src/state/rules/hand-edit.ts";
import { type Change, type CutoverState, initialState, transition } from "../../src/state/rules/model.ts";
import { formatPercent, withStarts } from "../../src/state/rules/percent.ts";

const seed = Number(process.env.FC_SEED ?? Date.now());

const starts = { jakarta: 40_000, bandung: 0 };
const cohorts: readonly (Cohort | undefined)[] = [
  undefined,
  { name: "jakarta", side: undefined, startThousandths: starts.jakarta },
  { name: "bandung", side: undefined, startThousandths: starts.bandung },
  { name: "staff", side: "new", startThousandths: 0 },
  { name: "my", side: "legacy", startThousandths: 0 },
];
const buckets = [0, 1, 999, 10_000, 39_999, 40_000, 50_000, 99_999];

const percent = fc.oneof(fc.constantFrom(0, 1, 40_000, 100_000), fc.integer({ min: 0, max: 100_000 }));
const whose = fc.constantFrom(undefined, "jakarta", "bandung");
type Step =
  | Change
  | { readonly action: "hand"; readonly field: "percent" | `percent:${string}`; readonly to: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ action: fc.constant("set" as const), percentThousandths: percent, cohort: whose }),
  fc.record({ action: fc.constantFrom("rollback" as const, "hold" as const, "resume" as const) }),
  fc.record({
    action: fc.constant("hand" as const),
    field: fc.constantFrom("percent" as const, "percent:jakarta" as const, "percent:bandung" as const),
    to: percent,
  }),
);

const sidesAt = (state: CutoverState) =>
  cohorts.flatMap((cohort) =>
    buckets.map((bucket) => {
      const facts = { owner: undefined, journey: undefined, forced: undefined, stale: false, cohort, bucket };
      return decide(state, facts).side;
    }),
  );

function after(state: CutoverState, made: Step): CutoverState {
  if (made.action === "hand") {
    const read = readByHand(withStarts(state, starts), { [made.field]: formatPercent(made.to) });
    return { ...state, ...read.routing, version: state.version + 1 };
  }
  const actor = { name: "ann", role: "admin" } as const;
  const verdict = transition(state, { change: made, actor, reason: "", at: "", starts });
  return verdict.accepted ? verdict.next : state;
}

function percents({ percentThousandths, cohorts: own = {} }: CutoverState): readonly number[] {
  return [percentThousandths, own.jakarta ?? starts.jakarta, own.bandung ?? starts.bandung];
}

test("a walk of percents, holds, rollbacks and edits by hand moves nobody back by a raise, and leaves nobody on new while rolled back", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      let state = initialState();
      for (const [index, made] of steps.entries()) {
        const next = after(state, made);
        const [before, now] = [sidesAt(state), sidesAt(next)];
        const [from, to] = [percents(state), percents(next)];
        const isNoLower = from.every((one, at) => one <= (to[at] ?? 0));
        const isLatched = next.state === "rolled_back";
        if (isNoLower && !isLatched) {
          const movedBack = before.filter((side, at) => side === "new" && now[at] === "legacy");
          expect(movedBack, `step ${index}, seed ${seed}`).toEqual([]);
        }
        if (isLatched) expect(now, `step ${index}, seed ${seed}`).not.toContain("new");
        state = next;
      }
    }),
    { seed, numRuns: 300 },
  );
});
