/**
 * Owners and pins of one process: over records in its memory, or in a file beside the embedded store. What is under way,
 * and the money at risk, is in its memory alone.
 */
import type { Clock } from "../../base/clock.ts";
import {
  type JourneyPin,
  meetPin,
  readStoredPin,
  releasePin,
  reservePin,
  writeStoredPin,
} from "../../decide/pin.ts";
import { createExposureInProcess } from "../exposure/in-process.ts";
import { createPastInProcess } from "../past/in-process.ts";
import { createUnderWayInProcess } from "../under-way/in-process.ts";
import { type OwnersByHand, waitingChange } from "./by-hand.ts";
import {
  claimIn,
  type OwnerStore,
  type OwnershipStores,
  type PinNews,
  type PinStore,
  pinDigest,
  sideOf,
} from "./port.ts";
import { createRecords, openRecordFile, type Records } from "./records.ts";

export function createMemoryStores(clock: Pick<Clock, "now">): OwnershipStores {
  return storesOver(createRecords({ clock }), clock, async () => {});
}

/** @throws Error when the file cannot be read or written, or a line of it is no record */
export async function openFileStores(path: string, clock: Pick<Clock, "now">): Promise<OwnershipStores> {
  const { records, close } = await openRecordFile(path, clock);
  return storesOver(records, clock, close);
}

function storesOver(
  records: Records,
  clock: Pick<Clock, "now">,
  close: () => Promise<void>,
): OwnershipStores {
  const news = newsIn(records);
  return {
    owners: ownersOver(records),
    pins: pinsOver(records, news),
    pinNews: news,
    underWay: createUnderWayInProcess(clock),
    exposure: createExposureInProcess(clock),
    past: createPastInProcess(records, clock),
    byHand: byHandOver(records),
    close,
  };
}

function ownersOver(records: Records): OwnerStore {
  return {
    lookup: (cutover, keys) =>
      Promise.all(
        keys.map(async ({ key, claimed }) => {
          const claim = claimed ? claimIn(await records.get(claimId(cutover, key))) : undefined;
          return (
            (claim?.token === undefined ? claim?.side : undefined) ??
            sideOf(await records.get(ownerId(cutover, key)))
          );
        }),
      ),
    async record(cutover, { key, claimed }, side, ttlMs, late = false, token) {
      if (!claimed) {
        const unless = (before: string | undefined) =>
          sideOf(before) === undefined ? { value: side, ttlMs } : undefined;
        return sideOf(await records.change(ownerId(cutover, key), unless));
      }
      const fact = late ? undefined : sideOf(await records.get(ownerId(cutover, key)));
      const made = token === undefined ? side : `${side} tentative ${token}`;
      const before = await records.change(claimId(cutover, key), (kept) => {
        const met = claimIn(kept);
        if (met === undefined) return { value: fact ?? made, ttlMs };
        return met.token === undefined ? undefined : { value: met.side, ttlMs: "kept" };
      });
      return claimIn(before)?.side ?? fact;
    },
    async settle(cutover, { key }, token, isKept) {
      await records.change(claimId(cutover, key), (kept) => {
        const claim = claimIn(kept);
        if (claim?.token !== token) return undefined;
        // What is over at once is gone.
        return isKept ? { value: claim.side, ttlMs: "kept" } : { value: claim.side, ttlMs: 0 };
      });
    },
    async release(cutover, key, side) {
      // What is over at once is gone.
      const before = await records.change(ownerId(cutover, key), (kept) =>
        kept === side ? { value: kept, ttlMs: 0 } : undefined,
      );
      return before === side;
    },
  };
}

function byHandOver(records: Records): OwnersByHand {
  // What is over at once is gone.
  const drop = (id: string) =>
    records.change(id, (kept) => (kept === undefined ? undefined : { value: kept, ttlMs: 0 }));
  return {
    async inspect(cutover, key) {
      const owner = await records.find(ownerId(cutover, key));
      const claim = await records.find(claimId(cutover, key));
      const side = sideOf(owner?.value);
      const claimed = claimIn(claim?.value);
      return {
        fact: side && { side, until: owner?.until, isTentative: false },
        claim: claimed && {
          side: claimed.side,
          until: claim?.until,
          isTentative: claimed.token !== undefined,
        },
      };
    },
    async put(cutover, key, side, ttlMs) {
      const [owner, claim] = [ownerId(cutover, key), claimId(cutover, key)];
      if (side === undefined) {
        await drop(owner);
        await drop(claim);
        return;
      }
      const claimed = await records.change(claim, (kept) =>
        claimIn(kept) === undefined ? undefined : { value: side, ttlMs: "kept" },
      );
      const isClaim = claimIn(claimed) !== undefined;
      await records.change(owner, (kept) => {
        if (sideOf(kept) !== undefined) return { value: side, ttlMs: "kept" };
        return isClaim ? undefined : { value: side, ttlMs };
      });
    },
    async waiting(cutover, key) {
      const kept = await records.get(changeId(cutover, key));
      return kept === undefined ? undefined : waitingChange.safeParse(JSON.parse(kept)).data;
    },
    async wait(cutover, key, change, ttlMs) {
      const id = changeId(cutover, key);
      if (change === undefined) await drop(id);
      else await records.change(id, () => ({ value: JSON.stringify(change), ttlMs }));
    },
  };
}

function pinsOver(records: Records, news: Pick<News, "made">): PinStore {
  return {
    async find(cutover, shopper, maxTtl) {
      const pin = await records.get(pinId(cutover, shopper));
      return pin === undefined ? undefined : readStoredPin(pin, maxTtl);
    },
    async reserve(cutover, shopper, offer, maxTtl, reserveTtl) {
      let pin = offer;
      news.made(cutover, shopper);
      await records.change(pinId(cutover, shopper), (before) => {
        pin = reservePin(before === undefined ? undefined : readStoredPin(before, maxTtl), offer);
        return pin.reserved === undefined
          ? undefined
          : { value: writeStoredPin(pin), ttlMs: reserveTtl * 1000 };
      });
      return pin;
    },
    async release(cutover, shopper, id) {
      await records.change(pinId(cutover, shopper), (before) => {
        const found = before === undefined ? undefined : readStoredPin(before, 0);
        if (before === undefined || found?.reserved === undefined || found.id !== id) return undefined;
        const left = releasePin(found, id);
        // What is over at once is gone.
        return left === undefined
          ? { value: before, ttlMs: 0 }
          : { value: writeStoredPin(left), ttlMs: "kept" };
      });
    },
    async start(cutover, shopper, offer, maxTtl) {
      let pin = offer;
      news.made(cutover, shopper);
      await records.change(pinId(cutover, shopper), (before) => {
        pin = meetPin(before === undefined ? undefined : readStoredPin(before, maxTtl), offer);
        const ttlMs = (pin.expiresAt - offer.startedAt) * 1000;
        return { value: writeStoredPin(pin), ttlMs };
      });
      return pin;
    },
    async keep(cutover, shopper, pin, ttl) {
      await records.change(pinId(cutover, shopper), (before) => {
        const found = before === undefined ? undefined : readStoredPin(before, 0);
        if (found?.id !== pin.id || found.reserved !== undefined || found.ended) return undefined;
        return { value: writeStoredPin(pin), ttlMs: ttl * 1000 };
      });
    },
    async tie(cutover, keys, id, ttl) {
      const tied = { value: id, ttlMs: ttl * 1000 };
      await Promise.all(keys.map((key) => records.change(tiedId(cutover, key), () => tied)));
    },
    async end(cutover, shopper, grace, maxTtl, by) {
      let ended: JourneyPin | undefined;
      const tied = by !== undefined && "orders" in by ? by.orders : [];
      const told = await Promise.all(tied.map((key) => records.get(tiedId(cutover, key))));
      const ids = by !== undefined && "id" in by ? [by.id] : told;
      await records.change(pinId(cutover, shopper), (before) => {
        ended = before === undefined ? undefined : readStoredPin(before, maxTtl);
        const isTold = by === undefined || ids.includes(ended?.id);
        if (ended === undefined || !isTold || ended.reserved !== undefined || ended.ended) {
          ended = undefined;
          return undefined;
        }
        return { value: writeStoredPin({ ...ended, ended: true }), ttlMs: grace * 1000 };
      });
      return ended;
    },
  };
}

/** A cutover's name has no colon in it. */
function ownerId(cutover: string, key: string): string {
  return `owner:${cutover}:${key}`;
}

function claimId(cutover: string, key: string): string {
  return `claim:${cutover}:${key}`;
}

function changeId(cutover: string, key: string): string {
  return `change:${cutover}:${key}`;
}

function pinId(cutover: string, shopper: string): string {
  return `${pinPrefix(cutover)}${pinDigest(shopper)}`;
}

function pinPrefix(cutover: string): string {
  return `pin:${cutover}:`;
}

function tiedId(cutover: string, key: string): string {
  return `tied:${cutover}:${pinDigest(key)}`;
}

interface News extends PinNews {
  made(cutover: string, shopper: string): void;
}

/** All pins are in the records, and none is made elsewhere. */
function newsIn(records: Records): News {
  const listeners = new Set<(cutover: string, digest: string) => void>();
  return {
    made(cutover, shopper) {
      if (listeners.size === 0) return;
      const digest = pinDigest(shopper);
      for (const listener of listeners) listener(cutover, digest);
    },
    async list(cutover, _, onPins) {
      const prefix = pinPrefix(cutover);
      onPins(records.all().flatMap(({ id }) => (id.startsWith(prefix) ? id.slice(prefix.length) : [])));
      return 0;
    },
    watch(onPin, onHearing) {
      listeners.add(onPin);
      onHearing(true);
      return () => listeners.delete(onPin);
    },
  };
}
