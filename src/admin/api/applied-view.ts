/** Where a change is in force, as the answer to it says: of the fleet, or of this instance alone. PURE. */
import type { Completion, InstanceRecord } from "../../state/rules/completion.ts";
import type { WriteAnswer } from "./write.ts";

type AppliedView = WriteAnswer["applied"];

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
    lagging: lagging.map(({ id, name, address, pid, version, seenAtMs, leaseEndsAtMs }) => ({
      id,
      ...(name === undefined ? {} : { name }),
      ...(address === undefined ? {} : { address }),
      ...(pid === undefined ? {} : { pid }),
      version,
      seenAt: new Date(seenAtMs).toISOString(),
      leaseEndsAt: timestamp(leaseEndsAtMs),
    })),
  };
}

/** Who else is known, as of when the store was last asked. */
export type KnownOther = Pick<InstanceRecord, "id" | "name" | "address" | "pid" | "versions" | "seenAt">;

/**
 * Where that is in force which this instance alone was told. Where nothing had to change, since the fleet stood so when
 * the store was last heard of, those who decided by that version then have it too, and it is complete: as far as can be
 * known without the store.
 *
 * @param settledAt the version at which the fleet stood so; `undefined`: this instance now stands lower than the fleet
 * @param isInForce whether all processes of this instance decide by it
 */
export function appliedLocally(
  name: string,
  others: readonly KnownOther[],
  settledAt: number | undefined,
  ms: number,
  isInForce: boolean,
): AppliedView {
  const known = others.filter(({ versions }) => versions[name] !== undefined);
  const lagging = known.flatMap(({ id, name: called, address, pid, versions, seenAt }) => {
    const version = versions[name] ?? 0;
    if (settledAt !== undefined && version >= settledAt) return [];
    const found = {
      ...(called === undefined ? {} : { name: called }),
      ...(address === undefined ? {} : { address }),
      ...(pid === undefined ? {} : { pid }),
    };
    return [{ id, ...found, version, seenAt, leaseEndsAt: null }];
  });
  return {
    instances: (isInForce ? 1 : 0) + known.length - lagging.length,
    of: known.length + 1,
    ms,
    scope: "local",
    complete: settledAt !== undefined && isInForce && lagging.length === 0,
    completeBy: null,
    lagging,
  };
}

/** How many instances are not heard of and decide by an older version: they are not among the answer's `of`. */
export function silentIn({ scope, instances, of, lagging }: AppliedView): number {
  return scope === "local" ? 0 : Math.max(0, lagging.length - (of - instances));
}

function timestamp(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
