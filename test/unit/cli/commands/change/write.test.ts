import { expect, test } from "vitest";
import type { WriteAnswer } from "../../../../../src/admin/api/write.ts";
import { describeWrite } from "../../../../../src/cli/commands/change/write.ts";

const answer = {
  name: "checkout",
  percent: 10,
  state: "open",
  version: 43,
  changed: true,
  applied: { instances: 3, of: 3, ms: 41.2, scope: "fleet", complete: true, completeBy: null, lagging: [] },
} satisfies WriteAnswer;
const standing = () => "10%";

test("the answer is one line: what stands now, its version, where it is in force, how fast", () => {
  expect(describeWrite(answer, { standing })).toEqual([
    "checkout: 10% → legacy 90% / new 10%, version 43, applied on 3 of 3 instances in 41 ms",
  ]);
});

test("the answer says that there was nothing to change", () => {
  expect(describeWrite({ ...answer, changed: false }, { standing })[0]).toBe(
    "checkout: nothing to change, already 10% → legacy 90% / new 10%, version 43, " +
      "applied on 3 of 3 instances in 41 ms",
  );
});

test("the answer says that no instance is live", () => {
  const none = { ...answer, applied: { ...answer.applied, instances: 0, of: 0, complete: false } };
  expect(describeWrite(none, { standing })[0]).toContain("version 43, no instance is live to apply it");
});
