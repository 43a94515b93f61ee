/**
 * The end of an exchange, whatever it is: `settle` counts it once and logs it once. What an exchange learns on
 * its way (route, side, reason, status) is noted here for that line.
 */
import type { Reason } from "../decide/decide.ts";
import type { Side } from "../state/model.ts";
import type { Clock } from "../state/store.ts";
import type { AccessLog } from "../telemetry/log.ts";
import type { MeteredSide, MeterRow } from "../telemetry/meter.ts";
import type { Outcome } from "../telemetry/outcome.ts";
import type { Inbound } from "./inbound.ts";
import { type Refusal, renderRefusal } from "./refusal.ts";
import type { CompiledRoute } from "./table.ts";

export interface Life {
  isSettled(): boolean;
  /** The status of the answer; absent before there is one. */
  status: number | undefined;
  /** The route is known: from here on the exchange counts as its. */
  routed(route: CompiledRoute): void;
  decided(side: Side, reason: Reason): void;
  /** The request goes to the upstream now: it is in flight until settled, or until the next `began`. */
  began(): void;
  /** The attempt in flight failed without a byte sent, and another follows: counts it against its side. */
  attemptFailed(outcome: Outcome): void;
  /** Settles as a timeout when this much time passes first; measured from the first call. */
  limit(totalMs: number, onTimeout: () => void): void;
  /** Runs when it is settled; one thing. */
  onSettled(run: () => void): void;
  settle(outcome: Outcome): void;
  /** Answers in the proxy's own words, or breaks off when the upstream's head is already out; and settles. */
  refuse(refusal: Refusal): void;
}

export interface LifeContext {
  readonly clock: Clock;
  readonly accessLog: AccessLog;
  readonly proxyName: string;
  /** Counts what matches no route. */
  readonly noneRow: MeterRow;
}

export function beginLife(context: LifeContext, { head, answer }: Inbound, requestId: string): Life {
  const { clock } = context;
  const startedAt = clock.monotonic();
  let attemptAt = startedAt;
  let route: CompiledRoute | undefined;
  let row = context.noneRow;
  let side: MeteredSide = "none";
  let reason: Reason | undefined;
  let inFlight = false;
  let settled = false;
  let deadline: NodeJS.Timeout | undefined;
  let afterwards = () => {};

  const count = (outcome: Outcome) => {
    if (!inFlight) row.began(side);
    inFlight = false;
    row.settled(side, outcome, (clock.monotonic() - attemptAt) / 1000);
  };

  const life: Life = {
    isSettled: () => settled,
    status: undefined,
    routed(found) {
      route = found;
      row = found.row;
    },
    decided(decidedSide, decidedReason) {
      side = decidedSide;
      reason = decidedReason;
      row.decided(decidedSide, decidedReason);
    },
    began() {
      row.began(side);
      inFlight = true;
    },
    attemptFailed(outcome) {
      count(outcome);
      attemptAt = clock.monotonic();
    },
    limit(totalMs, onTimeout) {
      deadline ??= setTimeout(onTimeout, totalMs);
    },
    onSettled(run) {
      afterwards = run;
    },
    settle(outcome) {
      if (settled) return;
      settled = true;
      clearTimeout(deadline);
      afterwards();
      count(outcome);
      context.accessLog({
        cutover: route?.cutover.name ?? "none",
        route: route?.name ?? "none",
        side,
        reason,
        outcome,
        status: life.status,
        durationMs: clock.monotonic() - startedAt,
        requestId,
        method: head.method,
      });
    },
    refuse(refusal) {
      if (settled) return;
      if (answer.headSent()) answer.abort();
      else {
        const { status, reason: phrase } = refusal;
        const { fields, body } = renderRefusal(refusal, context.proxyName, requestId);
        life.status = status;
        answer.head({ status, reason: phrase, fields, length: body.length });
        if (head.method !== "HEAD" && body.length > 0) answer.write(body);
        answer.end([]);
      }
      life.settle(refusal.outcome);
    },
  };
  return life;
}
