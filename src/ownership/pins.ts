/**
 * The journeys of shoppers whose clients show no cookie of theirs: remembered for a short while, else in the store, which is
 * not asked where its filter knows of no pin.
 *
 * A pin is remembered for half of the grace a finished journey keeps its side, and no longer than until it is heard that
 * the journey is over: every instance then asks, so that a start within the grace begins a new journey everywhere at once.
 * Ended journeys, and that a shopper has no pin, are not remembered at all. While the store is out of reach an older
 * memory is better than none.
 */
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { JourneyPin } from "../decide/pin.ts";
import type { PinFilter } from "./pin-filter.ts";
import type { Pins } from "./port.ts";
import { type OwnershipStores, type PinStore, pinDigest } from "./stores/port.ts";

interface PinsOptions {
  readonly pins: PinStore;
  /** As the stores' own. */
  readonly watch?: OwnershipStores["watch"] | undefined;
  /** Without it nothing is known of who has a pin. */
  readonly filter?: Pick<PinFilter, "mayHave" | "add"> | undefined;
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

export function createPins({
  pins,
  watch,
  filter,
  clock,
  onUnknown,
  remembered = 50_000,
}: PinsOptions): Pins {
  /** Of journeys that are over. */
  const over = createBoundedMap<true>(remembered);
  /** What was remembered before may be over. */
  let missedAtMs = Number.NEGATIVE_INFINITY;
  watch?.(() => undefined, {
    over: (cutover, journey) => over.set(`${cutover}:${journey}`, true),
    missed() {
      missedAtMs = clock.monotonic();
    },
  });
  const memory = createBoundedMap<Remembered>(remembered);
  const idOf = (cutover: string, shopper: string) => `${cutover}:${shopper}`;
  const remember = (cutover: string, shopper: string, pin: JourneyPin) => {
    const freshUntil = pin.ended ? Number.NEGATIVE_INFINITY : clock.monotonic() + freshMs;
    memory.set(idOf(cutover, shopper), { pin, freshUntil });
  };
  const isOver = (cutover: string, { ended, id }: JourneyPin) =>
    ended === true || over.get(`${cutover}:${id}`) !== undefined;
  const isFresh = (cutover: string, { pin, freshUntil }: Remembered) =>
    clock.monotonic() < freshUntil && freshUntil - freshMs > missedAtMs && !isOver(cutover, pin);
  const alive = (pin: JourneyPin | undefined) =>
    pin !== undefined && pin.expiresAt * 1000 > clock.now() ? pin : undefined;

  /** The journey that is remembered, however old, unless the start begins a new one. */
  function known(cutover: string, shopper: string, offer: JourneyPin): JourneyPin | undefined {
    const pin = alive(memory.get(idOf(cutover, shopper))?.pin);
    const isVoid = pin?.side === "new" && pin.epoch < offer.epoch;
    return pin === undefined || isVoid || isOver(cutover, pin) ? undefined : pin;
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
    find(cutover, shopper, maxTtl, { keepsNone, differs }) {
      const known = memory.get(idOf(cutover, shopper));
      if (known !== undefined && isFresh(cutover, known)) return alive(known.pin);
      const may = filter?.mayHave(cutover, shopper, keepsNone);
      return (may ?? differs()) ? ask(cutover, shopper, maxTtl) : undefined;
    },
    async reserve(cutover, shopper, offer, maxTtl, reserveTtl) {
      // Before anybody hears of it: the shopper's next request may come while the store is answering.
      filter?.add(cutover, pinDigest(shopper));
      try {
        return await pins.reserve(cutover, shopper, offer, maxTtl, reserveTtl);
      } catch {
        onUnknown(cutover);
        return known(cutover, shopper, offer) ?? offer;
      }
    },
    async release(cutover, shopper, id) {
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
    async keep(cutover, shopper, pin, ttl) {
      if (memory.get(idOf(cutover, shopper))?.pin.id === pin.id) remember(cutover, shopper, pin);
      await pins.keep(cutover, shopper, pin, ttl).catch(() => undefined);
    },
    async tie(cutover, keys, id, ttl) {
      await pins.tie(cutover, keys, id, ttl).catch(() => undefined);
    },
    async end(cutover, shopper, grace, maxTtl, by) {
      try {
        const ended = await pins.end(cutover, shopper, grace, maxTtl, by);
        if (ended !== undefined) over.set(`${cutover}:${ended.id}`, true);
        return ended;
      } catch {
        onUnknown(cutover);
        return undefined;
      }
    },
  };
}
