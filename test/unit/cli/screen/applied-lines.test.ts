import { expect, test } from "vitest";
import type { WriteAnswer } from "../../../../src/admin/api/write.ts";
import { describeWrite } from "../../../../src/cli/commands/change/write.ts";
import { adviceLines, laggingLines, shortfall, whereLine } from "../../../../src/cli/screen/applied-lines.ts";

const at = (second: number) => new Date(2026, 3, 30, 2, 14, second).toISOString();
const silent = { id: "1f0c77ab", version: 42, seenAt: at(9), leaseEndsAt: at(39) };

function answer(applied: Partial<WriteAnswer["applied"]>): WriteAnswer {
  const fleet = { instances: 2, of: 2, ms: 41.2, scope: "fleet", complete: false, completeBy: null } as const;
  return {
    name: "checkout",
    percent: 0,
    state: "rolled_back",
    version: 43,
    changed: true,
    applied: { ...fleet, lagging: [], ...applied },
  };
}

test("a silent instance is named, with the moment from which it starts nothing on new", () => {
  const found = answer({ completeBy: at(39), lagging: [silent] });
  expect(shortfall(found)).toBe(
    "version 43 stands in the store, but 1 instance cannot be asked: cut off, or ended without saying so",
  );
  expect(laggingLines(found)).toEqual([
    "instance 1f0c77ab: last heard of at 02:14:09, at version 42; starts nothing on new after 02:14:39",
    "Complete everywhere by 02:14:39 at the latest (--wait 60s waits for it).",
  ]);
  // Nobody sees it arrive at an instance that cannot be asked.
  expect(adviceLines(found, "rollback")).toEqual([
    "Do not repeat it: an instance that is cut off hears of it when it is back; one that has ended never does.",
  ]);
});

test("one that goes on by its last state makes the moment unknown, and what helps is said", () => {
  const found = answer({ lagging: [silent, { ...silent, id: "c", leaseEndsAt: null }] });
  expect(laggingLines(found).slice(1)).toEqual([
    "instance c: last heard of at 02:14:09, at version 42; if it is cut off it goes on by that",
    "When it is complete everywhere is not known.",
  ]);
  expect(adviceLines(found, "rollback").join(" ")).toContain("kill -USR1 PID");
});

test("a rollback that a frozen instance did not hear of said on 1 of 1 on its first line, and PID for a process it knew", () => {
  const frozen = { ...silent, name: "shop-3:8080", address: "shop-3:9900", pid: 7003, leaseEndsAt: null };
  const found = answer({ instances: 1, of: 1, lagging: [frozen] });
  expect(whereLine(found)).toBe("applied on 1 of 2 instances in 41 ms, one silent");
  expect(laggingLines(found)[0]).toContain(
    "instance shop-3:8080 at shop-3:9900, pid 7003 (1f0c77ab): last heard",
  );
  expect(adviceLines(found, "rollback").at(-1)).toMatch(/kill -USR1 7003$/);
  const late = answer({ instances: 1, of: 2, lagging: [frozen] });
  expect(whereLine(late)).toBe("applied on 1 of 2 instances in 41 ms");
});

test("a change that is complete by the end of a lease is told as complete, with the instances nothing was heard of", () => {
  const found = answer({ complete: true, completeBy: at(39), lagging: [silent] });
  expect(shortfall(found)).toBeUndefined();
  expect(describeWrite(found, { standing: () => "rolled back", consequences: ["Then this."] })).toEqual([
    "checkout: rolled back → legacy 100% / new 0%, version 43, applied on 2 of 3 instances in 41 ms, one silent",
    "instance 1f0c77ab: last heard of at 02:14:09, at version 42; starts nothing on new after 02:14:39",
    "Then this.",
  ]);
});

test("a change of this one instance alone is not mistaken for the fleet's", () => {
  const found = answer({ scope: "local", instances: 1, of: 1 });
  expect(whereLine(found)).toBe("on this one instance alone in 41 ms: the store does not take it");
  expect(shortfall(found)).toBe("the store does not take it: only this one instance does as it was told");
  expect(adviceLines(found, "hold")[0]).toBe(
    "Tell every other instance: cutover hold checkout --admin-url URL",
  );
});

test("an id with control characters does no harm to the terminal", () => {
  const found = answer({ lagging: [{ ...silent, id: "\u001b[2J" }] });
  expect(laggingLines(found)[0]).toContain("instance \\u{1b}[2J:");
});

test("whoever waited to see it arrive where it could not was advised to: the advice is of the case", () => {
  const late = answer({ instances: 1, of: 2, lagging: [{ ...silent, leaseEndsAt: null }] });
  expect(adviceLines(late, "rollback")).toEqual(["Do not repeat it; see it arrive: cutover watch checkout"]);
  expect(adviceLines(answer({ instances: 0, of: 0 }), "rollback")).toEqual([
    "Do not repeat it: it stands in the store, and an instance that starts goes by it.",
  ]);
  const cutOff = answer({ lagging: [{ ...silent, leaseEndsAt: null }] });
  expect(adviceLines(cutOff, "resume").join(" ")).not.toContain("kill");
  expect(adviceLines(cutOff, "resume").at(-1)).toBe("load balancer.");
});
