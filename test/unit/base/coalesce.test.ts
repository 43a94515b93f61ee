import { describe, expect, test } from "vitest";
import { coalesce } from "../../../src/base/coalesce.ts";

function gate() {
  const open: (() => void)[] = [];
  return {
    run: () => new Promise<void>((resolve) => open.push(resolve)),
    runs: () => open.length,
    finish: (index: number) => open[index]?.(),
  };
}

describe("coalesce", () => {
  test("begins a run at once when none is under way", () => {
    const { run, runs } = gate();
    void coalesce(run)();
    expect(runs()).toBe(1);
  });

  test("makes exactly one more run of many calls during a run, and resolves them after it", async () => {
    const { run, runs, finish } = gate();
    const ask = coalesce(run);
    const first = ask();
    let served = 0;
    const later = [ask(), ask(), ask()].map((asked) => asked.then(() => served++));
    expect(runs()).toBe(1);
    finish(0);
    await first;
    expect(runs()).toBe(2);
    expect(served).toBe(0);
    finish(1);
    await Promise.all(later);
    expect(served).toBe(3);
    expect(runs()).toBe(2);
  });

  test("runs again for a call after the last run", async () => {
    const { run, runs, finish } = gate();
    const ask = coalesce(run);
    const first = ask();
    finish(0);
    await first;
    void ask();
    expect(runs()).toBe(2);
  });
});
