import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/bars.js", import.meta.url));

test("a name that no bar has is bad usage, and those there are are told", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "overload", "overlode"], {
    encoding: "utf8",
  });
  const [first, ...names] = stderr.trim().split(/\n\s*/);
  expect({ status, stdout, first }).toEqual({
    status: 2,
    stdout: "",
    first: "no bar is named overlode; there are:",
  });
  expect(names).toEqual(expect.arrayContaining(["overload", "memory", "cost", "store"]));
  expect(new Set(names).size).toBe(names.length);
});
