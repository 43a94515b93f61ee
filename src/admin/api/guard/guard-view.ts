/** What the guard makes of a cutover, as the API says it (zod): the fleet's judgement, as its leader's record tells it. */
import * as z from "zod";
import type { InstanceRecord } from "../../../state/rules/completion.ts";

const tally = z.object({ units: z.int(), failed: z.int() });

const journeys = z.object({
  begun: z.int(),
  paid: z.int(),
  of100: z.number().nullable().meta({ description: "Payments per 100 journeys; null: none has begun" }),
});

const shareView = z.object({
  of: z.string().meta({ description: "The cohort; empty: of all who are of none" }),
  configured: z.number().meta({ description: "Of new, 0 to 1" }),
  assigned: z.int().meta({ description: "New shoppers of this step" }),
  onNew: z.int().meta({ description: "Those of them who came to new" }),
  odds: z.number().meta({ description: "The highest so far against that they are split as configured" }),
  isOff: z.boolean().meta({ description: "Whether that is 1000 or more" }),
});

const evidenceView = z.object({
  tests: z
    .record(z.string(), z.object({ odds: z.number(), actsAt: z.number(), hasFired: z.boolean() }))
    .meta({
      description: "By test: the odds against that all is well, and at which it acts",
    }),
  sides: z
    .object({ legacy: tally, new: tally })
    .meta({ description: "Shoppers of this step, and those of them who failed" }),
  difference: z.object({ estimate: z.number(), least: z.number(), most: z.number() }).meta({
    description:
      "Of the failures' shares, new's less legacy's, with an interval that may be read at every look",
  }),
  payments: z
    .object({
      legacy: journeys,
      new: journeys,
      wouldBePaid: z.number().meta({
        description: "As many of legacy's journeys of the same minutes as would make so many of new's",
      }),
    })
    .optional()
    .meta({ description: "Journeys of this step; absent where no payments are followed" }),
  share: shareView.optional().meta({
    description:
      "Whether new shoppers are split as configured; of several percents the one that is the least so",
  }),
});

const metricView = z.object({
  name: z.string(),
  state: z.string().meta({ description: "fine, pending (worse, and not for so long yet), worse or no data" }),
  action: z.string().meta({ description: "What follows where it is worse: alert, hold or rollback" }),
  sentence: z.string(),
});

const judgedFields = {
  verdict: z.string(),
  because: z.array(z.string()),
  action: z.string().optional(),
  sentence: z.string(),
};

/** As a record tells it; a release may say more. */
const judgedByLeader = z.object({
  ...judgedFields,
  at: z.string(),
  silent: z.array(z.string()),
  differing: z.array(z.string()),
  metrics: z.array(metricView).default([]),
  ...evidenceView.shape,
});
type JudgedByLeader = z.output<typeof judgedByLeader>;
const toldByLeader = z.object({ judged: judgedByLeader.optional() });

/** A judgement by the counts of one instance. */
interface JudgedHere {
  readonly verdict: string;
  readonly action?: string;
  readonly because: readonly string[];
  readonly sentence: string;
}

/** What an instance knows of a cutover's guard by itself. */
export interface GuardKnownHere {
  /** By everybody's counts, while it leads. */
  readonly fleet: (Omit<JudgedByLeader, keyof Lists> & Lists) | undefined;
  readonly own: JudgedHere | undefined;
  /** Whether there is no store to lead by. */
  readonly isAlone: boolean;
  /** The id of the instance that leads, as far as is known here. */
  readonly leader: string | undefined;
  /** Whether any of the cutover goes to new: nothing is judged elsewhere. */
  readonly isJudged: boolean;
  /** As it is configured here. */
  readonly tolerance?: number;
}

interface Lists {
  readonly because: readonly string[];
  readonly silent: readonly string[];
  readonly differing: readonly string[];
  readonly metrics: readonly z.output<typeof metricView>[];
}

export const guardView = z
  .object({
    guarded: z.boolean().meta({ description: "Whether the cutover has a guard" }),
    verdict: z.string().nullable().meta({
      description: "null: nothing goes to new, or nothing may be done, or nothing was looked at yet",
    }),
    because: z.array(z.string()).meta({
      description:
        "The tests that have found what they look for, and `metric NAME` of the owner's own metrics",
    }),
    action: z.string().nullable().meta({ description: "What follows from it: rollback, hold or alert" }),
    sentence: z.string().meta({ description: "The verdict with its evidence, for people" }),
    by: z.enum(["fleet", "instance"]).nullable().default(null).meta({
      description:
        "Whose counts: everybody's, or, while the store is away, of the instance alone that is asked; null: nobody's",
    }),
    at: z.string().nullable().default(null).meta({ description: "RFC 3339; of the fleet's judgement" }),
    leader: z
      .object({ id: z.string(), name: z.string() })
      .nullable()
      .default(null)
      .meta({ description: "The instance that judges by everybody's counts; null: none is known just now" }),
    silent: z.array(z.string()).default([]).meta({
      description:
        "Names of instances of which there are no counts; blind for them until the store forgets them",
    }),
    differing: z
      .array(z.string())
      .default([])
      .meta({ description: "Names of instances whose guard is configured otherwise than the leader's" }),
    metrics: z.array(metricView).default([]).meta({
      description: "What the owner's own metrics say: ratios and thresholds, outside the odds and the budget",
    }),
    evidence: evidenceView.nullable().default(null),
    tolerance: z.number().optional().meta({
      description: "Odds of a failure on new, in legacy's, that are still well; absent where none is known",
    }),
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
        by: "fleet",
        at: "2025-03-01T12:00:00.004Z",
        leader: { id: "1f0c77ab", name: "shop-1:8080" },
        silent: [],
        differing: [],
        metrics: [
          {
            name: "stock_errors",
            state: "fine",
            action: "hold",
            sentence: "stock_errors: new 0.4, not above 1.5 times legacy's 0.5 (a ratio, with no odds)",
          },
        ],
        evidence: {
          tests: { failures: { odds: 1.1, actsAt: 1000, hasFired: false } },
          sides: { legacy: { units: 1620, failed: 14 }, new: { units: 180, failed: 2 } },
          difference: { estimate: 0.002, least: -0.019, most: 0.063 },
          payments: {
            legacy: { begun: 1200, paid: 702, of100: 58.5 },
            new: { begun: 130, paid: 74, of100: 56.9 },
            wouldBePaid: 76,
          },
        },
      },
    ],
  });
export type GuardView = z.output<typeof guardView>;

/** Event `verdict`: the guard has come to another verdict of a cutover. */
export interface VerdictEvent extends GuardView {
  /** The cutover's. */
  readonly name: string;
}

/** The guard in a cutover's view. */
export const guardInBrief = guardView.pick({
  guarded: true,
  verdict: true,
  sentence: true,
  leader: true,
  silent: true,
});

/** Its part of a cutover's view. */
export function guardBriefly({ guarded, verdict, sentence, leader, silent }: GuardView): {
  readonly guard: z.output<typeof guardInBrief>;
} {
  return { guard: { guarded, verdict, sentence, leader, silent } };
}

/** Of a cutover whose configuration says so. */
const guardOff = "the guard is off: nobody watches the sides";

const nobody = {
  verdict: null,
  because: [],
  action: null,
  by: null,
  at: null,
  leader: null,
  silent: [],
  differing: [],
  metrics: [],
  evidence: null,
};

/**
 * @param here `undefined`: the cutover has no guard
 * @param records of all instances, as the store has them
 */
export function guardViewOf(
  name: string,
  here: GuardKnownHere | undefined,
  records: readonly InstanceRecord[],
): GuardView {
  if (here === undefined) return { guarded: false, ...nobody, sentence: guardOff };
  const { tolerance } = here;
  return { ...judgedView(name, here, records), ...(tolerance === undefined ? {} : { tolerance }) };
}

function judgedView(name: string, here: GuardKnownHere, records: readonly InstanceRecord[]): GuardView {
  if (here.isAlone) return ownView(here);
  const record = records.find(({ id }) => id === here.leader);
  const told = here.fleet ?? toldByLeader.safeParse(record?.guard?.[name]).data?.judged;
  const leader = here.leader === undefined ? null : { id: here.leader, name: record?.name ?? here.leader };
  if (told === undefined) {
    return { guarded: true, ...nobody, leader, sentence: unjudged(here, leader !== null) };
  }
  const { verdict, because, action = null, sentence, at, silent, differing, metrics } = told;
  const { tests, sides, difference, payments, share } = told;
  const paid = payments === undefined ? {} : { payments };
  const evidence = { tests, sides, difference, ...paid, ...(share === undefined ? {} : { share }) };
  return {
    guarded: true,
    verdict,
    because: [...because],
    action,
    sentence,
    by: "fleet",
    at,
    leader,
    ...{ silent: [...silent], differing: [...differing], metrics: [...metrics], evidence },
  };
}

function unjudged({ isJudged }: GuardKnownHere, isLed: boolean): string {
  if (!isJudged) return "nothing to judge, no new checkout goes to new";
  return isLed ? "not judged yet" : "it is not judged now: no instance leads";
}

function ownView(here: GuardKnownHere): GuardView {
  const { own } = here;
  const why = "without the store, by the counts of this instance alone";
  if (own === undefined) {
    return {
      guarded: true,
      ...nobody,
      sentence: here.isJudged ? `not judged yet: ${why}` : unjudged(here, true),
    };
  }
  const { verdict, because, action = null, sentence } = own;
  return {
    guarded: true,
    ...nobody,
    ...{ verdict, because: [...because], action, by: "instance", sentence: `${sentence} (${why})` },
  };
}
