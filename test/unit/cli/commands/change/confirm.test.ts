import { expect, test } from "vitest";
import { confirmRaise, isLargeRaise } from "../../../../../src/cli/commands/change/confirm.ts";
import { confirmRules } from "../../../../../src/cli/settings.ts";
import { createPaperTerminal } from "../../../../support/paper-terminal.ts";

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
} as const;

test.each(["100", " 100 ", "100%"])("a person who types %j has confirmed it", async (typed) => {
  for (const rule of confirmRules) {
    const terminal = createPaperTerminal(typed);
    expect(await confirmRaise({ terminal }, meant, rule)).toEqual({ ok: true, value: "asked" });
    expect(terminal.stderr()).toContain(
      "This raises checkout from 10% to 100%, by 90 points at once.\nType 100 ",
    );
  }
});

test.each(["", "y", "10", "yes"])("a person who types %j has not", async (typed) => {
  for (const rule of confirmRules) {
    const confirmed = await confirmRaise({ terminal: createPaperTerminal(typed) }, meant, rule);
    expect(confirmed).toMatchObject({
      ok: false,
      failure: { exit: 1, message: expect.stringContaining("nothing was") },
    });
  }
});

test("where nobody can be asked it is done as asked, and one line says by how much and how it is confirmed", async () => {
  const terminal = createPaperTerminal();
  expect(await confirmRaise({ terminal }, meant, "terminal")).toEqual({ ok: true, value: "told" });
  expect(terminal.stderr()).toBe(
    "cutover: this raises checkout from 10% to 100%, by 90 points at once; --confirm=100 says that it is meant\n",
  );
});

test("where nobody can be asked and it is demanded, it is refused as bad usage, with what to type", async () => {
  const terminal = createPaperTerminal();
  const confirmed = await confirmRaise({ terminal }, { ...meant, to: 35.5 }, "always");
  expect(confirmed).toMatchObject({ ok: false, failure: { exit: 2 } });
  expect(JSON.stringify(confirmed)).toContain("--confirm=35.5");
  expect(terminal.stderr()).toBe("");
});
