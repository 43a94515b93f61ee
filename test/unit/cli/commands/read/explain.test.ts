import { expect, test } from "vitest";
import { explanationLine } from "../../../../../src/cli/commands/read/explain.ts";

test("an explanation is one line: the cutover, and the sentence of the server made harmless", () => {
  expect(explanationLine("checkout", { sentence: "new, because of \u001b[31m it." })).toBe(
    "checkout: new, because of \\u{1b}[31m it.",
  );
});
