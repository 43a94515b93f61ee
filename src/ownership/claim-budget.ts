/**
 * How many claims may be made: a record each in the store, for whoever sends a new key. Two bounds, and past either the
 * request is refused, or sent without a claim where its side is fixed already:
 *
 *   client   claims that one client makes in a minute that begins with its first; a client is an IPv4 address or an IPv6
 *            /64 (one subscriber has a whole one)
 *   memory   the share of its memory that the store may have in use, so that room is left for what a rollback has to
 *            write; asked for once in a while, never waited for
 *
 * Of clients the last `mostClients` are remembered: who was forgotten begins anew. A process counts for itself; the
 * workers of an instance tell each other of a client whenever it has spent a sixteenth more, so that together they let
 * through a little more than one would alone.
 */
import { createBoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import { networkOf } from "../config/values/network.ts";
import type { ClaimBudget, SpentClaims } from "./port.ts";
import type { OwnerStore } from "./stores/port.ts";

interface BudgetOptions {
  readonly onExceeded: ClaimBudget["exceeded"];
  readonly owners: Pick<OwnerStore, "memoryInUse">;
  readonly clock: Pick<Clock, "monotonic">;
  /** Tells the other processes of the instance, where there are any. */
  readonly tell?: ((spent: SpentClaims) => void) | undefined;
}

interface Spent {
  readonly sinceMs: number;
  claims: number;
  /** Of its own, which the others have not heard of. */
  untold: number;
}

const minuteMs = 60_000;
const mostClients = 100_000;
/** The others hear of a client when it has spent such a part of its budget. */
const toldParts = 16;

export function createClaimBudget({ owners, clock, tell, onExceeded }: BudgetOptions): ClaimBudget {
  const clients = createBoundedMap<Spent>(mostClients);
  const memory = createMemoryWatch(owners, clock);

  function spentBy(cutover: string, client: string): Spent {
    const id = `${cutover} ${client}`;
    const known = clients.get(id);
    if (known !== undefined && clock.monotonic() - known.sinceMs < minuteMs) return known;
    const fresh = { sinceMs: clock.monotonic(), claims: 0, untold: 0 };
    clients.set(id, fresh);
    return fresh;
  }

  return {
    take(cutover, address, claims, { perMinute, memoryShare }) {
      const share = memory.share(cutover);
      // A store that is full takes nothing anyway: that is an outage, in which nobody is refused.
      if (share >= memoryShare && share < 1) return { cause: "memory", afterSeconds: 10 };
      if (perMinute === undefined || address === undefined) return undefined;
      const client = networkOf(address);
      const spent = spentBy(cutover, client);
      if (spent.claims + claims > perMinute) {
        const leftMs = spent.sinceMs + minuteMs - clock.monotonic();
        return { cause: "client", afterSeconds: Math.max(1, Math.ceil(leftMs / 1000)) };
      }
      spent.claims += claims;
      spent.untold += claims;
      if (tell !== undefined && spent.untold * toldParts >= perMinute) {
        tell({ cutover, client, claims: spent.untold });
        spent.untold = 0;
      }
      return undefined;
    },
    exceeded: onExceeded,
    hear({ cutover, client, claims }) {
      spentBy(cutover, client).claims += claims;
    },
  };
}

const freshMs = 2000;
/** A store that does not tell is not asked again for a while. */
const patienceMs = 60_000;

/** What of the store's memory is in use, as of the last answer. */
function createMemoryWatch({ memoryInUse }: BudgetOptions["owners"], clock: BudgetOptions["clock"]) {
  const shares = new Map<string, { share: number; askAtMs: number }>();
  return {
    share(cutover: string): number {
      if (memoryInUse === undefined) return 0;
      const known = shares.get(cutover) ?? { share: 0, askAtMs: 0 };
      if (clock.monotonic() >= known.askAtMs) {
        shares.set(cutover, { share: known.share, askAtMs: clock.monotonic() + freshMs });
        memoryInUse(cutover).then(
          (share = 0) => shares.set(cutover, { share, askAtMs: clock.monotonic() + freshMs }),
          () => shares.set(cutover, { share: known.share, askAtMs: clock.monotonic() + patienceMs }),
        );
      }
      return known.share;
    },
  };
}
