import { expect, test } from "vitest";
import { readinessOf } from "../../../../src/instance/plans/plans.ts";

const well = {
  ...{ upstream: "social-shop", processes: 2, well: 2, isBreakerOpen: false },
  ...{ most: 50, hasNow: 60, wouldCome: 40 },
};

test("legacy is ready where every process finds it well and it has room for all", () => {
  expect(readinessOf(well)).toEqual({
    isReady: true,
    text: "social-shop is well and has 60 of 100 requests here, new has 40",
  });
});

test.each([
  ["no health checks", { well: undefined }, "nobody knows how social-shop is: it has no health checks"],
  ["one process finds it unwell", { well: 1 }, "social-shop fails its health checks"],
  ["its breaker is open", { isBreakerOpen: true }, "the breaker of social-shop is open"],
  ["no room", { wouldCome: 41 }, "social-shop is well and has 60 of 100 requests here, new has 41"],
])("legacy is not ready: %s", (_, over, text) => {
  expect(readinessOf({ ...well, ...over })).toEqual({ isReady: false, text });
});
