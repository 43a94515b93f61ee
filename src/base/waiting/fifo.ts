/**
 * A queue that whoever waits in it may leave. Not a Set: one that is emptied from its front keeps places of those that
 * are gone, which each look at its first goes past, and tables of old sizes, through which the garbage collector takes
 * the dead for alive.
 */

/** Where one stands; what is here is the queue's. */
export interface FifoEntry<T> {
  readonly value: T;
  isTaken: boolean;
  ahead: FifoEntry<T> | undefined;
  behind: FifoEntry<T> | undefined;
}

interface Fifo<T> {
  readonly size: number;
  /** Goes to the end. */
  push(value: T): FifoEntry<T>;
  /** @returns undefined where nobody waits, of `shift` too */
  first(): T | undefined;
  /** Takes the first. */
  shift(): T | undefined;
  /** Leaves from wherever it stands. @returns whether it still stood there */
  remove(place: FifoEntry<T>): boolean;
}

export function createFifo<T>(): Fifo<T> {
  let first: FifoEntry<T> | undefined;
  let last: FifoEntry<T> | undefined;
  let size = 0;

  function remove(place: FifoEntry<T>): boolean {
    if (!place.isTaken) return false;
    const { ahead, behind } = place;
    if (ahead === undefined) first = behind;
    else ahead.behind = behind;
    if (behind === undefined) last = ahead;
    else behind.ahead = ahead;
    place.isTaken = false;
    place.ahead = undefined;
    place.behind = undefined;
    size -= 1;
    return true;
  }

  return {
    get size() {
      return size;
    },
    push(value) {
      const place: FifoEntry<T> = { value, isTaken: true, ahead: last, behind: undefined };
      if (last === undefined) first = place;
      else last.behind = place;
      last = place;
      size += 1;
      return place;
    },
    first: () => first?.value,
    shift() {
      const place = first;
      if (place === undefined) return undefined;
      remove(place);
      return place.value;
    },
    remove,
  };
}
