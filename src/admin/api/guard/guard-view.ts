/** What the guard of one instance makes of a cutover, as the API says it (zod). */
import * as z from "zod";

/** What is known of it, before it is a view. */
export interface GuardJudged {
  readonly verdict: string;
  readonly action?: string;
  readonly because: readonly string[];
  readonly sentence: string;
}

export const guardView = z
  .object({
    guarded: z.boolean().meta({ description: "Whether the cutover has a guard" }),
    verdict: z.string().nullable().meta({
      description: "null: nothing goes to new, or nothing may be done, or nothing was looked at yet",
    }),
    because: z.array(z.string()).meta({ description: "The tests that have found what they look for" }),
    action: z.string().nullable().meta({ description: "What follows from it: rollback, hold or alert" }),
    sentence: z.string().meta({ description: "The verdict with its evidence, for people" }),
  })
  .meta({
    examples: [
      {
        guarded: true,
        verdict: "insufficient evidence",
        because: [],
        action: null,
        sentence:
          "new fails 1.1% (2 of 180), legacy 0.9% (-1.9 to 6.3 points of difference): insufficient evidence",
      },
    ],
  });
export type GuardView = z.output<typeof guardView>;

/** @param judged `undefined`: it is not judged now */
export function guardViewOf(judged: GuardJudged | "unguarded" | undefined): GuardView {
  const none = { verdict: null, because: [], action: null };
  if (judged === "unguarded") return { guarded: false, ...none, sentence: "it has no guard" };
  if (judged === undefined) return { guarded: true, ...none, sentence: "it is not judged now" };
  const { verdict, because, action = null, sentence } = judged;
  return { guarded: true, verdict, because: [...because], action, sentence };
}
