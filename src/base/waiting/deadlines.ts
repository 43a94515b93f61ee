/**
 * Waits of one length, nearly all of which end before their time: what is due is in a list in the order it began, and
 * Node is asked for one timer for all of it. To begin, to begin anew and to end a wait is to move it in the list.
 * Few are told in one turn of the event loop: hundreds that wait for a side that hangs may be due together, and requests
 * that have nothing to do with it come between. Nobody is told much later for it: what is late is told at once.
 *
 * The timer does not keep the process alive: who waits has a connection that does.
 */

/** Something that waits, in one list at a time; what is here is the list's. */
export interface Waiting {
  /** By the monotonic clock, in milliseconds; 0 while it waits for nothing. */
  dueAt: number;
  before: Waiting | undefined;
  behind: Waiting | undefined;
  /** It waited in vain, and waits no more. */
  expired(): void;
}

export interface Deadlines {
  /** Begins to wait, or begins anew. */
  wait(waiting: Waiting): void;
  /** Ends the wait, if there is one. */
  end(waiting: Waiting): void;
}

/** What Node takes a timer for. */
const mostMs = 2 ** 31 - 1;
/** How many are told in one turn of the event loop, and more only of those that are so late. */
const mostATurn = 4;
const lateMs = 100;

export function createDeadlines(ms: number): Deadlines {
  let first: Waiting | undefined;
  let last: Waiting | undefined;
  let willLook = false;

  function end(waiting: Waiting): void {
    if (waiting.dueAt === 0) return;
    const { before, behind } = waiting;
    if (before === undefined) first = behind;
    else before.behind = behind;
    if (behind === undefined) last = before;
    else behind.before = before;
    waiting.dueAt = 0;
    waiting.before = undefined;
    waiting.behind = undefined;
  }

  function lookIn(milliseconds: number): void {
    willLook = true;
    if (milliseconds > 0) setTimeout(look, Math.min(milliseconds, mostMs)).unref();
    else setImmediate(look);
  }

  function look(): void {
    const now = performance.now();
    willLook = false;
    try {
      for (let told = 0; first !== undefined; told++) {
        const due = first;
        if (due.dueAt > (told < mostATurn ? now : now - lateMs)) break;
        end(due);
        due.expired();
      }
    } finally {
      if (first !== undefined && !willLook) lookIn(first.dueAt - now);
    }
  }

  return {
    wait(waiting) {
      end(waiting);
      waiting.dueAt = performance.now() + ms;
      waiting.before = last;
      if (last === undefined) first = waiting;
      else last.behind = waiting;
      last = waiting;
      if (!willLook) lookIn(ms);
    },
    end,
  };
}
