/** Who wants to know about the exchanges of a route: what a process counts, logs and remembers of them. */
import type { Config } from "../config/schema.ts";
import type { ExposureLimits } from "../ownership/exposure/port.ts";
import type { OwnershipMetrics } from "../ownership/metrics.ts";
import type { Notebook, Ownership, UnreadReason } from "../ownership/port.ts";
import type { UpgradeCounts } from "../proxy/listen/metrics.ts";
import type { OrElseCounts } from "../proxy/relay/metrics.ts";
import type { WitnessesOf } from "../proxy/routes.ts";
import { ticketsOwner } from "../proxy/secrets.ts";
import type { Witness } from "../proxy/witness.ts";
import type { WhenStale } from "../state/rules/completion.ts";
import type { Side } from "../state/rules/model.ts";
import type { Counting } from "../telemetry/requests/counting.ts";
import {
  type CutoverRoutes,
  countsJourneys,
  countsPayments,
  countsRoute,
  countsUnmatched,
} from "../telemetry/requests/counts.ts";

/** The witnesses that last as long as the process. */
interface LastingWitnesses {
  readonly accessLog: Witness;
  readonly upgrades: Witness;
  readonly notices: Witness;
  readonly journeys: Witness;
  readonly orders: Witness;
  readonly carts: Witness;
  readonly keys: Witness;
  readonly orElse: Witness;
  /** Absent where requests are not traced. */
  readonly traces?: Witness | undefined;
}

export function createLastingWitnesses(
  accessLog: Witness,
  upgrades: Pick<UpgradeCounts, "opened">,
  metrics: Pick<
    OwnershipMetrics,
    | "ignoredPin"
    | "missingCookie"
    | "unreadBody"
    | "longKey"
    | "nearPath"
    | "unreadChoice"
    | "unknownDocument"
    | "unreadAmount"
  >,
  notebook: Pick<Notebook, "seen" | "finished">,
  unreadAnswer: (cutover: string, side: Side, why: UnreadReason) => void,
  keys: Witness,
  release: Ownership["release"],
  orElse: Pick<OrElseCounts, "asked">,
  paidOnNew: (cutover: string, key: string) => void,
): LastingWitnesses {
  return {
    orElse: { soughtElsewhere: ({ cutover }, side, isFound) => orElse.asked(cutover, side, isFound) },
    accessLog,
    upgrades: { upgraded: ({ cutover, side }) => upgrades.opened(cutover, side) },
    notices: {
      noticed({ cutover, side }, notice) {
        if (notice.kind === "unread_answer" && side !== "none") unreadAnswer(cutover, side, notice.why);
        else if (notice.kind === "ignored_pin") metrics.ignoredPin(cutover, notice.fault);
        else if (notice.kind === "missing_cookie") metrics.missingCookie(cutover, notice.keepsNone);
        else if (notice.kind === "unread_body") metrics.unreadBody(cutover);
        else if (notice.kind === "near_path") metrics.nearPath(notice.cutover);
        else if (notice.kind === "unread_choice") metrics.unreadChoice(notice.cutover);
        else if (notice.kind === "unknown_document") metrics.unknownDocument(notice.cutover);
        else if (notice.kind === "unread_amount") metrics.unreadAmount(cutover);
        else if (notice.kind === "long_key") metrics.longKey(cutover);
      },
    },
    journeys: { journeyed: ({ cutover }, pin, event) => notebook.seen(cutover, pin, event) },
    keys,
    orders: {
      finished({ cutover, side }, keys) {
        for (const { key, claimed, what } of keys) {
          // A key that is claimed by its use names a request, not an order.
          if (claimed || what !== undefined) continue;
          notebook.finished(cutover, key);
          if (side === "new") paidOnNew(cutover, key);
        }
      },
    },
    carts: {
      // Under way before the answer is, so that whoever made the next cart of the key has it behind this; but no answer
      // waits for it. Until it is done, and where it fails, the key only leads on to where the cart was.
      finished({ cutover, side }, keys) {
        const carts = keys.filter((key) => key.what === "cart" && !key.claimed && key.side === undefined);
        if (carts.length > 0 && side !== "none") void release(cutover, carts, side);
      },
    },
  };
}

/** Counts what is under way by a configuration. @param onLast is called when it is retired and the last is over */
export function createUnderWay(onLast: () => void): { readonly witness: Witness; retire(): void } {
  let underWay = 0;
  let isRetired = false;
  const ended = () => {
    underWay -= 1;
    if (isRetired && underWay === 0) onLast();
  };
  return {
    witness: {
      arrived() {
        underWay += 1;
      },
      left: ended,
      settled: ended,
    },
    retire() {
      isRetired = true;
      if (underWay === 0) onLast();
    },
  };
}

/**
 * @param last is told last of all: what it lets go of, the others may need until then
 * @param guarding what the guard counts of a route by; nothing where it is not guarded
 */
export function witnessesFor(
  lasting: LastingWitnesses,
  counting: Pick<Counting, "row">,
  last: Witness,
  guarding: (cutover: string, route: string) => readonly Witness[] = () => [],
): WitnessesOf {
  const { accessLog, upgrades, notices, journeys, orders, carts, keys, orElse } = lasting;
  const traces = lasting.traces === undefined ? [] : [lasting.traces];
  return (route) => {
    if (route?.cutover === undefined)
      return [countsUnmatched(counting.row("none", route?.name)), upgrades, accessLog, ...traces, last];
    const { cutover, name, finishes, pays, orElse: other } = route;
    const row = counting.row(cutover.name, name);
    return [
      countsRoute(row),
      notices,
      ...(cutover.journey === undefined ? [] : [journeys, countsJourneys(row)]),
      ...(pays ? [countsPayments(row)] : []),
      ...(other === undefined ? [] : [orElse]),
      ...(finishes === undefined || !cutover.countsOrders ? [] : [orders]),
      ...(finishes === undefined || !cutover.endsCarts ? [] : [carts]),
      ...(cutover.owners.length === 0 ? [] : [keys]),
      ...guarding(cutover.name, name),
      upgrades,
      accessLog,
      ...traces,
      last,
    ];
  };
}

/** How much may be unpaid on new, by cutover, where that has a cap. */
export function exposuresOf({ cutovers }: Pick<Config, "cutovers">): ReadonlyMap<string, ExposureLimits> {
  return new Map(
    Object.entries(cutovers).flatMap(([name, { exposure }]) => {
      if (exposure === undefined) return [];
      return [[name, { maxOpenAmount: exposure.maxOpenAmount, forMs: exposure.for }] as const];
    }),
  );
}

/** The names of the fixed routes. */
export function fixedNamesOf({ routes }: Pick<Config, "routes">): string[] {
  return routes.flatMap(({ name }) => name ?? []);
}

/** The names that the counts of a configuration go by. */
export function routesOf({ cutovers }: Pick<Config, "cutovers">): CutoverRoutes[] {
  return Object.entries(cutovers).map(([name, { routes, journey }]) => ({
    name,
    routes: routes.map((route) => route.name),
    journeys: journey !== undefined,
    payments: routes.some(({ payment }) => payment),
  }));
}

/** The cutovers that something watches over, on one instance of the fleet. */
export function watchedOver({ cutovers, webhooks }: Pick<Config, "cutovers" | "webhooks">): string[] {
  return Object.entries(cutovers).flatMap(([name, { guard, plan, return: gradual }]) =>
    (guard ?? plan ?? gradual) === undefined && webhooks.length === 0 ? [] : name,
  );
}

/**
 * The configured secrets of cutovers with journeys, visits, links, cookies of testers, and of tickets of TLS; none: to be
 * generated.
 */
export function journeySecretsOf({ cutovers, listeners }: Config): ReadonlyMap<string, readonly string[]> {
  const named = Object.entries(cutovers).flatMap(([name, { journey, visit, identity, force }]) =>
    (journey ?? visit ?? identity.link ?? force?.cookie) === undefined
      ? []
      : [[name, journey?.secret ?? []] as const],
  );
  return new Map(listeners.proxy.tls === undefined ? named : [...named, [ticketsOwner, []]]);
}

/** What this instance does when it is cut off. */
export function whenStale({ cutovers, staleAfter }: Config): WhenStale {
  const legacy = Object.entries(cutovers).flatMap(([name, { onStale }]) =>
    onStale === "legacy" ? name : [],
  );
  return { afterMs: staleAfter, legacy };
}
