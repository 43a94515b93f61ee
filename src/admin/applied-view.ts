/** The write answer: where the cutover stands, and on which instances that is in force. PURE. */
import type { Completion, InstanceRecord } from "../state/rules/completion.ts";
import type { Applied } from "../state/rules/model.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import type { WriteAnswer } from "./api/write.ts";

type AppliedView = WriteAnswer["applied"];

export function writeView(
  name: string,
  applied: Extract<Applied, { accepted: true }>,
  where: AppliedView,
): WriteAnswer {
  const { percentThousandths, state, version } = applied.state;
  return {
    name,
    percent: percentToNumber(percentThousandths),
    state,
    version,
    changed: applied.changed,
    applied: where,
  };
}

/** @param ms from the request's arrival to its answer */
export function appliedView(completion: Completion, ms: number): AppliedView {
  const { instances, of, lagging, completeByMs, isComplete } = completion;
  return {
    instances,
    of,
    ms,
    scope: "fleet",
    complete: isComplete,
    completeBy: timestamp(completeByMs),
    lagging: lagging.map(({ id, version, seenAtMs, leaseEndsAtMs }) => ({
      id,
      version,
      seenAt: new Date(seenAtMs).toISOString(),
      leaseEndsAt: timestamp(leaseEndsAtMs),
    })),
  };
}

/**
 * Of what this instance alone was told.
 *
 * @param others their records when the store was last asked
 * @param isInForce whether all processes of this instance decide by it
 */
export function appliedLocally(
  name: string,
  others: readonly InstanceRecord[],
  ms: number,
  isInForce: boolean,
): AppliedView {
  const lagging = others.flatMap(({ id, versions, seenAt }) => {
    const version = versions[name];
    return version === undefined ? [] : [{ id, version, seenAt, leaseEndsAt: null }];
  });
  return {
    instances: isInForce ? 1 : 0,
    of: lagging.length + 1,
    ms,
    scope: "local",
    complete: false,
    completeBy: null,
    lagging,
  };
}

function timestamp(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
