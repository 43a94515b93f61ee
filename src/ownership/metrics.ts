/**
 * What the data plane finds out about owners and journeys, as counters; and what is under way in the fleet, as gauges,
 * absent while the store cannot tell.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import { type PinFault, pinFaults } from "../decide/pin.ts";
import { type Side, sides } from "../state/rules/model.ts";
import type { OwnershipCounts } from "./ownership.ts";
import { type OverBudgetCause, overBudgetCauses, type UnreadReason, unreadReasons } from "./port.ts";
import type { SpoolCounts } from "./spool/spool.ts";
import type { FiguresUnderWay } from "./under-way/figures.ts";
import type { OnExpired, UnderWayCount, UnderWayKind } from "./under-way/port.ts";
import type { UnownedCounts } from "./unowned.ts";

export interface OwnershipMetrics extends OwnershipCounts, SpoolCounts, UnownedCounts {
  /** A body that a key may be in is larger than what is buffered, or is not JSON in UTF-8: it gave no key. */
  unreadBody(cutover: string): void;
  /** A key is longer than what is remembered: it counts as none. */
  longKey(cutover: string): void;
  /** An answer that may tell of orders, or that a rule asks, could not be read for it. */
  unreadAnswer(cutover: string, side: Side, reason: UnreadReason): void;
  /** An answer tells of an order that new has made, and not what that is worth. */
  unreadAmount(cutover: string): void;
  /** A path on no route may be taken for one by a server behind the proxy; the request was passed on. */
  nearPath(cutover: string): void;
  /** A request whose body was to tell its route could not be read. */
  unreadChoice(cutover: string): void;
  /** A client was asked for the text of a document. */
  unknownDocument(cutover: string): void;
  /** A journey cookie counted as none. */
  ignoredPin(cutover: string, fault: PinFault): void;
  /** A request was to claim keys past a bound. */
  overBudget(cutover: string, cause: OverBudgetCause, outcome: "refused" | "unclaimed"): void;
  /** A journey was begun with a cookie, and its shopper starts again or ends it without. */
  missingCookie(cutover: string, keepsNone: boolean): void;
  /** The store did not answer in time for the pin of a shopper whose client showed no cookie of a journey. */
  unknownPin(cutover: string): void;
  /** Notes of what is under way were lost: the figures of journeys and orders may be out until those have ended. */
  lostNotes(notes: number): void;
  /** Has the series of these cutovers exist, at 0 where nothing was counted. */
  configure(cutovers: readonly string[]): void;
}

const clients = ["cookies", "no_cookies"] as const;

/** @param waiting how many owners wait in the spool; asked at a scrape */
export function showWaiting(registry: Registry, waiting: () => number): void {
  new Gauge({
    name: "cutover_ownership_spool_waiting",
    help: "Owners that wait for the store to record them.",
    registers: [registry],
    collect() {
      this.set(waiting());
    },
  });
}

/** How an instance stands with a store. */
interface StoreContact {
  readonly up: boolean;
  /** Its own, where it answers and refuses. */
  readonly word?: string;
}

/** @param contacts of each cutover whose owners have a store of their own; asked at a scrape */
export function showOwnerStores(registry: Registry, contacts: () => ReadonlyMap<string, StoreContact>): void {
  const gauge = (name: string, help: string, value: (contact: StoreContact) => boolean) =>
    new Gauge({
      name,
      help: `${help} Only of cutovers whose owners have a store of their own.`,
      labelNames: ["cutover"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [cutover, contact] of contacts()) this.set({ cutover }, value(contact) ? 1 : 0);
      },
    });
  gauge("cutover_owner_store_up", "1 if the store of the cutover's owners answers, else 0.", ({ up }) => up);
  gauge(
    "cutover_owner_store_writable",
    "1 if the store of the cutover's owners takes what is written, else 0.",
    ({ up, word }) => up && word === undefined,
  );
  new Gauge({
    name: "cutover_owner_store_refusal",
    help: "1 while the store of the cutover's owners answers and refuses; the label is its own word.",
    labelNames: ["cutover", "word"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [cutover, { word }] of contacts()) if (word !== undefined) this.set({ cutover, word }, 1);
    },
  });
}

/** Of requests whose route is in doubt. */
function routeCounters(counter: (name: string, help: string) => (cutover: string) => void) {
  return {
    nearPath: counter(
      "cutover_near_paths_total",
      "GET and HEAD requests on no route whose path some server may take for one: doubled slashes, another case, an encoded NUL or question mark.",
    ),
    unreadChoice: counter(
      "cutover_unread_choices_total",
      "Requests on a path that routes with a when share, whose body or GraphQL document could not be read to tell the route: they went by the path's other routes.",
    ),
    unknownDocument: counter(
      "cutover_unknown_documents_total",
      "GraphQL requests that named their document by a hash not known here: they were answered PersistedQueryNotFound.",
    ),
  };
}

/** Of what could not be read. */
function readingCounters(counter: (name: string, help: string) => (cutover: string) => void) {
  return {
    unreadBody: counter(
      "cutover_ownership_unread_bodies_total",
      "Request bodies that gave no key because they exceed 64 KiB or are not JSON in UTF-8.",
    ),
    longKey: counter(
      "cutover_ownership_long_keys_total",
      "Keys longer than 512 bytes in requests and responses; they count as none.",
    ),
    unreadAmount: counter(
      "cutover_exposure_unread_amounts_total",
      "Answers of new that made an order and did not say what it is worth, where the cutover has a cap on what is unpaid: it counts as nothing.",
    ),
  };
}

/** @param cutovers the names whose series exist at 0 from the start */
export function createOwnershipMetrics(registry: Registry, cutovers: readonly string[]): OwnershipMetrics {
  const counters: Counter[] = [];
  const counter = (name: string, help: string) => {
    const made = new Counter({ name, help, labelNames: ["cutover"], registers: [registry] });
    counters.push(made);
    return (cutover: string) => made.inc({ cutover });
  };
  const ignored = new Counter({
    name: "cutover_journey_pins_ignored_total",
    help: "Requests whose journey cookie counted as none: malformed, not signed by this cutover, or expired.",
    labelNames: ["cutover", "fault"],
    registers: [registry],
  });
  const missing = new Counter({
    name: "cutover_journey_cookies_missing_total",
    help: "Starts and ends of journeys that came without the cookie which the journey's start had answered with, by whether the client sends any cookies.",
    labelNames: ["cutover", "client"],
    registers: [registry],
  });
  const overBudget = new Counter({
    name: "cutover_ownership_over_budget_total",
    help: "Requests that were to claim keys past the bound of their client or of the store's memory: refused (429), or sent without a claim because their side was fixed.",
    labelNames: ["cutover", "cause", "outcome"],
    registers: [registry],
  });
  const unread = new Counter({
    name: "cutover_ownership_unread_answers_total",
    help: "Answers that may tell of orders, or that decide a journey by what they hold, and could not be read for it.",
    labelNames: ["cutover", "side", "reason"],
    registers: [registry],
  });
  const lostNotes = new Counter({
    name: "cutover_open_notes_lost_total",
    help: "Sightings of journeys and orders that were not counted: too many waited for the store, or it refused them.",
    registers: [registry],
  });
  const configure = (names: readonly string[]) => {
    for (const cutover of names) {
      for (const made of counters) made.inc({ cutover }, 0);
      for (const fault of pinFaults) ignored.inc({ cutover, fault }, 0);
      for (const cause of overBudgetCauses) {
        for (const outcome of ["refused", "unclaimed"]) overBudget.inc({ cutover, cause, outcome }, 0);
      }
      for (const side of sides) for (const reason of unreadReasons) unread.inc({ cutover, side, reason }, 0);
      for (const client of clients) missing.inc({ cutover, client }, 0);
    }
  };
  const made: OwnershipMetrics = {
    configure,
    lostNotes: (notes) => lostNotes.inc(notes),
    overBudget: (cutover, cause, outcome) => overBudget.inc({ cutover, cause, outcome }),
    unreadAnswer: (cutover, side, reason) => unread.inc({ cutover, side, reason }),
    missingCookie: (cutover, keepsNone) =>
      missing.inc({ cutover, client: keepsNone ? "no_cookies" : "cookies" }),
    ignoredPin: (cutover, fault) => ignored.inc({ cutover, fault }),
    unknownPin: counter(
      "cutover_journey_pins_unknown_total",
      "Requests of shoppers who showed no cookie of a journey, decided without their pin because the store did not answer in time.",
    ),
    conflict: counter(
      "cutover_ownership_conflicts_total",
      "Requests whose keys have different owners; the first key in config order won.",
    ),
    unknown: counter(
      "cutover_ownership_unknown_total",
      "Requests whose key may have an owner the store could not tell in time, or is only just back to tell.",
    ),
    awaited: counter(
      "cutover_ownership_awaited_total",
      "Requests answered 503 because nobody owns their key yet, or their body could not be read, where the route says unknown: retry.",
    ),
    guessed: counter(
      "cutover_ownership_guessed_total",
      "Requests that went by the bucket where the route says unknown: retry: nobody owned their key within unknownFor.",
    ),
    ...readingCounters(counter),
    ...routeCounters(counter),
    unrecorded: counter(
      "cutover_ownership_unrecorded_total",
      "Owners that could not be recorded in time and went to the spool.",
    ),
    disputed: counter(
      "cutover_ownership_disputed_total",
      "Keys that were to be recorded for one side and were owned by the other already.",
    ),
    lost: counter("cutover_ownership_lost_total", "Owners given up because too many waited for the store."),
  };
  configure(cutovers);
  return made;
}

/** @returns counts what has run out of its time, of what is under way */
export function createExpiredCounts(registry: Registry): ExpiredCounts {
  const journeys = new Counter({
    name: "cutover_journeys_expired_total",
    help: "Journeys that nothing ended and whose time has run out, as the fleet's first instance to look found them: take the sum. Of cutovers with a journey block.",
    labelNames: ["cutover", "side"],
    registers: [registry],
  });
  return {
    configure(cutovers) {
      for (const cutover of cutovers) for (const side of sides) journeys.inc({ cutover, side }, 0);
    },
    expired({ kind, cutover }, counts) {
      if (kind === "journeys") for (const side of sides) journeys.inc({ cutover, side }, counts[side]);
    },
  };
}

interface ExpiredCounts {
  /** Has the series of these cutovers exist. */
  configure(cutovers: readonly string[]): void;
  readonly expired: OnExpired;
}

const fleetWide = "Of the whole fleet, the same on every instance: take the max, not the sum.";

/**
 * @param read what is under way now; never rejects
 * @param now ms since the epoch
 */
export function createUnderWayGauges(
  registry: Registry,
  read: () => Promise<FiguresUnderWay>,
  now: () => number,
): void {
  const gauge = (name: string, help: string, kind: UnderWayKind, value: (count: UnderWayCount) => number) =>
    new Gauge({
      name,
      help: `${help} ${fleetWide}`,
      labelNames: ["cutover", "side"],
      registers: [registry],
      async collect() {
        const figures = await read();
        this.reset();
        for (const [cutover, { [kind]: counts }] of figures) {
          for (const side of sides)
            if (counts !== undefined) this.set({ cutover, side }, value(counts[side]));
        }
      },
    });
  const count = ({ count }: UnderWayCount) => count;
  const age = ({ oldestStartedAt }: UnderWayCount) =>
    oldestStartedAt === undefined ? 0 : Math.max(0, (now() - oldestStartedAt * 1000) / 1000);

  gauge("cutover_open_journeys", "Journeys under way.", "journeys", count);
  gauge(
    "cutover_oldest_journey_seconds",
    "Age of the oldest journey under way, 0 without any.",
    "journeys",
    age,
  );
  gauge("cutover_unfinished_orders", "Orders a side owns and no 2xx has finished.", "orders", count);
  gauge(
    "cutover_oldest_unfinished_order_seconds",
    "Age of the oldest unfinished order, 0 without any.",
    "orders",
    age,
  );
}
