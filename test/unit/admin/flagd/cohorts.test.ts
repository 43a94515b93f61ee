/** Cohorts and cutovers that go after others, as flags: flagd's own evaluator says what the proxy decides. */
import { FlagdCore } from "@openfeature/flagd-core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Flagged, flagOf } from "../../../../src/admin/flagd/flagd.ts";
import { configSchema } from "../../../../src/config/schema.ts";
import { bucketOf, bytesOf, saltPrefix } from "../../../../src/decide/bucket.ts";
import { type Ahead, decide, type Facts } from "../../../../src/decide/decide.ts";
import { cohortOf, compileSplit } from "../../../../src/proxy/cohorts/cohorts.ts";
import { type CutoverState, initialState, stateNames } from "../../../../src/state/rules/model.ts";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

interface Asked {
  readonly shopper?: string | undefined;
  readonly region?: string | undefined;
  readonly tier?: string | undefined;
  readonly host?: string | undefined;
}

const cohortsOf = (cohorts: readonly object[], anonymous = "legacy") => {
  const config = configSchema.parse({
    upstreams: { old: { url: "http://127.0.0.1:1" }, next: { url: "http://127.0.0.1:2" } },
    default: "old",
    lists: { staff: {} },
    cutovers: {
      shop: {
        ...{ legacy: "old", new: "next", shopper: ["header:x-shopper-id"], group: "g", cohorts, anonymous },
        routes: [{ name: "a", path: "/a" }],
      },
    },
  });
  const [declared] = Object.values(config.cutovers);
  if (declared === undefined) throw new Error("no cutover");
  return declared;
};

/** Both sides of the comparison, of one cutover that goes after those behind it. */
function chain(
  all: readonly {
    readonly cohorts: readonly object[];
    readonly state: CutoverState;
    readonly moves?: boolean;
  }[],
) {
  const made = all.map(({ cohorts, state, moves = false }, at) => {
    const declared = cohortsOf(cohorts, moves ? "new-at-100" : "legacy");
    const name = `c${at}`;
    const flagged: Flagged = { name, state, salt: "g", cohorts: declared.cohorts, anonymousMoves: moves };
    return { name, state, moves, flagged, split: compileSplit(declared, name) };
  });
  const [own, ...leaders] = made.map(({ flagged }) => flagged);
  if (own === undefined) throw new Error("nothing to ask");
  const complaints: string[] = [];
  const complain = (...said: readonly unknown[]) => void complaints.push(said.map(String).join(" "));
  const quiet = () => undefined;
  const core = new FlagdCore(undefined, { error: complain, warn: complain, info: quiet, debug: quiet });
  const flag = flagOf(own, leaders);
  core.setConfigurations(JSON.stringify({ flags: { shop: flag } }));

  return {
    flag,
    /** What flagd's evaluator says of a flag that is written wrongly. */
    complaints,
    flagd({ shopper, region, tier, host = "shop.example" }: Asked, more = {}): string {
      const context = {
        host,
        ...(shopper === undefined ? {} : { targetingKey: shopper }),
        ...(region === undefined ? {} : { "header:x-region": region }),
        ...(tier === undefined ? {} : { "cookie:tier": tier }),
        ...more,
      };
      return core.resolveStringEvaluation("shop", "neither", context).value;
    },
    decided({ shopper, region, tier, host = "shop.example" }: Asked): string {
      const fields = [
        ...(region === undefined ? [] : ["X-Region", region]),
        ...(tier === undefined ? [] : ["Cookie", `tier=${tier}`]),
      ];
      const fieldNames = fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
      const none = { query: "", paramNames: [], paramValues: [] };
      const bytes = shopper === undefined ? undefined : bytesOf(shopper);
      const view = { fields, fieldNames, ...none };
      const whose = { view, shopper: bytes, host, peer: { address: "", encrypted: false } };
      const around = { table: { trusts: () => false }, lists: { has: () => false } };
      const bucket = bytes === undefined ? undefined : bucketOf(saltPrefix("g"), bytes);
      const factsOf = ({ split, moves }: (typeof made)[number], after: Ahead | undefined): Facts => ({
        ...{ owner: undefined, journey: undefined, forced: undefined, stale: false, bucket, after },
        ...{ cohort: cohortOf(split.cohorts, around, whose), anonymousMoves: moves },
      });
      const [first, ...others] = made;
      const after = others.reduceRight<Ahead | undefined>(
        (ahead, one) => ({ name: one.name, state: one.state, facts: factsOf(one, ahead) }),
        undefined,
      );
      return first === undefined ? "nothing" : decide(first.state, factsOf(first, after)).side;
    },
  };
}

const at = (percent: number, more: Partial<CutoverState> = {}): CutoverState => ({
  ...initialState(),
  percentThousandths: percent * 1000,
  version: 1,
  ...more,
});

const rules = [
  { name: "jakarta", when: { header: "x-region", in: ["ID-JK", "ID-BT"] }, percent: 0 },
  { name: "my", when: { host: ["*.my", "shop.sg"] }, side: "legacy" },
  { name: "tiered", when: { cookie: "tier" }, side: "new" },
  { name: "tests", when: { matches: "^test-" }, side: "new" },
  { name: "few", when: { share: 30 }, percent: 0 },
  { name: "both", when: { header: "x-region", matches: "^ID", host: "shop.example" }, percent: 0 },
  { name: "one", when: { in: ["s-7"] }, side: "legacy" },
  { name: "ends", when: { matches: "\\.9$" }, side: "legacy" },
  { name: "has", when: { matches: "-4" }, side: "new" },
  { name: "is", when: { matches: "^s-5$" }, side: "new" },
];
const asked: fc.Arbitrary<Asked> = fc.record({
  shopper: fc.option(
    fc.oneof(
      fc.integer({ min: 0, max: 60 }).map((n) => `s-${n}`),
      fc.constantFrom("test-1", "a.9", "s-5"),
    ),
    { nil: undefined },
  ),
  region: fc.constantFrom(undefined, "ID-JK", "ID-XX", "MY", ""),
  tier: fc.constantFrom(undefined, undefined, "gold"),
  host: fc.constantFrom("shop.example", "a.my", "my", "shop.sg"),
});
const state = fc
  .record({
    name: fc.constantFrom(...stateNames, "open" as const, "open" as const),
    percent: fc.constantFrom(0, 10, 50, 99, 100),
    cohorts: fc.record({
      jakarta: fc.constantFrom(0, 40_000, 100_000),
      few: fc.constantFrom(0, 70_000),
      both: fc.constantFrom(0, 20_000),
    }),
  })
  .map(({ name, percent, cohorts }) => {
    if (name === "rolled_back") return at(0, { state: name });
    return name === "closed" ? at(100, { state: name }) : at(percent, { state: name, cohorts });
  });
const cutover = fc.record({ cohorts: fc.shuffledSubarray<object>(rules), state, moves: fc.boolean() });

test(`flagd's evaluator says what is decided by cohorts, and by those of what a cutover goes after (SEED=${seed})`, () => {
  fc.assert(
    fc.property(
      fc.array(cutover, { minLength: 1, maxLength: 3 }),
      fc.array(asked, { minLength: 1, maxLength: 20 }),
      (all, questions) => {
        const { flagd, decided, complaints } = chain(all);
        for (const question of questions)
          expect([question, flagd(question)]).toEqual([question, decided(question)]);
        expect(complaints).toEqual([]);
      },
    ),
    { seed, numRuns: 60 },
  );
});

describe("what flagd has no words for", () => {
  const cohorts = [
    { name: "staff", when: { list: "staff" }, side: "new" },
    { name: "office", when: { cidr: "10.0.0.0/8" }, side: "new" },
    { name: "odd", when: { header: "x-a", matches: "^(a|b)" }, side: "new" },
    { name: "part", when: { header: "x-a#^(.)" }, side: "new" },
    { name: "dotted", when: { cookie: "a.b" }, side: "new" },
  ];

  test("is said by name, also of what a cutover goes after, and holds for nobody", () => {
    const { flag, flagd } = chain([
      { cohorts: [], state: at(100) },
      { cohorts, state: at(0) },
    ]);
    expect(flag.metadata).toMatchObject({
      after: "c1",
      unsaid:
        "c1/staff: the list staff; c1/office: cidr; c1/odd: matches ^(a|b); c1/part: header:x-a#^(.); c1/dotted: cookie:a.b",
    });
    expect(flagd({ shopper: "s-1" })).toBe("legacy");
  });

  test("may be said by whoever knows it: the cohort's name stands for its rule, and for no other", () => {
    const more = [...cohorts, { name: "jakarta", when: { header: "x-region", in: ["ID-JK"] }, percent: 0 }];
    const { flagd } = chain([{ cohorts: more, state: at(0, { cohorts: { jakarta: 100_000 } }) }]);
    const asked = { shopper: "s-1", region: "ID-JK" };
    expect(flagd(asked)).toBe("new");
    expect(flagd(asked, { cohort: "none of them" })).toBe("legacy");
    expect(flagd({ shopper: "s-1" }, { cohort: "staff" })).toBe("new");
    expect(flagd({ shopper: "s-1" }, { cohort: "jakarta" })).toBe("new");
  });
});
