/** A cutover that goes after another: never further than that, by one snapshot. */
import { describe, expect, test } from "vitest";
import { type Ahead, type Cohort, decide, type Facts, percentFor } from "../../../src/decide/decide.ts";
import { type CutoverState, initialState } from "../../../src/state/rules/model.ts";

const nobody = { owner: undefined, journey: undefined, forced: undefined, bucket: undefined, stale: false };
const at = (percent: number, more: Partial<CutoverState> = {}): CutoverState => ({
  ...initialState(),
  percentThousandths: percent * 1000,
  ...more,
});
/** `cart` as it stands, and what a request of that bucket tells of it. */
const cart = (state: CutoverState, facts: Partial<Facts> = {}): Ahead => ({
  name: "cart",
  state,
  facts: { ...nobody, ...facts },
});
/** What payment decides of that bucket. */
function payment(
  own: CutoverState,
  bucket: number | undefined,
  ahead: CutoverState,
  { mine = {}, theirs = {} }: { readonly mine?: Partial<Facts>; readonly theirs?: Partial<Facts> } = {},
): string {
  const after = cart(ahead, { bucket, ...theirs });
  const { side, reason } = decide(own, { ...nobody, bucket, ...mine, after });
  return `${side} by ${reason}`;
}
const side = (name: string, to: "legacy" | "new"): Cohort => ({ name, side: to, startThousandths: 0 });
const percent = (name: string): Cohort => ({ name, side: undefined, startThousandths: 0 });

describe("the bucket of what goes after cart", () => {
  test("is held against the lesser of the two percents", () => {
    for (const [own, ahead, least] of [
      [50, 10, 10],
      [10, 50, 10],
      [50, 0, 0],
      [100, 100, 100],
    ] as const) {
      for (const bucket of [0, 9_999, 10_000, 49_999, 50_000, 99_999]) {
        const expected = bucket < least * 1000 ? "new by bucket" : "legacy by bucket";
        expect(payment(at(own), bucket, at(ahead))).toBe(expected);
      }
    }
  });

  test("is held by each of those that cart itself goes after", () => {
    const browse: Ahead = { name: "browse", state: at(5), facts: { ...nobody, bucket: 7000 } };
    const after = cart(at(50), { bucket: 7000, after: browse });
    expect(decide(at(80), { ...nobody, bucket: 7000, after })).toEqual({ side: "legacy", reason: "bucket" });
    expect(percentFor(at(80), { after })).toBe(5000);
  });

  test("is held by nothing once cart is closed, whatever percent stands there", () => {
    expect(payment(at(50), 49_999, at(0, { state: "closed" }))).toBe("new by bucket");
    expect(payment(at(50), 50_000, at(0, { state: "closed" }))).toBe("legacy by bucket");
  });

  test("is held as before while cart is held", () => {
    expect(payment(at(50), 9_999, at(10, { state: "held" }))).toBe("new by bucket");
    expect(payment(at(50), 10_000, at(10, { state: "held" }))).toBe("legacy by bucket");
  });
});

describe("a rollback of cart", () => {
  const rolledBack = at(0, { state: "rolled_back" });

  test("is one of what goes after it: over an override, a cohort and a visit", () => {
    const mine = { forced: "new", cohort: side("staff", "new"), visit: "new" } as const;
    expect(payment(at(50), 0, rolledBack, { mine })).toBe("legacy by rolled_back");
    expect(payment(at(50), undefined, rolledBack)).toBe("legacy by rolled_back");
  });

  test("leaves testers who reach new while rolled back, journeys under way and owners where they are", () => {
    const tester = { forced: "new", forcedWhileRolledBack: true } as const;
    expect(payment(at(50), 0, rolledBack, { mine: tester })).toBe("new by forced");
    const journey = { side: "new", epoch: 0 } as const;
    expect(payment(at(50), 0, rolledBack, { mine: { journey } })).toBe("new by journey");
    expect(payment(at(50), 0, at(0, { state: "rolled_back", pinEpoch: 3 }), { mine: { journey } })).toBe(
      "new by journey",
    );
    expect(payment(at(50), 0, rolledBack, { mine: { owner: "new" } })).toBe("new by owner");
  });

  test("does nothing to what is closed, nor through a cutover between that is closed", () => {
    expect(payment(at(100, { state: "closed" }), 99_999, rolledBack)).toBe("new by closed");
    const browse: Ahead = { name: "browse", state: rolledBack, facts: nobody };
    const after = cart(at(100, { state: "closed" }), { bucket: 0, after: browse });
    expect(decide(at(50), { ...nobody, bucket: 0, after }).side).toBe("new");
  });
});

describe("whoever is on legacy in cart", () => {
  test.each([
    ["by a visit that began there", { visit: "legacy" }],
    ["by a journey that began there", { journey: { side: "legacy", epoch: 0 } }],
    ["while the store is out of reach", { stale: true }],
    ["while more than its cap is unpaid on new there", { exposed: true }],
  ] as const)("%s, is so in what goes after it", (_, theirs) => {
    expect(payment(at(50), 10_000, at(50), { theirs })).toBe("legacy by after");
    expect(payment(at(50), 10_000, at(50), { theirs, mine: { visit: "new" } })).toBe("legacy by after");
    expect(payment(at(50), 50_000, at(50), { theirs })).toBe("legacy by bucket");
  });

  test("by a journey of new that a hard rollback has taken away, by the bucket then", () => {
    const theirs = { journey: { side: "new", epoch: 0 } } as const;
    expect(payment(at(50), 20_000, at(10, { pinEpoch: 1 }), { theirs })).toBe("legacy by bucket");
  });

  test("is so though a cohort of this cutover has a side", () => {
    const mine = { cohort: side("staff", "new") };
    expect(payment(at(0), 9_999, at(10), { mine })).toBe("new by cohort");
    expect(payment(at(0), 10_000, at(10), { mine })).toBe("legacy by after");
    expect(payment(at(0), 10_000, at(10), { mine, theirs: { cohort: side("staff", "new") } })).toBe(
      "new by cohort",
    );
  });
});

describe("cohorts of cart", () => {
  test("with a percent of their own let so many go as they have there, by whatever name", () => {
    const theirs = { cohort: percent("jakarta") };
    const ahead = at(10, { cohorts: { jakarta: 40_000 } });
    expect(payment(at(100), 39_999, ahead, { theirs })).toBe("new by bucket");
    expect(payment(at(100), 40_000, ahead, { theirs })).toBe("legacy by bucket");
    const mine = { cohort: percent("islands") };
    const own = at(0, { cohorts: { islands: 20_000 } });
    expect(payment(own, 19_999, ahead, { theirs, mine })).toBe("new by bucket");
    expect(payment(own, 20_000, ahead, { theirs, mine })).toBe("legacy by bucket");
  });

  test("with a side let all or nobody go", () => {
    expect(payment(at(20), 19_999, at(0), { theirs: { cohort: side("staff", "new") } })).toBe(
      "new by bucket",
    );
    expect(payment(at(20), 20_000, at(0), { theirs: { cohort: side("staff", "new") } })).toBe(
      "legacy by bucket",
    );
    expect(payment(at(20), 0, at(100), { theirs: { cohort: side("my", "legacy") } })).toBe(
      "legacy by bucket",
    );
  });
});

test("a visit on new lasts as long as cart has the request on new, and lifts nobody above cart's percent", () => {
  expect(payment(at(10), 20_000, at(50), { mine: { visit: "new" } })).toBe("new by visit");
  expect(payment(at(50), 20_000, at(10), { mine: { visit: "new" } })).toBe("legacy by after");
  expect(payment(at(50), 20_000, at(10), { theirs: { visit: "new" } })).toBe("legacy by bucket");
  const both = { mine: { visit: "new" }, theirs: { visit: "new" } } as const;
  expect(payment(at(50), 20_000, at(10), both)).toBe("new by visit");
  expect(payment(at(50), 20_000, at(0), both)).toBe("legacy by bucket");
});

test("what names no shopper moves once both are at 100%, where both say so", () => {
  const moves = { anonymousMoves: true };
  expect(payment(at(100), undefined, at(100), { mine: moves, theirs: moves })).toBe("new by anonymous");
  expect(payment(at(100), undefined, at(99), { mine: moves, theirs: moves })).toBe("legacy by anonymous");
  expect(payment(at(100), undefined, at(100), { mine: moves })).toBe("legacy by after");
  expect(payment(at(100), undefined, at(100, { state: "closed" }), { mine: moves })).toBe("new by anonymous");
});
