/** How far cutovers go that go one after another, and what of a change is refused for another's sake. */
import { describe, expect, test } from "vitest";
import { type CutoverState, initialState, type Side } from "../../../../src/state/rules/model.ts";
import {
  effectivePercent,
  type Leader,
  limitOf,
  orderRefusal,
} from "../../../../src/state/rules/order/after.ts";

const at = (percent: number, more: Partial<CutoverState> = {}): CutoverState => ({
  ...initialState(),
  percentThousandths: percent * 1000,
  ...more,
});
const leader = (name: string, state: CutoverState, sides: Readonly<Record<string, Side>> = {}): Leader => ({
  name,
  state,
  sides,
});
const set = (percent: number, cohort?: string) => ({
  action: "set",
  percentThousandths: percent * 1000,
  cohort,
});

describe("a limit", () => {
  test("is the least of the leaders', up to the first that is closed", () => {
    const chain = [leader("cart", at(50)), leader("browse", at(20))];
    expect(limitOf(chain)).toEqual({ thousandths: 20_000, by: "browse" });
    expect(limitOf([leader("cart", at(0, { state: "closed" })), ...chain])).toEqual({
      thousandths: 100_000,
      by: undefined,
    });
    expect(limitOf([leader("cart", at(0, { state: "rolled_back" })), ...chain])).toEqual({
      thousandths: 0,
      by: "cart",
    });
  });

  test("of a cohort is that of the same name, else the leader's own", () => {
    const cart = leader("cart", at(10, { cohorts: { jakarta: 40_000 } }), { staff: "new", my: "legacy" });
    const of = (cohort: string) => limitOf([cart], cohort).thousandths;
    expect([of("jakarta"), of("bali"), of("staff"), of("my")]).toEqual([40_000, 10_000, 100_000, 0]);
    const rolledBack = leader("cart", at(0, { state: "rolled_back" }), { staff: "new" });
    expect(limitOf([rolledBack], "staff").thousandths).toBe(0);
    // A cohort may be called like what every object has.
    expect(of("constructor")).toBe(10_000);
  });

  test("holds back what is in effect, and nothing that is closed", () => {
    const limit = limitOf([leader("cart", at(10))]);
    expect(effectivePercent(at(50), limit)).toBe(10_000);
    expect(effectivePercent(at(5), limit)).toBe(5000);
    expect(effectivePercent(at(100, { state: "closed" }), limit)).toBe(100_000);
    expect(effectivePercent(at(5, { cohorts: { bali: 30_000 } }), limit, "bali")).toBe(10_000);
  });
});

describe("a change is refused for another's sake", () => {
  const cart = [leader("cart", at(25))];

  test("where it raises above what is let go, and nowhere else", () => {
    const refused = { code: "without_effect", by: "cart", limitThousandths: 25_000 };
    expect(orderRefusal(at(10), cart, set(25.001))).toEqual(refused);
    expect(orderRefusal(at(10), cart, set(25))).toBeUndefined();
    expect(orderRefusal(at(50), cart, set(40))).toBeUndefined();
    expect(orderRefusal(at(50), cart, set(50))).toBeUndefined();
    expect(orderRefusal(at(50), cart, set(60))).toEqual(refused);
    expect(orderRefusal(at(10), [], set(100))).toBeUndefined();
    const own = at(10, { cohorts: { bali: 20_000 } });
    expect(orderRefusal(own, cart, set(30, "bali"))).toEqual(refused);
  });

  test("where it closes before the nearest is closed", () => {
    const closed = leader("cart", at(100, { state: "closed" }));
    expect(orderRefusal(at(100), [leader("cart", at(100))], { action: "close" })).toMatchObject({
      code: "out_of_order",
      by: "cart",
    });
    expect(orderRefusal(at(100), [closed], { action: "close" })).toBeUndefined();
  });

  test("never where it lowers, holds, rolls back or resumes", () => {
    const away = [leader("cart", at(0, { state: "rolled_back" }))];
    for (const action of ["rollback", "rollback_hard", "hold", "resume", "maintain"]) {
      expect(orderRefusal(at(50), away, { action })).toBeUndefined();
    }
    expect(orderRefusal(at(50), away, set(0))).toBeUndefined();
  });
});
