/**
 * How an exchange ended: the one enum of metrics, logs and error bodies.
 *
 * A side's error rate is (server_error + connect_failed + timeout + reset + protocol_error) divided by all but
 * client_aborted and rejected: what the client gave up and what the proxy itself refused says nothing about a side.
 */
export const outcomes = [
  /** Answered below 500, 4xx included. */
  "ok",
  /** A 5xx of the upstream's own. */
  "server_error",
  "connect_failed",
  "timeout",
  "reset",
  "protocol_error",
  "client_aborted",
  /** The proxy refused the request itself. */
  "rejected",
] as const;
export type Outcome = (typeof outcomes)[number];

/** The outcomes that name a failure of the way to the upstream. */
export type ForwardFailure = Extract<Outcome, "connect_failed" | "timeout" | "reset" | "protocol_error">;

const uncounted: ReadonlySet<Outcome> = new Set(["client_aborted", "rejected"]);
const errors: ReadonlySet<Outcome> = new Set([
  "server_error",
  "connect_failed",
  "timeout",
  "reset",
  "protocol_error",
]);

/** Whether the outcome is in the denominator of the error rate. */
export function countsAsRequest(outcome: Outcome): boolean {
  return !uncounted.has(outcome);
}

export function countsAsError(outcome: Outcome): boolean {
  return errors.has(outcome);
}
