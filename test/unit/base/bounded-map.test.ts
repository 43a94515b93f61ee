import fc from "fast-check";
import { expect, it } from "vitest";
import { createLru } from "../../../src/base/bounded-map.ts";

it("remembers what was set last, until it is deleted", () => {
  const lru = createLru<number>(10);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.set("a", 3);
  expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual([3, 2, undefined]);
  lru.delete("a");
  expect(lru.get("a")).toBeUndefined();
  expect(lru.size).toBe(1);
});

it("never holds more than it may, and always the half of that which was used last", () => {
  const use = fc.record({ key: fc.integer({ min: 0, max: 30 }), reads: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 20 }), fc.array(use, { maxLength: 300 }), (most, uses) => {
      const lru = createLru<number>(most);
      const recent: number[] = [];
      for (const { key, reads } of uses) {
        const held = recent.slice(0, Math.floor(most / 2));
        const found = lru.get(`${key}`);
        if (held.includes(key)) expect(found).toBe(key);
        if (reads && found === undefined) continue;
        if (!reads) lru.set(`${key}`, key);
        if (recent.includes(key)) recent.splice(recent.indexOf(key), 1);
        recent.unshift(key);
        expect(lru.size).toBeLessThanOrEqual(most);
      }
    }),
  );
});

it("takes no longer to forget when much has passed through it", () => {
  const lru = createLru<number>(100_000);
  const begun = process.cpuUsage();
  for (let i = 0; i < 1_000_000; i++) lru.set(`k${i}`, i);
  const { user, system } = process.cpuUsage(begun);
  // A Map that gives up its first entry a million times takes minutes. Of this process's own time: the machine is busy.
  expect((user + system) / 1000).toBeLessThan(10_000);
  expect(lru.size).toBeLessThanOrEqual(100_000);
  expect(lru.get("k999999")).toBe(999_999);
});
