import { expect, test } from "vitest";
import { sparkLines } from "../../../../src/cli/screen/sparks.ts";
import { plainStyle } from "../../../../src/cli/screen/terminal.ts";
import { widthOf } from "../../../../src/cli/screen/text.ts";

const now = Date.parse("2026-05-01T02:14:10.000Z");
const side = (requests: number, errors: number, p99: number | null) => ({
  ...{ requests, errors, p50: p99, p95: p99, p99, inFlight: 0 },
});
/** Half an hour; new fails and is slow in the last third of it. */
const series = {
  stepSeconds: 10,
  points: Array.from({ length: 180 }, (_, step) => ({
    at: new Date(now - (180 - step) * 10_000).toISOString(),
    instances: 3,
    legacy: side(100, 1, 0.1),
    new: step < 120 ? side(10, 0, 0.1) : side(10, 4, 0.8),
  })),
};
const linesAt = (columns: number, of = series) => sparkLines(of, { columns, style: plainStyle, now });

test.each([80, 60, 40])("at %d columns both sides stand on one scale, with what they are now", (columns) => {
  const lines = linesAt(columns);
  expect(lines).toHaveLength(5);
  expect(lines.map(widthOf)).toEqual(
    Array.from({ length: 5 }, () => expect.toSatisfy((width) => width <= columns)),
  );
  const [caption, legacyErrors = "", newErrors = "", legacyP99 = "", newP99 = ""] = lines;
  expect(caption).toContain("30 min");
  expect(legacyErrors).toMatch(/^ {2}errors {2}legacy ▁+ +1\.00%$/);
  expect(newErrors).toMatch(/^ {10}new {4}▁+[▂-▇]?█+ +40\.00%$/);
  expect(legacyP99).toMatch(/^ {2}p99 {5}legacy ▂+ +100 ms$/);
  expect(newP99).toMatch(/^ {10}new {4}▂+[▃-▇]?█+ +800 ms$/);
  const [calm = "", wild = ""] = /(▁+)[▂-▇]?(█+)/.exec(newErrors)?.slice(1) ?? [];
  expect(wild.length / (calm.length + wild.length)).toBeCloseTo(1 / 3, 1);
});

test("what is not known is a gap, a side without requests has no figure, and nothing is drawn of nothing", () => {
  const { points } = series;
  const half = {
    stepSeconds: 10,
    points: points.slice(90).map((point) => ({ ...point, new: side(0, 0, null) })),
  };
  const [, legacy = "", onNew = ""] = linesAt(80, half);
  expect(legacy).toMatch(/legacy {27,28}▂{27,28} +1\.00%$/);
  expect(onNew).toMatch(/new {4} {54} +–$/);
  expect(linesAt(80, { stepSeconds: 10, points: [] })).toEqual([]);
  expect(sparkLines(undefined, { columns: 80, style: plainStyle, now })).toEqual([]);
});

test("a run of minutes is drawn over five, or ten, and not over half an hour", () => {
  const { points } = series;
  const of = (steps: number) => linesAt(80, { stepSeconds: 10, points: points.slice(-steps) });
  expect(of(20)[0]).toMatch(/^ +5 min ago +now$/);
  expect(of(20)[1]).toMatch(/legacy {18,19}▁{35,37} +1/);
  expect(of(40)[0]).toMatch(/^ +10 min ago +now$/);
  expect(of(90)[0]).toMatch(/^ +30 min ago +now$/);
});

test("a side that has never failed and is quick stands on the ground, whatever the scale", () => {
  const points = series.points.map((point) => ({
    ...point,
    legacy: side(9, 0, 0.001),
    new: side(9, 0, 0.001),
  }));
  for (const line of linesAt(60, { stepSeconds: 10, points }).slice(1)) expect(line).toMatch(/▁{34}/);
});
