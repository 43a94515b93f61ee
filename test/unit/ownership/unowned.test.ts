import { expect, test } from "vitest";
import { createUnowned } from "../../../src/ownership/unowned.ts";

function start(most?: number) {
  const time = { ms: 1000 };
  const counted: string[] = [];
  const unowned = createUnowned(
    { monotonic: () => time.ms },
    {
      awaited: (cutover) => void counted.push(`awaited ${cutover}`),
      guessed: (cutover) => void counted.push(`guessed ${cutover}`),
    },
    most,
  );
  return {
    time,
    counted,
    mayBeTold: (key: string, cutover = "checkout") => unowned.mayBeTold(cutover, key, 30_000),
  };
}

test("a key's time begins when it is first asked for, and is over for good", () => {
  const { time, counted, mayBeTold } = start();
  expect(mayBeTold("INV-7")).toBe(true);
  time.ms += 29_999;
  expect(mayBeTold("INV-7")).toBe(true);
  expect(mayBeTold("INV-8")).toBe(true);
  time.ms += 1;
  expect([mayBeTold("INV-7"), mayBeTold("INV-8")]).toEqual([false, true]);
  // A provider comes again after a day.
  time.ms += 86_400_000;
  expect([mayBeTold("INV-7"), mayBeTold("INV-8")]).toEqual([false, false]);
  expect(counted.filter((what) => what === "guessed checkout")).toHaveLength(3);
  expect(counted.filter((what) => what === "awaited checkout")).toHaveLength(4);
});

test("cutovers that know one key have a time each", () => {
  const { time, mayBeTold } = start();
  mayBeTold("INV-7");
  time.ms += 30_000;
  expect([mayBeTold("INV-7", "returns"), mayBeTold("INV-7")]).toEqual([true, false]);
});

test("a million keys of a stranger cost no more than those that are remembered, and one forgotten begins anew", () => {
  const { time, mayBeTold } = start(100);
  mayBeTold("INV-7");
  time.ms += 30_000;
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 100_000; i++) mayBeTold(`${i}`.padEnd(512, "x"));
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  expect(mayBeTold("INV-7")).toBe(true);
});
