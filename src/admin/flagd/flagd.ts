/**
 * Where shoppers' new journeys start, as flags of flagd (https://flagd.dev): a flag a cutover, its value the side. So apps
 * and jobs ask OpenFeature what the proxy would decide by cohort and percent, and by those of the cutovers that it goes
 * after. PURE.
 *
 * flagd's `fractional` takes MurmurHash3_x86_32 with seed 0 of the UTF-8 bytes, times the sum of the weights, over 2^32:
 * with 100000 as the sum that is the bucket (decide/bucket.ts), and a weight the percent in thousandths.
 */
import * as z from "zod";
import type { CutoverConfig } from "../../config/schema.ts";
import type { CutoverState, Side } from "../../state/rules/model.ts";
import { maxThousandths, percentToNumber } from "../../state/rules/percent.ts";
import { standingPercent } from "../../state/rules/routing.ts";
import { cohortRule, fractional, type Logic, shopper } from "./cohort-rule.ts";

const rule = z.record(z.string(), z.unknown());

export const flagdExport = z
  .object({
    $schema: z.string(),
    flags: z.record(
      z.string(),
      z.object({
        state: z.literal("ENABLED"),
        variants: z.object({ legacy: z.literal("legacy"), new: z.literal("new") }),
        defaultVariant: z
          .enum(["legacy", "new"])
          .meta({ description: "For whom the targeting says nothing" }),
        targeting: rule.meta({ description: "JsonLogic; empty where everybody has the default" }),
        metadata: z.object({
          version: z.int(),
          percent: z.number(),
          state: z.string(),
          after: z.string().optional().meta({ description: "The cutover that it goes after" }),
          effectivePercent: z
            .number()
            .optional()
            .meta({ description: "What of the percent is in effect, where that is less" }),
          unsaid: z.string().optional().meta({
            description: "Cohorts whose rule flagd has no words for, of this cutover and those it goes after",
          }),
        }),
      }),
    ),
  })
  .meta({
    examples: [
      {
        $schema: "https://flagd.dev/schema/v0/flags.json",
        flags: {
          checkout: {
            state: "ENABLED",
            variants: { legacy: "legacy", new: "new" },
            defaultVariant: "legacy",
            targeting: {
              if: [
                { var: "targetingKey" },
                {
                  fractional: [
                    { cat: ["checkout:", { var: "targetingKey" }] },
                    ["new", 25_000],
                    ["legacy", 75_000],
                  ],
                },
                "legacy",
              ],
            },
            metadata: { version: 42, percent: 25, state: "open" },
          },
        },
      },
    ],
  });
type FlagdExport = z.output<typeof flagdExport>;

interface FlaggedCohort {
  readonly name: string;
  readonly side?: Side | undefined;
  /** Absent: nobody is known to be of it. */
  readonly when?: CutoverConfig["cohorts"][number]["when"] | undefined;
}

/** A cutover as its flag is made of it. */
export interface Flagged {
  readonly name: string;
  readonly state: CutoverState;
  /** As buckets are reckoned with it. */
  readonly salt: string;
  readonly cohorts?: readonly FlaggedCohort[];
  /** Whether at 100 percent that goes to new which names no shopper. */
  readonly anonymousMoves?: boolean;
}

/**
 * @param leaders the cutovers that it goes after, the nearest first
 * @param effectivePercent what of its percent is in effect, where that is less
 */
export function flagOf(
  flagged: Flagged,
  leaders: readonly Flagged[] = [],
  effectivePercent?: number,
): FlagdExport["flags"][string] {
  const { percentThousandths, state, version } = flagged.state;
  const isClosed = state === "closed";
  const [nearest] = leaders;
  const unsaid = [flagged, ...leaders].flatMap(unsaidOf);
  return {
    state: "ENABLED",
    variants: { legacy: "legacy", new: "new" },
    defaultVariant: isClosed ? "new" : "legacy",
    targeting: isClosed ? {} : { if: branches(sideRule(flagged, leaders)) },
    metadata: {
      version,
      percent: percentToNumber(percentThousandths),
      state,
      ...(nearest === undefined ? {} : { after: nearest.name }),
      ...(effectivePercent === undefined ? {} : { effectivePercent }),
      ...(unsaid.length === 0 ? {} : { unsaid: unsaid.join("; ") }),
    },
  };
}

/** As a flag's targeting is one operation: `if`, with its branches. */
function branches(logic: Logic): readonly unknown[] {
  const isIf = typeof logic === "object" && Array.isArray(logic.if);
  return isIf && Array.isArray(logic.if) ? logic.if : [true, logic];
}

/** Where the cutover has whoever the context tells of, who has neither an owner nor a journey nor a visit. */
function sideRule(flagged: Flagged, [nearest, ...others]: readonly Flagged[]): Logic {
  const { state } = flagged;
  if (state.state === "closed") return "new";
  if (state.state === "rolled_back") return byBucket(flagged, 0);
  const own = beginning(flagged);
  if (nearest === undefined || nearest.state.state === "closed") return own;
  return { if: [{ "==": [sideRule(nearest, others), "new"] }, own, "legacy"] };
}

/** The first cohort whose rule holds, else the cutover's own percent. */
function beginning(flagged: Flagged): Logic {
  const { state, cohorts = [], salt } = flagged;
  const own = byBucket(flagged, state.percentThousandths);
  if (cohorts.length === 0) return own;
  const each = cohorts.flatMap((cohort) => {
    const { name, side } = cohort;
    const said = ruleOf(cohort, salt);
    const isNamed = { "==": [{ var: "cohort" }, name] };
    const isOfIt = { if: [{ var: "cohort" }, isNamed, "rule" in said ? said.rule : false] };
    return [isOfIt, side ?? byBucket(flagged, standingPercent(state, name))];
  });
  return { if: [...each, own] };
}

function ruleOf({ name, when }: FlaggedCohort, salt: string): ReturnType<typeof cohortRule> {
  return when === undefined ? { rule: false } : cohortRule(when, name, salt);
}

function byBucket({ salt, anonymousMoves }: Flagged, thousandths: number): Logic {
  const nameless = anonymousMoves === true && thousandths === maxThousandths ? "new" : "legacy";
  const split = fractional(salt, [
    ["new", thousandths],
    ["legacy", maxThousandths - thousandths],
  ]);
  return { if: [shopper, split, nameless] };
}

function unsaidOf({ name: cutover, salt, cohorts = [] }: Flagged): string[] {
  return cohorts.flatMap((cohort) => {
    const said = ruleOf(cohort, salt);
    return "unsaid" in said ? [`${cutover}/${cohort.name}: ${said.unsaid}`] : [];
  });
}
