/**
 * Who of the fleet is known to this instance, also beyond what the store remembers. The store forgets an instance that
 * fell silent once its word binds nobody any more (`rememberMs`); one that is cut off for longer goes on all the same, and
 * whoever asks how things stand must hear of it. So it is kept here for an hour more, or until it is heard of again, has
 * left, or another process has begun in its place.
 */
import type { Clock } from "../../base/clock.ts";
import { leaseMs, type Roster, type RosterMember, rememberMs } from "../rules/completion.ts";

/** Of an instance that the store has forgotten, from its last word on. */
const keptMs = 60 * 60 * 1000;
/** More than so many silent ones are no fleet's: the oldest go. */
const mostKept = 256;

/** Times are ms since the epoch by the store's clock. */
export interface Roll {
  /** Takes note of what the store has answered just now. */
  saw(roster: Roster): void;
  /** Every instance that is known, by id; `isLapsed`: its lease is over. */
  members(): readonly (RosterMember & { readonly isLapsed: boolean })[];
  /** The store's clock, as of the last roster and what has passed since; this process's own before the first. */
  nowMs(): number;
}

export function createRoll(clock: Clock): Roll {
  let known: ReadonlyMap<string, RosterMember> = new Map();
  let aheadMs = clock.now() - clock.monotonic();
  const nowMs = () => Math.round(clock.monotonic() + aheadMs);

  return {
    nowMs,
    saw(roster) {
      aheadMs = roster.nowMs - clock.monotonic();
      const heard = new Map(roster.members.map((member) => [member.id, member]));
      const missing = [...known.values()]
        .filter(({ id }) => !heard.has(id))
        .filter((member) => isForgotten(member, roster.nowMs))
        .sort((one, other) => other.seenAtMs - one.seenAtMs)
        .slice(0, mostKept);
      const all = [...missing, ...heard.values()];
      const present = all.filter((member) => !isReplaced(member, roster));
      known = new Map(present.sort(byId).map((member) => [member.id, member]));
    },
    members() {
      const now = nowMs();
      return [...known.values()].map((member) => ({ ...member, isLapsed: now >= member.seenAtMs + leaseMs }));
    },
  };
}

function byId({ id: one }: RosterMember, { id: other }: RosterMember): number {
  return one < other ? -1 : 1;
}

/** One that is missing sooner has left. */
function isForgotten(member: RosterMember, nowMs: number): boolean {
  return nowMs >= member.seenAtMs + rememberMs(member) && nowMs < member.seenAtMs + keptMs;
}

/** Two processes do not listen in one place: who has begun there since has come after one that ended. */
function isReplaced({ id, name, address, seenAtMs }: RosterMember, { members }: Roster): boolean {
  if (name === undefined || address === undefined) return false;
  return members.some(
    (other) =>
      other.id !== id &&
      other.name === name &&
      other.address === address &&
      other.seenAtMs > seenAtMs &&
      Date.parse(other.startedAt) >= seenAtMs,
  );
}
