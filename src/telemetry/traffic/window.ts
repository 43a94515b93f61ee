/** The requests of the last minute that are over: 12 slots of 5 s, the one in progress and the 11 before it. */
import type { Clock } from "../../base/clock.ts";
import type { Outcome } from "../../proxy/outcome.ts";
import type { Side } from "../../state/rules/model.ts";
import {
  addForm,
  type CountsForm,
  clear,
  countRequest,
  formOf,
  noRequests,
  type SideCounts,
} from "./side-counts.ts";

const slotMs = 5000;
const slots = 12;
export const trafficWindowSeconds = (slotMs * slots) / 1000;

export function createTrafficWindow(clock: Pick<Clock, "monotonic">) {
  const ring = Array.from({ length: slots }, () => ({
    /** Which turn of the clock it has the requests of; -1: none yet. */
    turn: -1,
    legacy: noRequests(),
    new: noRequests(),
  }));

  /** The side in the slot of now, which is cleared if it still has those of an earlier turn. */
  function current(nowMs: number, side: Side): SideCounts | undefined {
    const turn = Math.floor(nowMs / slotMs);
    const slot = ring[turn % slots];
    if (slot !== undefined && slot.turn !== turn) {
      slot.turn = turn;
      clear(slot.legacy);
      clear(slot.new);
    }
    return slot?.[side];
  }

  return {
    record(nowMs: number, side: Side, outcome: Outcome, seconds: number, status: number | undefined): void {
      const counts = current(nowMs, side);
      if (counts !== undefined) countRequest(counts, outcome, seconds, status);
    },
    add(nowMs: number, side: Side, form: CountsForm): void {
      const counts = current(nowMs, side);
      if (counts !== undefined) addForm(counts, form);
    },
    form(side: Side): CountsForm {
      const oldest = Math.max(Math.floor(clock.monotonic() / slotMs) - slots + 1, 0);
      return formOf(ring.filter(({ turn }) => turn >= oldest).map((slot) => slot[side]));
    },
  };
}
