import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { deviations } from "./engines.ts";

it("every listed deviation is the name of a duty", () => {
  const tests = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => readFileSync(`${import.meta.dirname}/${file}`, "utf8"))
    .join("\n");
  for (const name of Object.values(deviations).flat()) expect(tests).toContain(JSON.stringify(name));
});
