/** How long the changes took to reach this instance, by the store's clock: from their acceptance until it decides by them. */
import { createSignal } from "../../base/signal.ts";
import type { Roll } from "./roll.ts";
import type { Snapshot } from "./snapshot.ts";

export interface Propagation {
  /** To be told of each swap from when the instance follows: what it finds at its start has not just been changed. */
  saw(snapshot: Snapshot, previous: Snapshot): void;
  /** Hears of each change that comes into force here. */
  onTook(listener: (ms: number) => void): void;
  /** By cutover, of the change that is in force, in ms. */
  took(): Readonly<Record<string, number>>;
}

export function createPropagation(roll: Pick<Roll, "nowMs">): Propagation {
  const tookMs = new Map<string, number>();
  const heard = createSignal<[ms: number]>();
  return {
    saw(snapshot, previous) {
      for (const name of tookMs.keys()) if (!snapshot.states.has(name)) tookMs.delete(name);
      for (const [name, { version, updatedAt }] of snapshot.states) {
        const before = previous.states.get(name);
        if (before === undefined || before.version >= version || snapshot.local?.has(name) === true) continue;
        const ms = roll.nowMs() - Date.parse(updatedAt);
        if (Number.isNaN(ms)) continue;
        // Two clocks may differ by a little.
        tookMs.set(name, Math.max(0, Math.round(ms)));
        heard.tell(Math.max(0, ms));
      }
    },
    onTook: heard.hear,
    took: () => Object.fromEntries(tookMs),
  };
}
