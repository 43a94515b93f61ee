/** Time of the machine, and waiting with a bound. What waits is handed a `Timers`, so that tests advance it. */
import { StoreUnavailable } from "./errors.ts";

/** Where time comes from; tests hand in one they advance themselves. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a clock that never steps back. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

export interface Timers {
  /** Runs once, `ms` milliseconds from now. @returns what takes it back */
  after(ms: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Waits for the work, at most `ms` milliseconds. The work itself goes on; a later rejection of it is dropped.
 *
 * @returns what the work resolves to
 * @throws what the work rejects with; `StoreUnavailable` when the time is over
 */
export async function within<T>(ms: number, timers: Timers, work: Promise<T>): Promise<T> {
  let cancel = () => {};
  const bound = new Promise<never>((_, reject) => {
    cancel = timers.after(ms, () => reject(new StoreUnavailable(`no answer within ${Math.ceil(ms)} ms`)));
  });
  try {
    return await Promise.race([work, bound]);
  } finally {
    cancel();
  }
}
