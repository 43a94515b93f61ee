/**
 * Owners and pins of one process: over records in its memory, or in a file beside the embedded store. What is under way
 * is in its memory alone.
 */
import type { Clock } from "../../base/clock.ts";
import { meetPin, readStoredPin, writeStoredPin } from "../../decide/stored-pin.ts";
import type { Side } from "../../state/rules/model.ts";
import { pinDigest } from "../pin-digest.ts";
import { createUnderWayInProcess } from "../under-way/in-process.ts";
import type { OwnershipStores } from "./port.ts";
import { createRecords, openRecordFile, type Records } from "./records.ts";

export function createMemoryStores(clock: Pick<Clock, "now">): OwnershipStores {
  return storesOver(createRecords({ clock }), clock, async () => {});
}

/** @throws Error when the file cannot be read or written, or holds a line that is no record */
export async function openFileStores(path: string, clock: Pick<Clock, "now">): Promise<OwnershipStores> {
  const { records, close } = await openRecordFile(path, clock);
  return storesOver(records, clock, close);
}

function storesOver(
  records: Records,
  clock: Pick<Clock, "now">,
  close: () => Promise<void>,
): OwnershipStores {
  return {
    owners: {
      lookup: (cutover, keys) =>
        Promise.all(
          keys.map(async ({ key, claimed }) => {
            const claim = claimed ? sideOf(await records.get(claimId(cutover, key))) : undefined;
            return claim ?? sideOf(await records.get(ownerId(cutover, key)));
          }),
        ),
      async record(cutover, { key, claimed }, side, ttlMs, late = false) {
        const unless = (value: Side) => (held: string | undefined) =>
          sideOf(held) === undefined ? { value, ttlMs } : undefined;
        if (!claimed) return sideOf(await records.change(ownerId(cutover, key), unless(side)));
        const fact = late ? undefined : sideOf(await records.get(ownerId(cutover, key)));
        return sideOf(await records.change(claimId(cutover, key), unless(fact ?? side))) ?? fact;
      },
    },
    pins: {
      async find(cutover, shopper, maxTtl) {
        const held = await records.get(pinId(cutover, shopper));
        return held === undefined ? undefined : readStoredPin(held, maxTtl);
      },
      async start(cutover, shopper, offer, maxTtl) {
        let pin = offer;
        await records.change(pinId(cutover, shopper), (held) => {
          pin = meetPin(held === undefined ? undefined : readStoredPin(held, maxTtl), offer);
          const ttlMs = (pin.expiresAt - offer.startedAt) * 1000;
          return { value: writeStoredPin(pin), ttlMs };
        });
        return pin;
      },
      async end(cutover, shopper, grace, maxTtl) {
        const before = await records.change(pinId(cutover, shopper), (held) =>
          held === undefined ? undefined : { value: held, ttlMs: grace * 1000 },
        );
        return before === undefined ? undefined : readStoredPin(before, maxTtl);
      },
    },
    underWay: createUnderWayInProcess(clock),
    close,
  };
}

function sideOf(value: string | undefined): Side | undefined {
  return value === "legacy" || value === "new" ? value : undefined;
}

/** A cutover's name holds no colon. */
function ownerId(cutover: string, key: string): string {
  return `owner:${cutover}:${key}`;
}

function claimId(cutover: string, key: string): string {
  return `claim:${cutover}:${key}`;
}

function pinId(cutover: string, shopper: string): string {
  return `pin:${cutover}:${pinDigest(shopper)}`;
}
