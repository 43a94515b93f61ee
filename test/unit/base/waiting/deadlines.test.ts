import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createDeadlines, type Waiting } from "../../../../src/base/waiting/deadlines.ts";

function waiting(expired: () => void): Waiting {
  return { dueAt: 0, before: undefined, behind: undefined, expired };
}

describe("deadlines of one length", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("tell each that waited in vain, in the order they began, once and in time", () => {
    const deadlines = createDeadlines(100);
    const told: string[] = [];
    const first = waiting(() => told.push("first"));
    const second = waiting(() => told.push("second"));
    deadlines.wait(first);
    vi.advanceTimersByTime(60);
    deadlines.wait(second);
    vi.advanceTimersByTime(41);
    expect(told).toEqual(["first"]);
    vi.advanceTimersByTime(60);
    expect(told).toEqual(["first", "second"]);
    vi.advanceTimersByTime(1000);
    expect(told).toHaveLength(2);
  });

  test("forget what has ended, wherever it stood, and begin anew for what begins again", () => {
    const deadlines = createDeadlines(100);
    const told: string[] = [];
    const all = ["a", "b", "c", "d"].map((name) => waiting(() => told.push(name)));
    for (const each of all) deadlines.wait(each);
    const [a, b, , d] = all;
    for (const each of [b, d]) if (each !== undefined) deadlines.end(each);
    vi.advanceTimersByTime(50);
    if (a !== undefined) deadlines.wait(a);
    vi.advanceTimersByTime(51);
    expect(told).toEqual(["c"]);
    vi.advanceTimersByTime(50);
    expect(told).toEqual(["c", "a"]);
  });

  test("go on after one that fails", () => {
    const deadlines = createDeadlines(100);
    const told: string[] = [];
    deadlines.wait(
      waiting(() => {
        throw new Error("a fault");
      }),
    );
    deadlines.wait(waiting(() => told.push("next")));
    expect(() => vi.advanceTimersByTime(101)).toThrow("a fault");
    vi.advanceTimersByTime(2);
    expect(told).toEqual(["next"]);
  });

  test("may wait for longer than Node takes a timer for", () => {
    const deadlines = createDeadlines(2 ** 32);
    const told: string[] = [];
    deadlines.wait(waiting(() => told.push("late")));
    vi.advanceTimersByTime(2 ** 31);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(2 ** 31);
    expect(told).toEqual(["late"]);
  });

  test("tell few at a time, so that what else the process does comes between, and nobody is forgotten", () => {
    const deadlines = createDeadlines(100);
    const told: number[] = [];
    const between: number[] = [];
    const other = () => {
      between.push(told.length);
      if (told.length < 10) setImmediate(other);
    };
    for (let i = 0; i < 10; i++) deadlines.wait(waiting(() => told.push(i)));
    setTimeout(other, 100);
    vi.advanceTimersByTime(110);
    expect(told).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.max(...between.map((count, i) => count - (between[i - 1] ?? 0)))).toBeLessThanOrEqual(4);
    expect(between.length).toBeGreaterThan(2);
  });

  test("tell all that are late at once, however long a turn takes", () => {
    const deadlines = createDeadlines(100);
    const told: number[] = [];
    for (let i = 0; i < 1000; i++) deadlines.wait(waiting(() => told.push(i)));
    // A turn that lasts: the clock goes on, and nothing is told meanwhile.
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 250);
    vi.advanceTimersToNextTimer();
    expect(told).toHaveLength(1000);
    vi.restoreAllMocks();
  });
});
