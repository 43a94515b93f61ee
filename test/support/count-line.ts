/** A reporter that ends the run with one plain line, `tests: N passed, N failed, N skipped`, for machines to read. */
import type { Reporter } from "vitest/node";

export function createCountLine(): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
      for (const module of modules) {
        count.failed += module.errors().length;
        for (const test of module.children.allTests()) count[test.result().state] += 1;
        // A hook that fails takes its tests along without failing them.
        for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
      }
      const skipped = count.skipped + count.pending;
      const tail = skipped === 0 ? "" : `, ${skipped} skipped`;
      process.stdout.write(`tests: ${count.passed} passed, ${count.failed} failed${tail}\n`);
    },
  };
}
