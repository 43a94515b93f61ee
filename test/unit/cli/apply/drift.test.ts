import { expect, test } from "vitest";
import type { CutoverView } from "../../../../src/admin/api/cutover-view.ts";
import { driftLine, driftOf } from "../../../../src/cli/commands/apply/drift.ts";
import { targetIn } from "../../../../src/cli/commands/apply/target.ts";

const now = Date.parse("2026-01-01T00:00:00.000Z");
const nobody = { frozen: false, until: null };
const view = (name: string, percent: number, more: object = {}) =>
  ({ name, percent, version: 7, state: "open", ...more }) as unknown as CutoverView;

async function drift(
  text: string,
  views: readonly CutoverView[],
  frozen = nobody as { frozen: boolean; until: string | null },
) {
  const target = await targetIn(text, "target.yaml");
  if (!target.ok) throw new Error(target.failure.message);
  const found = driftOf(target.value, views, frozen, now);
  return { ...found, lines: found.drift.map(driftLine) };
}

test("what lowers is done first, what is lifted before what it refuses, and a freeze is begun last", async () => {
  const target = `
reason: r
freeze: { until: 2026-01-02T00:00:00Z }
cutovers:
  up: { percent: 20 }
  begins: { plan: running }
  down: { percent: 5 }
  ends: { plan: paused }
`;
  const plan = (status: string) => ({ plan: { status } });
  const views = [
    view("up", 10),
    view("down", 10),
    view("begins", 0, plan("paused")),
    view("ends", 5, plan("running")),
  ];
  expect((await drift(target, views)).lines).toEqual([
    "down: 10% → 5%",
    "ends: the plan is running → paused",
    "up: 10% → 20%",
    "begins: the plan is paused → running",
    "freeze: none → until 2026-01-02T00:00:00.000Z",
  ]);
});

test("what stands so is left alone, a plan that is done and a freeze that is over among it", async () => {
  const target =
    "freeze: { until: 2025-12-01T00:00:00Z }\ncutovers: { a: { plan: running }, b: { percent: 3 } }";
  const views = [view("a", 100, { plan: { status: "done" } }), view("b", 3)];
  expect((await drift(target, views)).drift).toEqual([]);
});

test("a freeze of another end is set anew, and one that is to be none is lifted", async () => {
  const frozen = { frozen: true, until: "2026-01-03T00:00:00.000Z" };
  const longer = await drift("reason: r\nfreeze: { until: 2026-01-04T00:00:00+00:00 }", [], frozen);
  expect(longer.lines).toEqual(["freeze: until 2026-01-03T00:00:00.000Z → until 2026-01-04T00:00:00.000Z"]);
  expect((await drift("reason: r\nfreeze: none", [], frozen)).lines).toEqual([
    "freeze: until 2026-01-03T00:00:00.000Z → none",
  ]);
  expect((await drift("cutovers: {}", [], frozen)).drift).toEqual([]);
});

test("a cohort is by its name; one that nobody knows is told, and so is one with a side of the configuration", async () => {
  const cohorts = [
    { name: "jakarta", side: null, percent: 10 },
    { name: "staff", side: "new", percent: null },
  ];
  const target = "reason: r\ncutovers: { a: { cohorts: { jakarta: 40, staff: 5, nowhere: 1 } } }";
  const found = await drift(target, [view("a", 0, { cohorts })]);
  expect(found.lines).toEqual(["a/jakarta: 10% → 40%"]);
  expect(found.unknown).toEqual([
    { name: "a", cohort: "staff" },
    { name: "a", cohort: "nowhere" },
  ]);
});

test("what is on its way is not asked for again", async () => {
  const returning = { parts: [{ from: 50, to: 10 }] };
  const found = await drift("reason: r\ncutovers: { a: { percent: 10 } }", [view("a", 30, { returning })]);
  expect(found.lines).toEqual(["a: 30% → 10% (on its way)"]);
  const other = await drift("reason: r\ncutovers: { a: { percent: 5 } }", [view("a", 30, { returning })]);
  expect(other.lines).toEqual(["a: 30% → 5%"]);
});
