import { expect, test } from "vitest";
import { freezeLines } from "../../../../src/cli/commands/plan/freeze.ts";

const nowMs = Date.parse("2025-03-01T12:00:00Z");
const until = "2025-03-01T14:00:00.000Z";
const past = [
  { event: "frozen", at: "2025-03-01T11:00:00.000Z", by: "ana", reason: "Lebaran", until },
  { event: "lifted", at: "2025-02-01T11:00:00.000Z", by: "budi", reason: "over", until: null },
] as const;

test("what is frozen is said with its end, by whom and why, and what was before it", () => {
  const view = { frozen: true, until, since: past[0].at, by: "ana", reason: "Lebaran", past: [...past] };
  const [head, ...lines] = freezeLines(view, nowMs);
  expect(head).toMatch(/^everything is frozen until 2025-03-01 .* \(2 h\), by ana: Lebaran$/);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/lifted by budi: over$/);
});

test("that nothing is frozen is said, too", () => {
  const view = { frozen: false, until: null, since: null, by: null, reason: null, past: [] };
  expect(freezeLines(view, nowMs)).toEqual(["nothing is frozen"]);
});
