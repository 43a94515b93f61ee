import { expect, test } from "vitest";
import { type BlockReport, createAttemptsWindow } from "../../../../src/guard/window/attempts.ts";
import { createLooks, type LookedBlock } from "../../../../src/guard/window/looks.ts";

const times = { blockMs: 2000, quickAfterMs: 1000, lateAfterMs: 10_000 };
const at = 1_000_000_000;

const blockOf = (reports: readonly BlockReport[], ms: number) =>
  reports.find(({ block }) => block === Math.floor(ms / times.blockMs));

test("a shopper is one unit a side and block, by arrival", () => {
  const window = createAttemptsWindow(times);
  for (const ms of [0, 10, 1999]) window.arrived(at + ms, "onNew", 7);
  window.arrived(at + 20, "onNew", 8);
  window.arrived(at + 20, "legacy", 7);
  window.arrived(at + 2000, "onNew", 7);
  const reports = window.report(at + 2500);
  expect(blockOf(reports, at)).toMatchObject({ onNew: { units: 2 }, legacy: { units: 1 } });
  expect(blockOf(reports, at + 2000)).toMatchObject({ onNew: { units: 1 }, legacy: { units: 0 } });
});

test("a failure counts in the block of its arrival: quick, late, or not at all", () => {
  const window = createAttemptsWindow(times);
  for (const bucket of [1, 2, 3]) window.arrived(at + 100, "onNew", bucket);
  window.failed(at + 2900, at + 100, "onNew", 1);
  window.failed(at + 3100, at + 100, "onNew", 2);
  window.failed(at + 12_001, at + 100, "onNew", 3);
  const told = blockOf(window.report(at + 12_500), at);
  expect(told?.onNew).toEqual({ units: 3, quick: [1], late: [1, 2], unnamedQuick: 0, unnamedLate: 0 });
});

test("who has failed leaves the count until the next step", () => {
  const window = createAttemptsWindow(times);
  window.arrived(at, "onNew", 1);
  window.failed(at + 10, at, "onNew", 1);
  window.arrived(at + 2000, "onNew", 1);
  window.failed(at + 2010, at + 2000, "onNew", 1);
  expect(blockOf(window.report(at + 2100), at + 2000)?.onNew.late ?? []).toEqual([]);
  window.renew();
  window.arrived(at + 4000, "onNew", 1);
  window.failed(at + 4010, at + 4000, "onNew", 1);
  expect(blockOf(window.report(at + 4100), at + 4000)?.onNew).toMatchObject({ units: 1, late: [1] });
});

test("beyond 500 failed shoppers a block tells only how many more there are", () => {
  const window = createAttemptsWindow(times);
  for (let bucket = 0; bucket < 700; bucket += 1) {
    window.arrived(at, "onNew", bucket);
    window.failed(at + 5, at, "onNew", bucket);
  }
  const told = blockOf(window.report(at + 100), at)?.onNew;
  expect(told?.quick).toHaveLength(500);
  expect(told).toMatchObject({ units: 700, unnamedQuick: 200, unnamedLate: 200 });
});

test("a block's place is taken by a later one, and what is too old is told no more", () => {
  const window = createAttemptsWindow(times);
  window.arrived(at, "onNew", 1);
  window.arrived(at + 60_000, "onNew", 2);
  const reports = window.report(at + 60_500);
  expect(reports.map(({ block }) => block)).toEqual([(at + 60_000) / 2000]);
  window.failed(at + 60_500, at, "onNew", 1);
  expect(window.report(at + 60_500)).toEqual(reports);
});

test("blocks of several processes are brought together, each once, when their looks are due", () => {
  const looks = createLooks(times, at);
  const [one, other] = [createAttemptsWindow(times), createAttemptsWindow(times)];
  for (const window of [one, other]) {
    window.arrived(at + 10, "onNew", 5);
    window.failed(at + 20, at + 10, "onNew", 5);
  }
  other.arrived(at + 10, "legacy", 6);
  const told = (throughMs: number) =>
    [one, other].map((each) => ({ throughMs, blocks: each.report(at + 3400) }));
  expect(looks.due(at + 3200, told(at + 2999), 300)).toEqual([]);
  const sides = { legacy: { units: 1, failed: 0 }, onNew: { units: 2, failed: 1 } };
  expect(looks.due(at + 3300, told(at + 2999), 300)).toEqual([
    {
      ...{ look: "quick", block: at / 2000, strata: [sides], stepBegins: true },
      assigned: [{ of: "", rows: [] }],
    },
  ]);
  expect(looks.due(at + 3400, told(at + 3400), 300)).toEqual([]);
  const late = looks.due(at + 12_000, told(at + 12_000), 300).filter(({ look }) => look === "late");
  expect(late).toEqual([{ look: "late", block: at / 2000, strata: [sides], stepBegins: true }]);
});

function failedOnNew(looked: LookedBlock): number {
  const strata = looked.look === "paid" ? [] : looked.strata;
  return strata.reduce((sum, { onNew }) => sum + onNew.failed, 0);
}

test("a shopper who fails in another process counts once a step", () => {
  const looks = createLooks(times, at);
  const [one, other] = [createAttemptsWindow(times), createAttemptsWindow(times)];
  one.arrived(at, "onNew", 5);
  one.failed(at, at, "onNew", 5);
  other.arrived(at + 2000, "onNew", 5);
  other.failed(at + 2000, at + 2000, "onNew", 5);
  const told = [one, other].map((each) => ({ throughMs: at + 5300, blocks: each.report(at + 5300) }));
  const failed = (ms: number) =>
    looks.due(at + ms, told, 300).flatMap((each) => (each.look === "quick" ? failedOnNew(each) : []));
  expect(failed(5300)).toEqual([1, 0]);
  looks.stepBegins(at + 6000);
  other.renew();
  other.arrived(at + 6000, "onNew", 5);
  other.failed(at + 6001, at + 6000, "onNew", 5);
  const later = looks
    .due(at + 9300, [{ throughMs: at + 9300, blocks: other.report(at + 9300) }], 300)
    .filter(({ look }) => look === "quick");
  expect(later.map((each) => [failedOnNew(each), each.stepBegins])).toEqual([
    [0, false],
    [1, true],
  ]);
});
