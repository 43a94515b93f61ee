import { expect, test } from "vitest";
import {
  beginVisit,
  isUnderWay,
  readVisit,
  renewVisit,
  signVisit,
} from "../../../../src/decide/browsing/visit.ts";
import { readForce, signForce } from "../../../../src/decide/force.ts";

const at = 1_700_000_000;
const life = { for: 1800, max: 7200 };

test("a visit reads as it was signed, by any of the secrets, also after it is over", () => {
  for (const side of ["legacy", "new"] as const) {
    const visit = beginVisit(life, side, 43, at);
    const text = signVisit("one", "checkout", visit);
    expect(readVisit(["two", "one"], "checkout", text)).toEqual(visit);
    expect(visit.expiresAt).toBe(at + 1800);
    expect(text).toMatch(/^1\.[ln]\.17\.[\w.-]+$/);
  }
});

test("no other text is one: of another cutover, secret or purpose, longer, or with any character another", () => {
  const text = signVisit("one", "checkout", beginVisit(life, "legacy", 43, at));
  expect(readVisit(["one"], "wallet", text)).toBeUndefined();
  expect(readVisit(["two"], "checkout", text)).toBeUndefined();
  expect(readVisit([], "checkout", text)).toBeUndefined();
  for (const other of [`${text}A`, ` ${text}`, text.slice(0, -1), "", "1.n.1.1.1.A"]) {
    expect(readVisit(["one"], "checkout", other)).toBeUndefined();
  }
  for (let i = 0; i < text.length; i++) {
    const other = text[i] === "n" ? "l" : "n";
    expect(readVisit(["one"], "checkout", text.slice(0, i) + other + text.slice(i + 1))).toBeUndefined();
  }
  const asked = { side: "new", digest: "ab".repeat(32) } as const;
  expect(readForce(["one"], "checkout", signForce("one", "checkout", asked, at))?.side).toBe("new");
  expect(readVisit(["one"], "checkout", signForce("one", "checkout", asked, at))).toBeUndefined();
});

test("it is under way until it is over, and on new only from behind the last rollback on", () => {
  const onNew = beginVisit(life, "new", 43, at);
  expect(isUnderWay(onNew, at + 1799, 0)).toBe(true);
  expect(isUnderWay(onNew, at + 1800, 0)).toBe(false);
  expect(isUnderWay(onNew, at, 43)).toBe(true);
  expect(isUnderWay(onNew, at, 44)).toBe(false);
  expect(isUnderWay({ ...onNew, side: "legacy" }, at, 44)).toBe(true);
});

test("it is renewed up to its maximum, a quarter of its time at least, and not at all without one", () => {
  const visit = beginVisit(life, "legacy", 43, at);
  expect(renewVisit(life, visit, 44, at + 449)).toBeUndefined();
  expect(renewVisit(life, visit, 44, at + 450)).toEqual({ ...visit, version: 44, expiresAt: at + 2250 });
  const late = { ...visit, expiresAt: at + 6000 };
  expect(renewVisit(life, late, 44, at + 5900)?.expiresAt).toBe(at + 7200);
  expect(renewVisit({ for: 1800, max: 1800 }, visit, 44, at + 1799)).toBeUndefined();
});
