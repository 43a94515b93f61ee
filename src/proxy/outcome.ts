/**
 * How an exchange ended: the one enum of metrics, logs and error bodies.
 *
 * A side's error rate is all that failed there, divided by all but client_aborted and rejected: a client that leaves at
 * once or in the midst of an answer, and what the proxy refuses for reasons of its own, say nothing about a side. One that
 * has waited in vain does.
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
  /** Answered below 500, and the route's `failure` says that it failed all the same. */
  "failed",
  /** Its client left before any head of an answer, after waiting at least `gaveUpAfter` for its side. */
  "gave_up",
  /** The side had as many as it may, and its queue was full or too slow. */
  "shed",
  /** Its client left sooner, or once the answer had begun. */
  "client_aborted",
  /** The proxy refused the request itself, for reasons of its own. */
  "rejected",
] as const;
export type Outcome = (typeof outcomes)[number];

/** The outcomes that name a failure of the way to the upstream. */
export type ForwardFailure = Extract<Outcome, "connect_failed" | "timeout" | "reset" | "protocol_error">;

const uncounted: ReadonlySet<Outcome> = new Set(["client_aborted", "rejected"]);

/** Whether the outcome is in the denominator of the error rate. */
export function countsAsRequest(outcome: Outcome): boolean {
  return !uncounted.has(outcome);
}

export function countsAsError(outcome: Outcome): boolean {
  return outcome !== "ok" && countsAsRequest(outcome);
}
