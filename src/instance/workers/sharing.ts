/**
 * Owners that one worker of the instance could not record are told to its other workers before the answer that names
 * them is released: no store and no channel is needed for it. A worker that begins later is told of them first.
 */
import { createBoundedMap } from "../../base/bounded-map.ts";
import { systemTimers, within } from "../../base/clock.ts";
import { recoveryMs } from "../../ownership/doubt.ts";
import type { OwnershipStores } from "../../ownership/stores/port.ts";
import type { Link } from "./link.ts";
import type { WorkerMember } from "./member.ts";
import type { SharedOwner } from "./messages.ts";

/** The longest an answer waits for the other workers. */
const heardMs = 200;
const most = 10_000;

interface Sharing {
  /** Resolves once the other workers know it, or that has taken too long. Never rejects. */
  share(from: number, owner: SharedOwner): Promise<void>;
  /** What a worker that begins is told. */
  known(): readonly SharedOwner[];
}

/** The primary's half. */
export function createSharing(members: () => readonly Pick<WorkerMember, "number" | "share">[]): Sharing {
  const kept = createBoundedMap<SharedOwner>(most);
  return {
    async share(from, owner) {
      kept.set(JSON.stringify([owner.cutover, owner.key]), owner);
      const others = members().filter(({ number }) => number !== from);
      const heard = Promise.all(others.map((member) => member.share(owner)));
      await within(heardMs, systemTimers, heard).catch(() => undefined);
    },
    known: kept.values,
  };
}

/** A worker's half: the stores, and what the other workers could not record. @param known by others at its start */
export function sharingStores(
  stores: OwnershipStores,
  link: Pick<Link, "ask" | "send" | "onMessage">,
  known: readonly SharedOwner[],
): OwnershipStores {
  return {
    ...stores,
    async share(cutover, { key, claimed }, side) {
      await link.ask({ call: "share", owner: { cutover, key: { key, claimed }, side } });
    },
    watch(onOwner, news) {
      let isLeft = false;
      const leave = stores.watch?.(onOwner, news);
      for (const { cutover, key, side } of known) onOwner(cutover, key, side);
      link.onMessage((message) => {
        if (isLeft) return;
        if (message.type === "over") news?.over?.(message.cutover, message.journey);
        if (message.type === "released") news?.released?.(message.cutover, message.key, message.side);
        if (message.type !== "owner") return;
        const { cutover, key, side } = message.owner;
        onOwner(cutover, key, side);
        news?.doubt?.(recoveryMs, stores.placeOf?.(cutover));
        void link.send({ type: "heard", seq: message.seq });
      });
      return () => {
        isLeft = true;
        leave?.();
      };
    },
  };
}
