import { expect, test } from "vitest";
import { confirmRaise, isLargeRaise } from "../../../src/cli/confirm.ts";
import { createPaperTerminal } from "../../support/paper-terminal.ts";

test.each([
  [0, 25, "open", false],
  [0, 25.001, "open", true],
  [50, 75, "open", false],
  [50, 100, "open", true],
  [100, 0, "open", false],
  [12.345, 37.345, "open", false],
  [0, 100, "held", false],
  [0, 100, "rolled_back", false],
  [100, 100, "closed", false],
] as const)("from %d to %d, %s: asks %s", (percent, to, state, asks) => {
  expect(isLargeRaise({ percent, state }, to)).toBe(asks);
});

const meant = {
  stands: { name: "checkout", percent: 10, state: "open" },
  to: 100,
  reason: "all",
  ifVersion: 4,
} as const;

test.each(["100", " 100 ", "100%"])("a person who types %j has confirmed it", async (typed) => {
  const terminal = createPaperTerminal(typed);
  expect(await confirmRaise({ terminal }, meant)).toEqual({ ok: true, value: true });
  expect(terminal.stderr()).toContain(
    "This raises checkout from 10% to 100%, by 90 points at once.\nType 100 ",
  );
});

test.each(["", "y", "10", "yes"])("a person who types %j has not", async (typed) => {
  const confirmed = await confirmRaise({ terminal: createPaperTerminal(typed) }, meant);
  expect(confirmed).toMatchObject({
    ok: false,
    failure: { exit: 1, message: expect.stringContaining("nothing was") },
  });
});

test("where nobody can be asked it is done as asked: scripts keep to the contract", async () => {
  expect(await confirmRaise({ terminal: createPaperTerminal() }, meant)).toEqual({ ok: true, value: true });
});
