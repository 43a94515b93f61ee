/** How a past request was decided, in words; and what is not known of it. */
import { expect, test } from "vitest";
import type { KeyPast, PastDecision } from "../../../../src/ownership/past/port.ts";
import { pastAt } from "../../../../src/ownership/past/sentence.ts";

const day = Date.parse("2026-03-01T00:00:00.000Z");
const at = (hour: number) => day + hour * 3_600_000;

function decided(hour: number, change: Partial<PastDecision> = {}): PastDecision {
  return { atMs: at(hour), side: "new", reason: "bucket", version: hour, route: "pay", ...change };
}
function pastOf(hours: readonly number[], omitted = 0): KeyPast {
  return { decisions: hours.map((hour) => decided(hour)), omitted, answered: {} };
}

test.each([
  ["the store is away", "unknown", 5, /store is out of reach.*cannot be told now/],
  ["nothing is recorded", undefined, 5, /^Nothing is recorded.*nobody owned the key then/],
  ["the record is empty", pastOf([]), 5, /^Nothing is recorded/],
  [
    "it was before the first",
    pastOf([3, 4]),
    2,
    /^Nothing is recorded .* before then; the first .* new at 2026-03-01T03:00:00.000Z, reason bucket, by version 3, on route pay\.$/,
  ],
  [
    "it was at the first",
    pastOf([3, 7]),
    3,
    /^Sent to new at .*T03.* no other decision before .*T07:00:00.000Z; whether/,
  ],
  ["it was between two", pastOf([3, 7]), 5, /^Sent to new at .*T03/],
  [
    "it was after the last",
    pastOf([3, 7]),
    9,
    /^Sent to new at .*T07.* and no other decision since; whether a request/,
  ],
  [
    "some are left out between the two",
    pastOf([1, 2, 3, 4, 10, 11, 12, 13], 6),
    8,
    /T04.*; 6 later decisions are not kept, before new at .*T10.*: which of them counted at that time is not known\.$/,
  ],
  [
    "one is left out, elsewhere",
    pastOf([1, 2, 3, 4, 10, 11, 12, 13], 1),
    2,
    /T02.*no other decision before .*T03/,
  ],
] as const)("%s", (_, past, hour, expected) => {
  expect(pastAt(past, at(hour)).sentence).toMatch(expected);
});

test("the last decision up to the time is the one that counted", () => {
  expect(pastAt(pastOf([3, 7]), at(5)).decided).toEqual(decided(3));
  expect(pastAt(pastOf([3, 7]), at(2)).decided).toBeUndefined();
  expect(pastAt("unknown", at(2)).decided).toBeUndefined();
});
