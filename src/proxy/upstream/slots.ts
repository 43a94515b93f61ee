/**
 * How many requests one upstream may have at once.
 *
 * `max` have a slot. Up to `queue` more wait for one, first come first served, each for at most `waitMs`; who
 * comes then is turned away at once. So what a hung upstream can take of this process is bounded, in sockets and in
 * memory, and a request is answered within `waitMs` or is with the upstream.
 */
import { createDeadlines, type Waiting } from "../../base/deadlines.ts";

export interface Waiter {
  /** It has a slot now. */
  granted(): void;
  /** It waited as long as one may; it is out of the queue. */
  expired(): void;
}

export interface Slots {
  /** `taken`: it has a slot. `queued`: it hears later. `full`: neither. */
  take(waiter: Waiter): "taken" | "queued" | "full";
  /** A waiter that is queued waits no more. */
  leave(waiter: Waiter): void;
  /** A slot is given back; the first who waits has it. */
  free(): void;
  readonly taken: number;
  readonly queued: number;
  /** Resolves when nobody is queued. */
  unqueued(): Promise<void>;
}

interface SlotsOptions {
  readonly max: number;
  readonly queue: number;
  readonly waitMs: number;
}

export function createSlots({ max, queue, waitMs }: SlotsOptions): Slots {
  const deadlines = createDeadlines(waitMs);
  /** In the order they came. */
  const waiting = new Map<Waiter, Waiting>();
  let taken = 0;
  const onUnqueued: (() => void)[] = [];

  function leave(waiter: Waiter): boolean {
    const wait = waiting.get(waiter);
    if (wait === undefined) return false;
    deadlines.end(wait);
    waiting.delete(waiter);
    if (waiting.size === 0) for (const resolve of onUnqueued.splice(0)) resolve();
    return true;
  }

  return {
    get taken() {
      return taken;
    },
    get queued() {
      return waiting.size;
    },
    take(waiter) {
      if (taken < max) {
        taken += 1;
        return "taken";
      }
      if (waiting.size >= queue) return "full";
      const expired = () => {
        if (leave(waiter)) waiter.expired();
      };
      const wait: Waiting = { dueAt: 0, before: undefined, behind: undefined, expired };
      waiting.set(waiter, wait);
      deadlines.wait(wait);
      return "queued";
    },
    leave,
    free() {
      for (const waiter of waiting.keys()) {
        // The slot goes from hand to hand: nobody who comes meanwhile can have it.
        leave(waiter);
        waiter.granted();
        return;
      }
      taken -= 1;
    },
    unqueued() {
      if (waiting.size === 0) return Promise.resolve();
      return new Promise((resolve) => onUnqueued.push(resolve));
    },
  };
}
