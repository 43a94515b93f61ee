import { expect, test } from "vitest";
import { explanationLine, routeLines } from "../../../../../src/cli/commands/read/explain.ts";

test("an explanation is one line: the cutover, and the sentence of the server made harmless", () => {
  expect(explanationLine("checkout", { sentence: "new, because of \u001b[31m it." })).toBe(
    "checkout: new, because of \\u{1b}[31m it.",
  );
});

test("the routes that share the path are listed in the order in which they are asked, where there are several", () => {
  const route = (name: string, when: string | null) => ({ cutover: "checkout", name, when });
  expect(routeLines({ routes: [] })).toEqual([]);
  expect(routeLines({ routes: [route("cart", null)] })).toEqual([]);
  expect(routeLines({ routes: [route("pay", "graphql pay\u001b[31m"), route("rest", null)] })).toEqual([
    "  1. route pay of checkout, when graphql pay\\u{1b}[31m",
    "  2. route rest of checkout, else",
  ]);
});
