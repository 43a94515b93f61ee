import { expect, it } from "vitest";
import { createLru } from "../../../src/ownership/lru.ts";

it("forgets what was used longest ago, and never holds more than it may", () => {
  const lru = createLru<number>(3);
  for (const [key, value] of [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ] as const)
    lru.set(key, value);
  expect(lru.get("a")).toBe(1);
  lru.set("d", 4);
  expect(["a", "b", "c", "d"].map((key) => lru.get(key))).toEqual([1, undefined, 3, 4]);
  lru.set("a", 5);
  expect(lru.get("a")).toBe(5);
  lru.delete("a");
  expect(lru.get("a")).toBeUndefined();
  for (let i = 0; i < 10_000; i++) lru.set(`k${i}`, i);
  expect(lru.size).toBe(3);
});
