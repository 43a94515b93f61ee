import { describe, expect, test } from "vitest";
import {
  assertFence,
  cutoverOf,
  isFenced,
  type Lease,
  leased,
  released,
} from "../../../../../src/state/rules/leases/lease.ts";

const lease: Lease = { token: 500, holder: "a", ttlMs: 100, endsAtMs: 1_100 };
const at = (atMs: number, epochMs = atMs) => ({ atMs, epochMs });
const asked = (holder: string, ttlMs = 100) => ({ holder, ttlMs });

describe("a lease that is taken", () => {
  test("is granted where there is none, under the store's time as its token", () => {
    expect(leased(undefined, asked("a"), at(10, 1_700.9))).toEqual({
      answer: { granted: true, token: 1_700 },
      lease: { token: 1_700, holder: "a", ttlMs: 100, endsAtMs: 110 },
    });
  });

  test("is renewed by its holder under the same token, to the last moment of its time", () => {
    expect(leased(lease, asked("a", 300), at(1_099))).toEqual({
      answer: { granted: true, token: 500 },
      lease: { token: 500, holder: "a", ttlMs: 300, endsAtMs: 1_399 },
    });
  });

  test.each(["a", "b"])("is granted to %s anew from its end on, under a larger token", (holder) => {
    expect(leased(lease, asked(holder), at(1_100, 3))).toEqual({
      answer: { granted: true, token: 501 },
      lease: { token: 501, holder, ttlMs: 100, endsAtMs: 1_200 },
    });
  });

  test("is refused to another one, and ends no later for it", () => {
    const refused = { granted: false, holder: "a" };
    expect(leased(lease, asked("b"), at(1_050))).toEqual({ answer: refused, lease });
  });

  test("ends no later than its whole time from the moment another one asks: the clock was set back", () => {
    const { lease: capped } = leased(lease, asked("b"), at(200));
    expect(capped).toEqual({ ...lease, endsAtMs: 300 });
    expect(leased(capped, asked("b"), at(300)).answer).toMatchObject({ granted: true });
  });
});

test("a lease is given back by its token alone, while it is in force", () => {
  expect(released(lease, 500, 1_050)).toEqual({ ...lease, holder: "", endsAtMs: 1_050 });
  expect(released(lease, 499, 1_050)).toBeUndefined();
  expect(released(lease, 500, 1_100)).toBeUndefined();
  expect(released(undefined, 500, 1_050)).toBeUndefined();
});

test.each<[string, Lease | undefined, number, number, boolean]>([
  ["the grant in force", lease, 500, 1_099, false],
  ["a grant that has ended", lease, 500, 1_100, true],
  ["an older grant", lease, 499, 1_050, true],
  ["a later one than there is", lease, 501, 1_050, true],
  ["a grant that was given back", { ...lease, holder: "" }, 500, 1_050, true],
  ["a lease that nobody has taken", undefined, 500, 1_050, true],
])("a change by %s", (_, found, token, atMs, fenced) => {
  expect(isFenced(found, token, atMs)).toBe(fenced);
});

test("a fence is a lease of the cutover, or one below it", () => {
  expect(cutoverOf("checkout/guard")).toBe("checkout");
  expect(() => assertFence("checkout", { lease: "checkout", token: 1 })).not.toThrow();
  expect(() => assertFence("checkout", { lease: "checkout/guard", token: 1 })).not.toThrow();
  for (const wrong of ["returns", "checkout2", "returns/checkout", "", "checkout/", "{checkout}"]) {
    expect(() => assertFence("checkout", { lease: wrong, token: 1 }), wrong).toThrow(RangeError);
  }
  expect(() => assertFence("checkout", { lease: "checkout", token: 0.5 })).toThrow(RangeError);
});
