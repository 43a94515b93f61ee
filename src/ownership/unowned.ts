/**
 * Keys that nobody owns yet. A payment provider may call back before the checkout is answered that makes the order: whose
 * it is, is told a moment later. So who asks for such a key is to come again, for a bounded time from the first asking on;
 * what is owned by nobody after that was made before anybody looked, and goes by the bucket.
 *
 * When a key was first asked for, each process remembers for itself, and of 20,000 keys at most, whoever names how many:
 * one that is forgotten begins anew, which costs its sender one more attempt. Nothing is asked of the store for it, and
 * nothing is kept there. It is remembered beyond its time, since senders come again after minutes, hours or a day.
 */
import { createHash } from "node:crypto";
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Unowned } from "./port.ts";

/** What is counted of such keys. */
export interface UnownedCounts {
  /** A request is to come again. */
  awaited(cutover: string): void;
  /** A request went by the bucket: its key's time is over. */
  guessed(cutover: string): void;
}

/** @param most keys remembered */
export function createUnowned(
  clock: Pick<Clock, "monotonic">,
  counts: UnownedCounts,
  most = 20_000,
): Unowned {
  const firstAskedMs = createBoundedMap<number>(most);
  return {
    mayBeTold(cutover, what, forMs) {
      const digest = createHash("sha256").update(what, "latin1").digest("base64url").slice(0, 22);
      const id = `${cutover}:${digest}`;
      const now = clock.monotonic();
      const first = firstAskedMs.get(id);
      if (first === undefined) firstAskedMs.set(id, now);
      const isAwaited = now - (first ?? now) < forMs;
      if (isAwaited) counts.awaited(cutover);
      else counts.guessed(cutover);
      return isAwaited;
    },
  };
}
