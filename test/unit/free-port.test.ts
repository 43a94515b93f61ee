import { expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";

test("two of a test's programs are never given one port, though neither listens yet, nor one that the system gives away", async () => {
  const ports = await Promise.all(Array.from({ length: 100 }, freePort));
  expect(new Set(ports).size).toBe(100);
  expect(Math.max(...ports)).toBeLessThan(15_000);
});
