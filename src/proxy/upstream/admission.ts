/**
 * The admission before an upstream, whatever the engine behind it.
 *
 * A request is let in if the breaker lets it (breaker.ts) and it gets a slot (slots.ts). While it waits for one nothing
 * of its body is read; it leaves the queue when it is aborted, and when the total time of its exchange is over. It has
 * its slot until its response ended, failed or was given up; a connection whose protocol was changed has none. The
 * breaker is told of the connect at the first sign of it.
 *
 * What is refused fails before a byte was sent:
 * - as many are there as may be, and the queue is full or too slow: outcome `shed`. It counts against the side, which
 *   hangs, or has too little room; it is not sent to another, which would be overloaded next;
 * - the breaker open: outcome `connect_failed`, as the request would have failed without a breaker. So a side that
 *   cannot be connected to keeps its error rate, and what may fall back does.
 */
import type { Breaker, Connect, Pass } from "./breaker.ts";
import { codes } from "./failure.ts";
import type { Failure, Upstream } from "./port.ts";
import type { Slots, Waiter } from "./slots.ts";

/** Why a request was not let through to its upstream. */
export const shedReasons = [
  /** As many as may were there, and as many as may waited. */
  "queue_full",
  /** It waited as long as one may. */
  "queue_timeout",
  "breaker_open",
] as const;
export type ShedReason = (typeof shedReasons)[number];

/** What became of a request that asked to be let in. A pass is handed back by `leave`. */
export type Entry = Pass | "queued" | ShedReason;

export interface Admission {
  /** @returns `queued`: the waiter hears later, by `granted` or `expired`, unless it withdraws */
  enter(waiter: Waiter): Entry;
  /** For one that waited and was granted its slot: the breaker may have opened meanwhile. */
  enterGranted(): Entry;
  /** One that is queued waits no more. */
  withdraw(waiter: Waiter): void;
  /** The upstream was connected to. Said once a pass, at the first sign; what is left says no more of it by `leave`. */
  connected(pass: Pass): void;
  /** It was let in and is over. @param pass absent where `connected` was said of it */
  leave(pass: Pass | undefined, connect: Connect): void;
  /** Counts a refusal. @returns what the request fails by */
  refuse(reason: ShedReason): Failure;
  /** Counts a request that is sent once more. */
  repeated(): void;
  /** Resolves when nobody is queued. */
  unqueued(): Promise<void>;
}

interface AdmissionOptions {
  readonly slots: Slots;
  readonly breaker: Breaker | undefined;
  readonly onShed: (reason: ShedReason) => void;
  readonly onRepeated: () => void;
}

/** The way to an upstream: who is let in, and what takes its request there then. */
export interface Way {
  readonly admission: Admission;
  readonly engine: Upstream;
  /** For requests that ask to change the connection's protocol. */
  readonly upgrades: Upstream;
}

/** The pass where no breaker asks for it. */
const unasked: Pass = 0;

export function createAdmission({ slots, breaker, onShed, onRepeated }: AdmissionOptions): Admission {
  function enterGranted(): Entry {
    if (breaker === undefined) return unasked;
    const pass = breaker.admit();
    if (pass !== undefined) return pass;
    // Those behind it meet the same one by one, and not each within the other's call.
    queueMicrotask(slots.free);
    return "breaker_open";
  }

  return {
    enter(waiter) {
      if (breaker?.isShut) return "breaker_open";
      const place = slots.take(waiter);
      if (place === "taken") return enterGranted();
      return place === "queued" ? "queued" : "queue_full";
    },
    enterGranted,
    withdraw: slots.leave,
    connected: (pass) => breaker?.tell(pass, "made"),
    leave(pass, connect) {
      if (pass !== undefined) breaker?.tell(pass, connect);
      slots.free();
    },
    refuse(reason) {
      onShed(reason);
      if (reason !== "breaker_open")
        return { outcome: "shed", sent: false, code: codes.overloaded, retryAfterSeconds: 1 };
      const retryAfterSeconds = Math.max(1, Math.ceil((breaker?.openForMs ?? 0) / 1000));
      return { outcome: "connect_failed", sent: false, code: codes.breakerOpen, retryAfterSeconds };
    },
    repeated: onRepeated,
    unqueued: slots.unqueued,
  };
}

/** What a failure tells of the connect. */
export function connectOf({ outcome, sent, code, stale }: Failure): Connect {
  // A kept connection that was dead was made long ago.
  if (stale) return "unknown";
  if (sent) return "made";
  return outcome === "connect_failed" && code !== codes.closed ? "failed" : "unknown";
}
