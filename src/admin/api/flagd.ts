/**
 * Where shoppers' new journeys start, as flags of flagd (https://flagd.dev): a flag a cutover, its value the side. So apps
 * and jobs ask OpenFeature what the proxy would decide by percent. PURE.
 *
 * flagd's `fractional` takes MurmurHash3_x86_32 with seed 0 of the UTF-8 bytes, times the sum of the weights, over 2^32:
 * with 100000 as the sum that is the bucket (decide/bucket.ts), and a weight the percent in thousandths.
 */
import * as z from "zod";
import type { CutoverState } from "../../state/rules/model.ts";
import { maxThousandths, percentToNumber } from "../../state/rules/percent.ts";

const rule = z.record(z.string(), z.unknown());

export const flagdExport = z
  .object({
    $schema: z.string(),
    flags: z.record(
      z.string(),
      z.object({
        state: z.literal("ENABLED"),
        variants: z.object({ legacy: z.literal("legacy"), new: z.literal("new") }),
        defaultVariant: z.enum(["legacy", "new"]).meta({ description: "For whoever has no targetingKey" }),
        targeting: rule.meta({ description: "JsonLogic; empty where everybody has the default" }),
        metadata: z.object({ version: z.int(), percent: z.number(), state: z.string() }),
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

/** @param salt of the cutover, as buckets are reckoned with it */
export function flagOf(
  { percentThousandths, state, version }: CutoverState,
  salt: string,
): FlagdExport["flags"][string] {
  const toNew = state === "rolled_back" ? 0 : percentThousandths;
  const isClosed = state === "closed";
  const fractional = [
    { cat: [`${salt}:`, { var: "targetingKey" }] },
    ["new", toNew],
    ["legacy", maxThousandths - toNew],
  ];
  return {
    state: "ENABLED",
    variants: { legacy: "legacy", new: "new" },
    defaultVariant: isClosed ? "new" : "legacy",
    targeting: isClosed ? {} : { if: [{ var: "targetingKey" }, { fractional }, "legacy"] },
    metadata: { version, percent: percentToNumber(percentThousandths), state },
  };
}
