import fc from "fast-check";
import { expect, test } from "vitest";
import { createBoundedMap } from "../../../src/base/bounded-map.ts";

test("the map remembers what was set last, until it is deleted", () => {
  const map = createBoundedMap<number>(10);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([3, 2, undefined]);
  map.delete("a");
  expect(map.get("a")).toBeUndefined();
  expect(map.size).toBe(1);
});

test("the map never keeps more than it may, and always the half of that which was used last", () => {
  const use = fc.record({ key: fc.integer({ min: 0, max: 30 }), reads: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.array(use, { maxLength: 300 }), (most, uses) => {
      const map = createBoundedMap<number>(most);
      const recent: number[] = [];
      for (const { key, reads } of uses) {
        const kept = recent.slice(0, Math.floor(most / 2));
        const found = map.get(`${key}`);
        if (kept.includes(key)) expect(found).toBe(key);
        if (reads && found === undefined) continue;
        if (!reads) map.set(`${key}`, key);
        if (recent.includes(key)) recent.splice(recent.indexOf(key), 1);
        recent.unshift(key);
        expect(map.size).toBeLessThanOrEqual(most);
      }
    }),
  );
});

test("the map takes no longer to forget when much has passed through it", () => {
  const map = createBoundedMap<number>(100_000);
  const begun = process.cpuUsage();
  for (let i = 0; i < 1_000_000; i++) map.set(`k${i}`, i);
  const { user, system } = process.cpuUsage(begun);
  // A Map that gives up its first entry a million times takes minutes. Of this process's own time: the machine is busy.
  expect((user + system) / 1000).toBeLessThan(10_000);
  expect(map.size).toBeLessThanOrEqual(100_000);
  expect(map.get("k999999")).toBe(999_999);
});
