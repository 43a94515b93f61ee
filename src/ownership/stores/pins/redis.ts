/**
 * Pins in Redis, each a key with a TTL; every method is one round trip.
 *
 *   cutover:{NAME}:pin:DIGEST    a pin (decide/pin.ts)
 *   cutover:{NAME}:tied:DIGEST   the id of the journey whose start has made the order
 *   cutover:{NAME}:pins          sorted set of the digests of all pins by their end, or a while later
 *   cutover:{NAME}:pins:since    since when (seconds) all pins are put there; 0: ever
 *   cutover:owners               channel; each pin as it is made, as pin:NAME:DIGEST
 */
import { type JourneyPin, readStoredPin, writeStoredPin } from "../../../decide/pin.ts";
import { type Call, readScript } from "../../../redis/calls.ts";
import type { RedisCommand } from "../../../redis/connection.ts";
import type { Turn } from "../../../redis/turn.ts";
import { type PinNews, type PinStore, pinDigest } from "../port.ts";

/** @throws StoreUnavailable */
export type Ask = (...calls: readonly (Call | RedisCommand)[]) => Promise<readonly unknown[]>;

/** Where it is kept: the prefix of all keys, and the channel that tells of it. */
export interface KeptAt {
  readonly prefix: string;
  readonly channel: string;
}

export const pinScripts = () => ({
  changePin: readScript(new URL("./change-pin.lua", import.meta.url)),
  tieOrders: readScript(new URL("./tie-orders.lua", import.meta.url)),
});

export function pinsIn(
  turn: Turn,
  { changePin, tieOrders }: ReturnType<typeof pinScripts>,
  { prefix, channel }: KeptAt,
): PinStore {
  const pinKey = (cutover: string, digest: string) => `${prefix}:{${cutover}}:pin:${digest}`;
  const tiedKey = (cutover: string, key: string) => `${prefix}:{${cutover}}:tied:${pinDigest(key)}`;
  const change = (
    cutover: string,
    digest: string,
    args: Readonly<Record<string, unknown>>,
    more: readonly string[] = [],
  ) => {
    const keys = [pinKey(cutover, digest), ...more];
    return turn.run(cutover, { script: changePin, keys, args });
  };
  const overOf = (cutover: string) => `over:${cutover}:`;
  const offering = async (
    name: "start" | "reserve",
    [cutover, shopper, offer, maxTtl]: Parameters<PinStore["start"]>,
    reserveTtl?: number,
  ) => {
    const { side, epoch, startedAt, id } = offer;
    const digest = pinDigest(shopper);
    const message = `pin:${cutover}:${digest}`;
    const over = overOf(cutover);
    // One literal: each `...` of another would copy it all once more.
    const args = {
      change: name,
      side,
      epoch,
      startedAt,
      id,
      maxTtl,
      reserveTtl,
      digest,
      message,
      channel,
      over,
    };
    const pin = await change(cutover, digest, args, [allKey(prefix, cutover)]);
    return pin === writeStoredPin(offer) ? offer : (pinOf(pin, maxTtl) ?? offer);
  };
  return {
    async find(cutover, shopper, maxTtl) {
      const [found] = await turn.read(cutover, [pinKey(cutover, pinDigest(shopper))]);
      return pinOf(found, maxTtl);
    },
    reserve: (cutover, shopper, offer, maxTtl, reserveTtl) =>
      offering("reserve", [cutover, shopper, offer, maxTtl], reserveTtl),
    async release(cutover, shopper, id) {
      await change(cutover, pinDigest(shopper), { change: "release", id });
    },
    start: (...offered) => offering("start", offered),
    async keep(cutover, shopper, { side, epoch, startedAt, id }, ttl) {
      await change(cutover, pinDigest(shopper), { change: "keep", side, epoch, startedAt, id, ttl });
    },
    async tie(cutover, keys, id, ttl) {
      const tied = keys.map((key) => tiedKey(cutover, key));
      await turn.run(cutover, { script: tieOrders, keys: tied, args: { id, ttl } });
    },
    async end(cutover, shopper, grace, maxTtl, by) {
      const orders = by !== undefined && "orders" in by ? by.orders : [];
      const id = by !== undefined && "id" in by ? by.id : undefined;
      const args = { change: "end", grace, by: by !== undefined, id, channel, over: overOf(cutover) };
      const tied = orders.map((key) => tiedKey(cutover, key));
      return pinOf(await change(cutover, pinDigest(shopper), args, tied), maxTtl);
    },
  };
}

/** Digests at once: no command keeps the server for long. */
const pageSize = 2000;

/** @param ask may take longer than a request can wait */
export function listPinsIn(ask: Ask, prefix: string): PinNews["list"] {
  const listPins = readScript(new URL("./list-pins.lua", import.meta.url));
  return async (cutover, maxTtl, onPins) => {
    const all = allKey(prefix, cutover);
    const state = `${prefix}:{${cutover}}`;
    const keys = [all, `${all}:since`, state, `${state}:accepted`];
    for (let from = 0; ; from += pageSize) {
      const args = { from, upTo: from + pageSize - 1 };
      const [answer] = await ask({ script: listPins, keys, args });
      const [since, ...found] = Array.isArray(answer) ? answer : [];
      const digests = found.map(String).filter((digest) => isDigest.test(digest));
      onPins(digests);
      if (found.length < pageSize) return Number(since) === 0 ? 0 : Number(since) + maxTtl;
    }
  };
}

const isDigest = /^[0-9a-f]{32}$/;
const newPin = /^pin:([^:]+):([0-9a-f]{32})$/;

/** @returns the cutover and the digest of the pin that a message tells of */
export function pinIn(message: string): readonly [cutover: string, digest: string] | undefined {
  const [, cutover, digest] = newPin.exec(message) ?? [];
  return cutover === undefined || digest === undefined ? undefined : [cutover, digest];
}

function allKey(prefix: string, cutover: string): string {
  return `${prefix}:{${cutover}}:pins`;
}

function pinOf(value: unknown, maxTtl: number): JourneyPin | undefined {
  return typeof value === "string" ? readStoredPin(value, maxTtl) : undefined;
}
