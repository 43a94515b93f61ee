import { describe, expect, test } from "vitest";
import { formatPath } from "../../../../src/config/load/problems.ts";

describe("formatPath", () => {
  test("keys by dots, items by brackets, what looks like no key hidden", () => {
    expect(formatPath(["cutovers", "checkout", "routes", 1, "path"])).toBe(
      "cutovers.checkout.routes[1].path",
    );
    expect(formatPath(["a", "secret:hunter2"])).toBe("a.?");
    expect(formatPath([])).toBe("");
  });
});
