/**
 * Tells a rollback from other changes of state: the cutover has come to `rolled_back`, or was rolled back hard
 * once more (its pin epoch rose there). The follower sees states, not commands, so this is where it is known.
 */

import type { Snapshot } from "../state/follow/snapshot.ts";
import { byHand } from "../state/rules/history.ts";
import type { Metrics } from "./metrics.ts";

/** @returns a listener for `Following.onSwap` */
export function watchRollbacks(metrics: Pick<Metrics, "rollback">) {
  return (snapshot: Snapshot, previous: Snapshot): void => {
    for (const [name, state] of snapshot.states) {
      const before = previous.states.get(name);
      if (state.state !== "rolled_back" || before === undefined) continue;
      if (before.state === "rolled_back" && before.pinEpoch === state.pinEpoch) continue;
      const isLocal = snapshot.local?.has(name) === true;
      metrics.rollback(name, isLocal ? "local" : state.updatedBy === byHand ? "out_of_band" : "operator");
    }
  };
}
