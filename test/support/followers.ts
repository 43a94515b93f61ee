/** Instances without a data plane: the real store, connections and follower of each, all in this process. */
import { systemClock } from "../../src/base/clock.ts";
import { createFollower, type Follower } from "../../src/state/follow/follow.ts";
import type { CutoverState } from "../../src/state/rules/model.ts";
import { openStore } from "../../src/state/store/open.ts";
import type { Store } from "../../src/state/store/port.ts";
import { createRecordedLog, type RecordedLog } from "./recorded-log.ts";

export interface LightInstance {
  readonly id: string;
  readonly store: Store;
  readonly follower: Follower;
  readonly log: RecordedLog;
  /** The state of the cutover `checkout`. */
  state(): CutoverState;
}

export interface LightFleet {
  readonly instances: readonly LightInstance[];
  /** Each state of `checkout` that an instance has put in force, in order; with the instance. */
  readonly swaps: { readonly id: string; readonly state: CutoverState }[];
  /** How many changes the store had lost and the fleet has found. */
  regressions(): number;
  stop(): Promise<void>;
}

export async function startFollowers(url: string, count: number): Promise<LightFleet> {
  const swaps: { id: string; state: CutoverState }[] = [];
  let regressions = 0;
  const instances = await Promise.all(
    Array.from({ length: count }, async (_, number): Promise<LightInstance> => {
      const id = `light-${number}`;
      const log = createRecordedLog();
      const { store } = await openStore(url, { prefix: "cutover", clock: systemClock, log });
      const follower = createFollower({
        store,
        names: ["checkout"],
        instance: { id, startedAt: new Date().toISOString() },
        traffic: () => ({}),
        clock: systemClock,
        log,
        onRegressed: () => {
          regressions += 1;
        },
      });
      const state = () => {
        const found = follower.current().states.get("checkout");
        if (found === undefined) throw new Error("no state");
        return found;
      };
      follower.onSwap(() => swaps.push({ id, state: state() }));
      await follower.start();
      return { id, store, follower, log, state };
    }),
  );
  return {
    instances,
    swaps,
    regressions: () => regressions,
    async stop() {
      await Promise.all(
        instances.map(async ({ follower, store }) => {
          await follower.stop();
          await store.close();
        }),
      );
    },
  };
}
