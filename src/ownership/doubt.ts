/**
 * The time in which a key that the store does not know may be owned all the same, since somebody could not record it:
 *
 *   unanswered   a call of this process got no answer, or the store was away: `recoveryMs` from then, for others hand in
 *                what they spooled
 *   refused      the store has answered a write of this process, and refused it: `doubtMs` from the last time
 *   unwritten    the instance's own record is refused, or is not taken: until records have been taken for `doubtMs`
 *   silent       another instance has fallen silent without leaving: it may be cut off, and go on learning
 *   told         another process says that it could not record: for as long as it says, from the last time
 *
 * Whoever could not record a key tells every instance so. It is told again for as long as the key waits, so that what a
 * subscriber has missed it hears a moment later.
 */
import type { Clock } from "../base/clock.ts";
import { storeWordOf } from "../base/errors.ts";
import type { OwnersPlace } from "./stores/port.ts";

interface Doubt {
  /** A call of this process has failed. @param isUnrecorded something was to be recorded, and may not be */
  begin(error: unknown, isUnrecorded: boolean): void;
  /** Another process says that it could not record. */
  hear(forMs: number): void;
  isNow(): boolean;
  /** Whether the store has answered and refused just now: then it may publish all the same. */
  isRefusal(): boolean;
}

interface DoubtOptions {
  /** Whether the instance's own record is not taken, or was not within `doubtMs`; or another instance is silent. */
  readonly isDoubtful?: ((forMs: number) => boolean) | undefined;
  /** How long writes must be taken before absence is believed again; `recoveryMs` without it. */
  readonly doubtMs?: number | undefined;
  /** When the store was last within reach again (monotonic ms): who asked nothing meanwhile goes by it. */
  readonly backSinceMs?: (() => number) | undefined;
  /** Tells every instance. It may reject: they may not have heard. */
  readonly tellDoubt?: ((forMs: number) => Promise<void>) | undefined;
  readonly clock: Pick<Clock, "monotonic">;
}

/** How long other instances may take to hand in what waited in their spools. */
export const recoveryMs = 5000;
/** Between two tellings of one process. */
const tellEveryMs = 500;

/** What is doubted of one store is not doubted of another. */
export interface Doubts {
  of(cutover: string): Doubt;
  /** As `Doubt`. @param place which store, where it is not that of the states */
  hear(forMs: number, place?: OwnersPlace): void;
}

export interface DoubtsOptions extends DoubtOptions {
  /** As the stores' own; without it there is one store for all. */
  readonly placeOf?: ((cutover: string) => OwnersPlace | undefined) | undefined;
}

export function createDoubts({ placeOf, ...main }: DoubtsOptions): Doubts {
  const { doubtMs, clock } = main;
  const ofMain = createDoubt(main);
  const made = new Map<OwnersPlace, Doubt>();
  const at = (place: OwnersPlace | undefined): Doubt => {
    if (place === undefined) return ofMain;
    const known = made.get(place);
    if (known !== undefined) return known;
    const { backSinceMs, tellDoubt, isDoubtful } = place;
    const doubt = createDoubt({ backSinceMs, tellDoubt, isDoubtful, doubtMs, clock });
    made.set(place, doubt);
    return doubt;
  };
  return {
    of: (cutover) => at(placeOf?.(cutover)),
    hear: (forMs, place) => at(place).hear(forMs),
  };
}

export function createDoubt(options: DoubtOptions): Doubt {
  const { clock, backSinceMs, isDoubtful, tellDoubt, doubtMs = recoveryMs } = options;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  let toldUntilMs = Number.NEGATIVE_INFINITY;
  let toldAtMs = Number.NEGATIVE_INFINITY;

  function tell(forMs: number, nowMs: number): void {
    if (tellDoubt === undefined || nowMs - toldAtMs < tellEveryMs) return;
    toldAtMs = nowMs;
    tellDoubt(forMs).catch(() => undefined);
  }

  return {
    begin(error, isUnrecorded) {
      const nowMs = clock.monotonic();
      const isRefused = storeWordOf(error) !== undefined;
      if (isRefused) refusedAtMs = nowMs;
      failedAtMs = nowMs;
      if (isUnrecorded) tell(isRefused ? doubtMs : recoveryMs, nowMs);
    },
    hear(forMs) {
      toldUntilMs = Math.max(toldUntilMs, clock.monotonic() + Math.min(forMs, Math.max(doubtMs, recoveryMs)));
    },
    isNow() {
      const failed = Math.max(failedAtMs, backSinceMs?.() ?? failedAtMs) + recoveryMs;
      const untilMs = Math.max(failed, refusedAtMs + doubtMs, toldUntilMs);
      return clock.monotonic() < untilMs || isDoubtful?.(doubtMs) === true;
    },
    isRefusal: () => clock.monotonic() < refusedAtMs + recoveryMs,
  };
}
