/**
 * The journey pin of a shopper whose client keeps no cookies, as it stands in the store. PURE.
 *
 *   SIDE.EPOCH.START.ID     new.3.1700000000.AbC_-0123xyz
 *
 * It lives for the journey's whole maximum, not for a sliding ttl: most requests of such a shopper do not read it
 * (they need not, as long as every pin equals its bucket), so none could slide it.
 *
 * What a start makes of the pin there is (`meetPin`; start-pin.lua is the same rule):
 *
 *   none, or void by epoch       the offer
 *   begun under the offer's id   the offer: whoever began it may move it, before anything went to either side
 *   on the offer's side          the offer's times under its own id: the journey is renewed
 *   on the other side            itself, to its own maximum: so no pin differs from its bucket for longer than
 *                                one maximum after the routing last changed
 */
import type { Side } from "../state/rules/model.ts";
import type { JourneyPin } from "./pin.ts";

const form = /^(legacy|new)\.(\d{1,15})\.(\d{1,15})\.([\w-]{12})$/;

export function writeStoredPin({ side, epoch, startedAt, id }: JourneyPin): string {
  return `${side}.${epoch}.${startedAt}.${id}`;
}

/**
 * @param maxTtl the journey's maximum, in seconds
 * @returns `undefined` for what is no pin
 */
export function readStoredPin(text: string, maxTtl: number): JourneyPin | undefined {
  const [, side, epoch, startedAt, id] = form.exec(text) ?? [];
  if (side === undefined || id === undefined) return undefined;
  const start = Number(startedAt);
  return { id, side: sideOf(side), epoch: Number(epoch), startedAt: start, expiresAt: start + maxTtl };
}

function sideOf(text: string): Side {
  return text === "new" ? "new" : "legacy";
}

/** @param offer begun now, under the epoch in force */
export function meetPin(held: JourneyPin | undefined, offer: JourneyPin): JourneyPin {
  if (held === undefined || held.id === offer.id) return offer;
  if (held.side === "new" && held.epoch < offer.epoch) return offer;
  if (held.side === offer.side) return { ...offer, id: held.id };
  return held.expiresAt > offer.startedAt ? held : offer;
}
