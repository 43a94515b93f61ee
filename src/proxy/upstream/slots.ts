/**
 * How many requests one upstream may have at once.
 *
 * `max` have a slot. Up to `queue` more wait for one, first come first served, each for at most `waitMs`; who
 * comes then is turned away at once. So what a hung upstream can take of this process is bounded, in sockets and in
 * memory, and a request is answered within `waitMs` or is with the upstream.
 */
import { createDeadlines, type Waiting } from "../../base/waiting/deadlines.ts";
import { createFifo, type FifoEntry } from "../../base/waiting/fifo.ts";

export interface Waiter {
  /** Where it is queued; what is here is the slots'. */
  place: FifoEntry<Queued> | undefined;
  /** It has a slot now. */
  granted(): void;
  /** It waited as long as one may; it is out of the queue. */
  expired(): void;
}

interface Queued extends Waiting {
  readonly waiter: Waiter;
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
  const waiting = createFifo<Queued>();
  let taken = 0;
  const onUnqueued: (() => void)[] = [];

  function leave(waiter: Waiter): boolean {
    const { place } = waiter;
    if (place === undefined || !waiting.remove(place)) return false;
    deadlines.end(place.value);
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
      const wait: Queued = { waiter, dueAt: 0, before: undefined, behind: undefined, expired };
      waiter.place = waiting.push(wait);
      deadlines.wait(wait);
      return "queued";
    },
    leave,
    free() {
      const next = waiting.first()?.waiter;
      if (next === undefined) {
        taken -= 1;
        return;
      }
      // The slot goes from hand to hand: nobody who comes meanwhile can have it.
      leave(next);
      next.granted();
    },
    unqueued() {
      if (waiting.size === 0) return Promise.resolve();
      return new Promise((resolve) => onUnqueued.push(resolve));
    },
  };
}
