/** What is asked of the stores of owners, of each cutover as it is configured. */
import type { Config } from "../../config/schema.ts";
import type { UnderWayQuestion } from "../../ownership/under-way/port.ts";
import { countsOrders } from "../../proxy/orders.ts";
import type { Snapshot } from "../../state/follow/snapshot.ts";

/** What can be counted of each cutover, as it is configured. */
export function questionsUnderWay(
  { cutovers }: Pick<Config, "cutovers">,
  { states }: Pick<Snapshot, "states">,
): readonly UnderWayQuestion[] {
  return Object.entries(cutovers).flatMap(([cutover, declared]): UnderWayQuestion[] => {
    const epoch = states.get(cutover)?.pinEpoch ?? 0;
    return [
      ...(declared.journey === undefined ? [] : [{ kind: "journeys", cutover, epoch } as const]),
      ...(countsOrders(declared) ? [{ kind: "orders", cutover, epoch: 0 } as const] : []),
    ];
  });
}

/** The cutovers with journeys. */
export function withJourneys({ cutovers }: Pick<Config, "cutovers">): string[] {
  return Object.entries(cutovers).flatMap(([name, { journey }]) => (journey === undefined ? [] : name));
}

/** The cutovers whose requests may have keys. */
export function withKeys({ cutovers }: Pick<Config, "cutovers">): string[] {
  return Object.entries(cutovers).flatMap(([name, { owners }]) => (owners.keys.length === 0 ? [] : name));
}
