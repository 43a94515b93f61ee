import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createSlots, type Waiter } from "../../../../src/proxy/upstream/slots.ts";

function createFixture(max: number, queue: number, waitMs = 1000) {
  const slots = createSlots({ max, queue, waitMs });
  const heard: string[] = [];
  const waiter = (name: string): Waiter => ({
    place: undefined,
    granted: () => heard.push(`${name} granted`),
    expired: () => heard.push(`${name} expired`),
  });
  return { slots, heard, waiter };
}

describe("slots", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("are taken at once until all are, then queued for until the queue is full", () => {
    const { slots, waiter, heard } = createFixture(2, 1);
    expect(["a", "b", "c", "d"].map((name) => slots.take(waiter(name)))).toEqual([
      "taken",
      "taken",
      "queued",
      "full",
    ]);
    expect([slots.taken, slots.queued]).toEqual([2, 1]);
    expect(heard).toEqual([]);
  });

  test("go to those who wait in the order they came, and to nobody between", () => {
    const { slots, waiter, heard } = createFixture(1, 3);
    for (const name of ["a", "b", "c"]) slots.take(waiter(name));
    slots.free();
    expect([slots.taken, slots.queued]).toEqual([1, 1]);
    expect(slots.take(waiter("late"))).toBe("queued");
    slots.free();
    slots.free();
    slots.free();
    expect(heard).toEqual(["b granted", "c granted", "late granted"]);
    expect([slots.taken, slots.queued]).toEqual([0, 0]);
  });

  test("are waited for no longer than one may", async () => {
    const { slots, waiter, heard } = createFixture(1, 2);
    slots.take(waiter("a"));
    slots.take(waiter("b"));
    await vi.advanceTimersByTimeAsync(999);
    slots.take(waiter("c"));
    expect(heard).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toEqual(["b expired"]);
    slots.free();
    expect(heard).toEqual(["b expired", "c granted"]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(heard).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("forget who leaves the queue", async () => {
    const { slots, waiter, heard } = createFixture(1, 1);
    slots.take(waiter("a"));
    const leaving = waiter("b");
    slots.take(leaving);
    slots.leave(leaving);
    expect(slots.queued).toBe(0);
    expect(slots.take(waiter("c"))).toBe("queued");
    slots.free();
    await vi.advanceTimersByTimeAsync(5000);
    expect(heard).toEqual(["c granted"]);
  });

  test("need no queue", () => {
    const { slots, waiter } = createFixture(1, 0);
    expect([slots.take(waiter("a")), slots.take(waiter("b"))]).toEqual(["taken", "full"]);
  });

  test("say when nobody waits any more, however they left", async () => {
    const { slots, waiter } = createFixture(1, 3);
    const done: string[] = [];
    await slots.unqueued();
    for (const name of ["a", "b", "c"]) slots.take(waiter(name));
    void slots.unqueued().then(() => done.push("empty"));
    slots.free();
    await vi.advanceTimersByTimeAsync(0);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(done).toEqual(["empty"]);
  });
});
