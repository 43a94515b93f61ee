/** The register of duties (docs/conformance.md) and the list of deviations name tests that are there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { engineDeviations, proxyDeviations } from "./known-deviations.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test.each([
  ["forward", engineDeviations],
  ["proxy", proxyDeviations],
] as const)("every listed deviation is the name of a duty in %s/", (room, deviations) => {
  const tests = readdirSync(`${import.meta.dirname}/${room}`)
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => readFileSync(`${import.meta.dirname}/${room}/${file}`, "utf8"))
    .join("\n");
  for (const name of Object.values(deviations).flat()) expect(tests).toContain(JSON.stringify(name));
});

test("every test file the register names is there", () => {
  const register = readFileSync(`${root}/docs/conformance.md`, "utf8");
  const named = [...register.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, name]) => name ?? "");
  expect(named.length).toBeGreaterThan(30);
  const missing = named.filter(
    (name) => !existsSync(`${root}/${name}`) && !existsSync(`${root}/test/wire/proxy/${name}`),
  );
  expect(missing).toEqual([]);
});
