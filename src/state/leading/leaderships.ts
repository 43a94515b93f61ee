/**
 * What an instance leads, or would: one lease for each cutover that something watches over, which the guard and the plan's
 * steward share. An instance says in its record what it leads, so that the others need not ask the store each second.
 */
import type { Clock, Timers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Roll } from "../follow/roll.ts";
import type { InstanceProfile } from "../rules/completion.ts";
import type { Store } from "../store/port.ts";
import { createLeadership, type Leadership } from "./leadership.ts";

export interface Leaderships {
  /** The cutover's; `undefined`: nothing watches over it. */
  of(cutover: string): Pick<Leadership, "fence" | "refused"> | undefined;
  /** What the instance's record says of it. */
  forRecord(): Pick<InstanceProfile, "leads">;
  /** Who leads, as far as is known here: an id. */
  leader(cutover: string): string | undefined;
  /** These cutovers are watched over from now on; the leases of others are given back. */
  configure(cutovers: readonly string[]): void;
  /** This one, too, as long as it is wanted. */
  also(cutover: string, isWanted: boolean): void;
  /** Gives back all leases. Never rejects. */
  stop(): Promise<void>;
}

interface LeadershipsOptions {
  readonly store: Pick<Store, "lease" | "release">;
  /** This instance's id. */
  readonly instance: string;
  /** Who else may lead. */
  readonly roll: Pick<Roll, "members">;
  /** What this instance leads has changed: its record is to say so. */
  readonly onChange: () => void;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers?: Timers;
  readonly log: Log;
}

export function createLeaderships(options: LeadershipsOptions): Leaderships {
  const { instance, roll, onChange } = options;
  const known = new Map<string, Leadership>();
  const wanted = new Set<string>();
  let configured: readonly string[] = [];

  function follow(): void {
    const watched = new Set([...configured, ...wanted]);
    for (const [cutover, leadership] of known) {
      if (watched.has(cutover)) continue;
      known.delete(cutover);
      void leadership.stop();
    }
    for (const cutover of watched) {
      if (!known.has(cutover)) known.set(cutover, begin(cutover));
    }
  }

  function leaderElsewhere(cutover: string): string | undefined {
    const lease = leaseOf(cutover);
    return roll
      .members()
      .find(({ id, leads, isLapsed }) => id !== instance && !isLapsed && leads?.includes(lease))?.id;
  }

  function begin(cutover: string): Leadership {
    return createLeadership({
      ...options,
      lease: leaseOf(cutover),
      holder: instance,
      isLedElsewhere: () => leaderElsewhere(cutover) !== undefined,
      onTaken: onChange,
      onLost: onChange,
    });
  }

  return {
    of: (cutover) => known.get(cutover),
    forRecord() {
      const held = [...known.values()].filter((each) => each.fence() !== undefined);
      return held.length === 0 ? {} : { leads: held.map(({ lease }) => lease) };
    },
    leader: (cutover) => (known.get(cutover)?.fence() === undefined ? leaderElsewhere(cutover) : instance),
    configure(cutovers) {
      configured = cutovers;
      follow();
    },
    also(cutover, isWanted) {
      if (wanted.has(cutover) === isWanted) return;
      if (isWanted) wanted.add(cutover);
      else wanted.delete(cutover);
      follow();
    },
    async stop() {
      const all = [...known.values()];
      known.clear();
      await Promise.all(all.map((each) => each.stop()));
    },
  };
}

function leaseOf(cutover: string): string {
  return `${cutover}/watch`;
}
