/**
 * Keeps this instance's record in the store: written when asked to, and each second, since the lease is three. Knows the
 * contact that counts (completion.ts): the sending of the last answered read before the last acknowledged record.
 */
import type { Timers } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import type { InstanceRecord } from "../rules/completion.ts";
import type { Store } from "../store/port.ts";

export const heartbeatMs = 1000;

interface Heartbeat {
  /** Resolves when a record written after the asking is acknowledged, or has failed. Never rejects. */
  write(): Promise<void>;
  /** Whether the last record failed: worth another try before the next second is over. */
  isOwed(): boolean;
  /** The contact that counts, by the monotonic clock; -Infinity when there was none. */
  inContactMs(): number;
  stop(): void;
}

interface HeartbeatOptions {
  readonly store: Pick<Store, "acknowledge">;
  readonly record: () => InstanceRecord;
  /** When the last answered read was sent, by the monotonic clock. */
  readonly lastReadMs: () => number;
  readonly timers: Timers;
  readonly onWritten: () => void;
  readonly onFailed: (error: unknown) => void;
}

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { store, timers } = options;
  let inContactMs = Number.NEGATIVE_INFINITY;
  let isOwed = false;
  let isStopped = false;
  let cancel = () => {};

  const write = coalesce(async () => {
    if (isStopped) return;
    cancel();
    const readMs = options.lastReadMs();
    try {
      await store.acknowledge(options.record());
      inContactMs = readMs;
      isOwed = false;
      options.onWritten();
    } catch (error) {
      isOwed = true;
      if (!isStopped) options.onFailed(error);
    }
    if (!isStopped) cancel = timers.after(heartbeatMs, () => void write());
  });

  return {
    write,
    isOwed: () => isOwed,
    inContactMs: () => inContactMs,
    stop() {
      isStopped = true;
      cancel();
    },
  };
}
