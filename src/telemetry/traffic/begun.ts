/**
 * Journeys that have begun on each side of late, for people: in five minutes, what share of new checkouts new really gets;
 * in the last seconds, whether one still begins there. By slots of 5 s, as long as a minute's figures are cut into; a slot
 * is cleared when its turn comes again.
 */
import * as z from "zod";
import type { Clock } from "../../base/clock.ts";
import { type Side, sides } from "../../state/rules/model.ts";

const slotMs = 5000;
const slots = 60;
export const begunWindowSeconds = (slots * slotMs) / 1000;
/** The slot in progress, and the one before it. */
const lateSlots = 2;

export const begunForm = z.object({
  /** Within `begunWindowSeconds`. */
  all: z.int().min(0),
  /** Within the last 5 to 10 s. */
  lately: z.int().min(0),
});
type BegunForm = z.output<typeof begunForm>;

interface BegunCounts {
  /** @param nowMs of the monotonic clock */
  add(nowMs: number, side: Side, journeys: number): void;
  /** @returns `undefined` while none has begun since the start, and where there are none */
  form(side: Side): BegunForm | undefined;
}

export function createBegunCounts({ monotonic }: Pick<Clock, "monotonic">): BegunCounts {
  const turns = new Float64Array(slots).fill(-1);
  const counts = new Uint32Array(slots * sides.length);
  let hasAny = false;
  const placeOf = (slot: number, side: Side) => slot * sides.length + sides.indexOf(side);

  return {
    add(nowMs, side, journeys) {
      if (journeys === 0) return;
      hasAny = true;
      const turn = Math.floor(nowMs / slotMs);
      const slot = turn % slots;
      if (turns[slot] !== turn) {
        turns[slot] = turn;
        counts.fill(0, slot * sides.length, (slot + 1) * sides.length);
      }
      const place = placeOf(slot, side);
      counts[place] = (counts[place] ?? 0) + journeys;
    },
    form(side) {
      if (!hasAny) return undefined;
      const now = Math.floor(monotonic() / slotMs);
      let [all, lately] = [0, 0];
      for (const [slot, turn] of turns.entries()) {
        if (turn < 0 || turn <= now - slots) continue;
        const journeys = counts[placeOf(slot, side)] ?? 0;
        all += journeys;
        if (turn > now - lateSlots) lately += journeys;
      }
      return { all, lately };
    },
  };
}
