import { expect, test } from "vitest";
import { gateCode, guardLine } from "../../../../../src/cli/commands/read/guard.ts";
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
