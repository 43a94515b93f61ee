/**
 * The breaker of one upstream: spares requests the wait for an upstream that cannot be connected to.
 *
 *   closed     Every request passes. Connects that fail `failures` times in a row open it; one that is made begins
 *              the count anew.
 *   open       No request passes, for `openMs`. The first that comes then finds it half open.
 *   half_open  At most `probes` requests pass. When so many connects are made it closes; the first that fails opens
 *              it again, for another `openMs`.
 *
 * Only the connect counts. An upstream that is slow, resets or answers 500 was connected to: what to think of that is
 * not a breaker's to say. A request that tells nothing of the connect (its client left first) gives its place back.
 * One let through before the last change of state tells nothing at all: it speaks of another time.
 *
 * Health checks, where there are any, outrank requests: found unwell, it is open until found well, however long that
 * takes and without probes; found well, it closes.
 *
 * Not a clock is read but the one handed in, and nothing happens but when it is called.
 */
import type { Clock } from "../../base/clock.ts";

export const breakerStates = ["closed", "open", "half_open"] as const;
export type BreakerState = (typeof breakerStates)[number];

/** What a request found out: `unknown` where it ended before the connect did. */
export type Connect = "made" | "failed" | "unknown";

/** What a request has that was let through; it is handed back with what the request found out. */
export type Pass = number;

export interface Breaker {
  readonly state: BreakerState;
  /** Whether `admit` would let nobody through now. */
  readonly isShut: boolean;
  /** Lets a request through, or not: `undefined`. Every pass is told of once. */
  admit(): Pass | undefined;
  tell(pass: Pass, connect: Connect): void;
  foundUnwell(): void;
  foundWell(): void;
  /** How long it stays open, in milliseconds; 0 when it is not open, or nobody knows. */
  readonly openForMs: number;
}

interface BreakerOptions {
  /** Connects that fail in a row. */
  readonly failures: number;
  readonly openMs: number;
  readonly probes: number;
  readonly clock: Pick<Clock, "monotonic">;
  /** Called on every change of state. */
  readonly onChange?: (to: BreakerState, from: BreakerState) => void;
}

export function createBreaker({ failures, openMs, probes, clock, onChange }: BreakerOptions): Breaker {
  let state: BreakerState = "closed";
  let openedAt = 0;
  let unwell = false;
  /** Connects that failed in a row, while closed. */
  let failed = 0;
  /** While half open: passes given whose connect has not failed, and connects made. */
  let probing = 0;
  let made = 0;
  /** Passes carry the number of the state's term. */
  let term: Pass = 0;

  function become(to: BreakerState): void {
    const from = state;
    state = to;
    term += 1;
    failed = 0;
    probing = 0;
    made = 0;
    if (to === "open") openedAt = clock.monotonic();
    if (to !== from) onChange?.(to, from);
  }

  const openForMs = () => {
    if (state !== "open" || unwell) return 0;
    return Math.max(0, openedAt + openMs - clock.monotonic());
  };
  const isShut = () => {
    if (state === "open") return unwell || openForMs() > 0;
    return state === "half_open" && probing >= probes;
  };

  return {
    get state() {
      return state;
    },
    get isShut() {
      return isShut();
    },
    get openForMs() {
      return openForMs();
    },
    admit() {
      if (isShut()) return undefined;
      if (state === "open") become("half_open");
      if (state === "half_open") probing += 1;
      return term;
    },
    tell(pass, connect) {
      if (pass !== term) return;
      if (state === "half_open") {
        if (connect === "unknown") probing -= 1;
        else if (connect === "failed") become("open");
        else {
          made += 1;
          if (made >= probes) become("closed");
        }
      } else if (connect === "made") failed = 0;
      else if (connect === "failed") {
        failed += 1;
        if (failed >= failures) become("open");
      }
    },
    foundUnwell() {
      unwell = true;
      if (state !== "open") become("open");
    },
    foundWell() {
      unwell = false;
      if (state !== "closed") become("closed");
    },
  };
}
