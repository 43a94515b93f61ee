import { expect, test } from "vitest";
import { gateCode, guardLine, testLines } from "../../../../../src/cli/commands/read/guard.ts";
import { startAdmin } from "../../../../support/admin-fixture.ts";
import { runOnPaper } from "../../../../support/paper-terminal.ts";

test("the guard's sentence stands in one line behind the name, and nothing in it moves the cursor", () => {
  expect(guardLine("checkout", { sentence: "new fails\u001b[2J" })).toBe("checkout: new fails\\u{1b}[2J");
});

test("a cutover without a guard is said to have it off, and one that is not there is refused", async () => {
  const admin = await startAdmin();
  const env = { CUTOVER_ADMIN_URL: admin.url };
  try {
    const told = await runOnPaper(["guard", "checkout"], { env });
    expect(told).toMatchObject({ code: 0, stdout: "checkout: the guard is off: nobody watches the sides\n" });
    const { stdout } = await runOnPaper(["guard", "checkout", "--json"], { env });
    expect(JSON.parse(stdout)).toMatchObject({ guarded: false, verdict: null });
    expect((await runOnPaper(["guard", "nowhere"], { env })).code).toBe(1);
    expect(await runOnPaper(["gate", "checkout"], { env })).toMatchObject({ code: 5, stdout: told.stdout });
    expect((await runOnPaper(["gate", "nowhere"], { env })).code).toBe(1);
  } finally {
    await admin.close();
  }
});

test("the evidence is told by test: its odds, and those at which it acts", () => {
  const tests = {
    failures: { odds: 212.9, actsAt: 1000, hasFired: false },
    tooMany: { odds: 3e9, actsAt: 2000, hasFired: true },
    paid: { odds: 0.64, actsAt: 666.7, hasFired: false },
  };
  const tally = { units: 1, failed: 0 };
  const evidence = {
    tests,
    sides: { legacy: tally, new: tally },
    difference: { estimate: 0, least: 0, most: 0 },
  };
  expect(testLines({ evidence })).toEqual([
    "  new fails more: odds 212 to 1, acts at 1,000",
    "  new fails too often at all: odds above a million to 1, acts at 2,000",
    "  new is paid less: odds 0.6 to 1, acts at 667",
  ]);
  expect(testLines({ evidence: null })).toEqual([]);
});

test.each([
  ["healthy", 0],
  ["watching", 5],
  ["insufficient evidence", 5],
  ["blind", 5],
  [null, 5],
  ["worse", 6],
  ["both sick", 6],
  ["legacy sick", 6],
])("the gate of %s ends with %d", (verdict, code) => {
  expect(gateCode({ verdict })).toBe(code);
});
