/** The record of an exchange as a witness meets it: a payment on legacy that took 12.345678 ms and was answered 503. */
import type { ExchangeRecord } from "../../src/proxy/witness.ts";

export function recordOf(change: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    requestId: "a-1",
    traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00`,
    parent: undefined,
    method: "POST",
    cutover: "checkout",
    route: "pay",
    arrivedAt: 1000,
    attemptAt: 1000,
    ownMs: 0.5,
    endedAt: 1012.345678,
    side: "legacy",
    reason: "journey",
    decided: undefined,
    orElse: undefined,
    status: 503,
    outcome: "server_error",
    unsent: false,
    meaning: undefined,
    code: undefined,
    waitingSince: () => undefined,
    waitsAt: -1,
    isAwaited: false,
    ...change,
  };
}
