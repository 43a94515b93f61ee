import { defineConfig } from "vitest/config";
import { createCountLine } from "./test/support/count-line.ts";

/**
 * One project a kind of test, run group by group: what measures time (aborts, deadlines, fleets of processes)
 * never runs beside what only computes. An error nobody handled fails the run: that is vitest's default.
 */
const project = (
  name: string,
  groupOrder: number,
  extra: {
    include?: string[];
    exclude?: string[];
    fileParallelism?: boolean;
    testTimeout?: number;
  } = {},
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    sequence: { groupOrder },
    ...extra,
  },
});

/** Integration tests that hold times and shares of a machine against a bar: each has the machine to itself. */
const timed = [
  "bad-tokens",
  "flips",
  "fleet",
  "overload",
  "redis-topologies",
  "redis-trouble",
  "restart-rate",
].map((name) => `test/integration/${name}.test.ts`);

export default defineConfig({
  test: {
    globalSetup: ["test/provision.ts"],
    reporters: ["default", createCountLine()],
    // The suite is cut for two cores; vitest itself would leave one of two idle.
    maxWorkers: 2,
    projects: [
      project("unit", 1),
      project("property", 1),
      project("contract", 1),
      project("wire", 2),
      project("integration", 3, { exclude: timed, testTimeout: 120_000 }),
      project("timed", 4, { include: timed, fileParallelism: false, testTimeout: 120_000 }),
    ],
  },
});
