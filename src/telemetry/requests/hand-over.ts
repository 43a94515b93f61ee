/** The counts of a process that hands them on instead of showing them. */

import type { Generation } from "../metrics.ts";
import { createTrafficTaker } from "../traffic/increments.ts";
import type { TrafficIncrements } from "../traffic/traffic.ts";
import { createTally, type Tally } from "./counting.ts";
import type { CutoverRoutes } from "./counts.ts";
import { type CountIncrements, countFamilies } from "./series.ts";

export interface HandOver {
  /** The counting of one configuration. */
  generation(cutovers: readonly CutoverRoutes[]): Generation;
  /** What was counted since the last call, by all of them. */
  take(): { readonly counts: CountIncrements; readonly traffic: TrafficIncrements };
}

export function createHandOver(): HandOver {
  const tallies = new Set<Tally>();
  const traffic = createTrafficTaker();
  let left = nothing();

  const add = (increments: CountIncrements) => {
    for (const family of countFamilies) left[family].push(...increments[family]);
  };
  return {
    generation(cutovers) {
      const tally = createTally({ cutovers, recorder: traffic.recorder });
      tallies.add(tally);
      return {
        meter: tally.meter,
        end() {
          add(tally.take());
          tallies.delete(tally);
        },
      };
    },
    take() {
      for (const tally of tallies) add(tally.take());
      const counts = left;
      left = nothing();
      return { counts, traffic: traffic.take() };
    },
  };
}

function nothing(): CountIncrements {
  return { requests: [], decisions: [], durations: [], durationSums: [], inflight: [] };
}
