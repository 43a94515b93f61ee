import { defineConfig } from "vitest/config";
import { createCountLine } from "./test/support/count-line.ts";

/** How a kind of test runs. Groups run one after the other, the files of a group side by side. */
interface Kind {
  readonly group: number;
  readonly workers: number;
  /** Whether each file has a process to itself. */
  readonly isolate?: boolean;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly testTimeout?: number;
}

/**
 * One project a kind of test. An error nobody handled fails the run: that is vitest's default. The files of a kind share
 * the processes they run in, and so what these have loaded: neither the source nor the tests keep state in a module.
 * Where times are measured, each file begins in a process of its own.
 */
const project = (
  name: string,
  { group, workers, isolate = false, testTimeout = 60_000, ...files }: Kind,
) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    ...files,
    isolate,
    maxWorkers: workers,
    testTimeout,
    hookTimeout: 60_000,
    sequence: { groupOrder: group },
  },
});

const isFull = process.env.CUTOVER_BARS === "full";

/**
 * Integration tests that hold times and shares of a machine against a bar, or take all of the machine: each has it to
 * itself. With the full bars these are more, and fewer of the others run side by side.
 */
const timed = [
  ...["bad-tokens", "fleet", "flips", "overload", "restart-rate", "scrape"],
  ...(isFull ? ["redis-topologies", "redis-trouble"] : []),
].map((name) => `test/integration/${name}.test.ts`);
const waiters = isFull ? 2 : 4;

export default defineConfig({
  test: {
    globalSetup: ["test/provision.ts"],
    reporters: ["default", createCountLine()],
    // The suite is cut for two cores: as many workers where tests compute, more where they wait for others.
    projects: [
      project("unit", { group: 1, workers: 2 }),
      project("property", { group: 1, workers: 2, testTimeout: 120_000 }),
      project("contract", { group: 2, workers: waiters }),
      project("integration", { group: 2, workers: waiters, exclude: timed, testTimeout: 120_000 }),
      project("wire", { group: 3, workers: 4 }),
      // A browser computes on its own, on both cores.
      project("e2e", { group: 4, workers: 1 }),
      project("timed", { group: 5, workers: 1, isolate: true, include: timed, testTimeout: 120_000 }),
    ],
  },
});
