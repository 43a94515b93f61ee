/**
 * The journeys of shoppers whose clients keep no cookies: remembered for a short while, else in the store.
 *
 * A pin is remembered for half of the grace a finished journey keeps its side. A start within that time begins a new
 * journey, and an instance that remembers the old one keeps to its side so long. That a shopper has no pin is not remembered at all. While the
 * store is out of reach an older memory is better than none.
 */
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { JourneyPin } from "../decide/pin.ts";
import type { Pins } from "./port.ts";
import type { PinStore } from "./stores/port.ts";

interface PinsOptions {
  readonly pins: PinStore;
  readonly clock: Pick<Clock, "now" | "monotonic">;
  /** The store did not answer in time: the shopper went by the bucket, or by what is remembered. */
  readonly onUnknown: (cutover: string) => void;
  /** Most pins remembered; 50,000 without it. */
  readonly remembered?: number;
}

const freshMs = 30_000;

interface Remembered {
  readonly pin: JourneyPin;
  /** In ms of the monotonic clock. */
  readonly freshUntil: number;
}

export function createPins({ pins, clock, onUnknown, remembered = 50_000 }: PinsOptions): Pins {
  const memory = createBoundedMap<Remembered>(remembered);
  const idOf = (cutover: string, shopper: string) => `${cutover}:${shopper}`;
  const remember = (cutover: string, shopper: string, pin: JourneyPin) =>
    memory.set(idOf(cutover, shopper), { pin, freshUntil: clock.monotonic() + freshMs });
  const alive = (pin: JourneyPin | undefined) =>
    pin !== undefined && pin.expiresAt * 1000 > clock.now() ? pin : undefined;

  /** The journey that is remembered, however old, unless the start begins a new one. */
  function known(cutover: string, shopper: string, offer: JourneyPin): JourneyPin | undefined {
    const pin = alive(memory.get(idOf(cutover, shopper))?.pin);
    const isVoid = pin?.side === "new" && pin.epoch < offer.epoch;
    return pin?.ended || isVoid ? undefined : pin;
  }

  async function ask(cutover: string, shopper: string, maxTtl: number): Promise<JourneyPin | undefined> {
    try {
      const pin = await pins.find(cutover, shopper, maxTtl);
      if (pin === undefined || pin.reserved !== undefined) memory.delete(idOf(cutover, shopper));
      else remember(cutover, shopper, pin);
      return alive(pin);
    } catch {
      onUnknown(cutover);
      return alive(memory.get(idOf(cutover, shopper))?.pin);
    }
  }

  return {
    find(cutover, shopper, maxTtl) {
      const known = memory.get(idOf(cutover, shopper));
      if (known !== undefined && clock.monotonic() < known.freshUntil) return alive(known.pin);
      return ask(cutover, shopper, maxTtl);
    },
    async reserve(cutover, shopper, offer, maxTtl, reserveTtl) {
      try {
        return await pins.reserve(cutover, shopper, offer, maxTtl, reserveTtl);
      } catch {
        onUnknown(cutover);
        return known(cutover, shopper, offer) ?? offer;
      }
    },
    async release(cutover, shopper, id) {
      // One that cannot be told of is held until its time is over.
      await pins.release(cutover, shopper, id).catch(() => undefined);
    },
    async start(cutover, shopper, offer, maxTtl) {
      let pin = offer;
      try {
        pin = await pins.start(cutover, shopper, offer, maxTtl);
      } catch {
        onUnknown(cutover);
        pin = known(cutover, shopper, offer) ?? offer;
      }
      remember(cutover, shopper, pin);
      return pin;
    },
    async end(cutover, shopper, grace, maxTtl) {
      try {
        return await pins.end(cutover, shopper, grace, maxTtl);
      } catch {
        onUnknown(cutover);
        return undefined;
      }
    },
  };
}
