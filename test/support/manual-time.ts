/** Time that passes only when a test says so: a clock and the timers that go by it. */
import { setImmediate } from "node:timers/promises";
import type { Clock, Timers } from "../../src/base/clock.ts";

export interface ManualTime extends Clock, Timers {
  /** Lets the time pass, runs what falls due in order, and lets all that follows from it in this process happen. */
  advance(ms: number): Promise<void>;
  /** How many timers are set. */
  pending(): number;
}

export const epoch = Date.parse("2026-01-01T00:00:00.000Z");

export function createManualTime(): ManualTime {
  let elapsed = 0;
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();

  return {
    now: () => epoch + elapsed,
    monotonic: () => elapsed,
    after(ms, run) {
      const timer = { at: elapsed + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const target = elapsed + ms;
      for (;;) {
        await setImmediate();
        const due = [...timers].filter((timer) => timer.at <= target).sort((one, other) => one.at - other.at);
        const [first] = due;
        if (first === undefined) break;
        timers.delete(first);
        elapsed = Math.max(elapsed, first.at);
        first.run();
      }
      elapsed = target;
    },
    pending: () => timers.size,
  };
}
