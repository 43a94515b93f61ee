/** What the admin server is made of: everything it needs is handed in, and its parts reach no further. */

import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { type Audit, noAudit } from "../audit/port.ts";
import { type Clock, systemTimers, type Timers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { CertificateFiles } from "../base/tls/certificate.ts";
import type { AuthConfig } from "../config/auth-schema.ts";
import type { CutoverConfig } from "../config/schema.ts";
import type { ListDesk } from "../lists/port.ts";
import type { ExposureStanding } from "../ownership/exposure/exposure.ts";
import type { PastStore } from "../ownership/past/port.ts";
import type { FiguresUnderWay } from "../ownership/under-way/figures.ts";
import type { LocalWrites } from "../state/follow/local-changes.ts";
import { createRoll, type Roll } from "../state/follow/roll.ts";
import type { Contact, Following } from "../state/follow/snapshot.ts";
import type { InstanceProfile, InstanceRecord } from "../state/rules/completion.ts";
import type { Side } from "../state/rules/model.ts";
import type { Rejection, Store } from "../state/store/port.ts";
import type { OlderSeries } from "../telemetry/older/older.ts";
import type { PaymentsBook } from "../telemetry/series/payments.ts";
import { type AccessCounts, noAccessCounts } from "./access/metrics.ts";
import type { ExplainQuery, Explanation } from "./api/explanation.ts";
import type { GuardKnownHere } from "./api/guard/guard-view.ts";
import type { Phase } from "./api/instance-view.ts";
import type { OwnerView } from "./api/owner-view.ts";
import type { PlansDesk } from "./api/plan/raise-desk.ts";
import { Refused } from "./problem.ts";

/** Where a cohort goes by the configuration: to its side, or by a percent of its own. */
interface CohortPlace {
  readonly name: string;
  /** Who is of it. */
  readonly when?: CutoverConfig["cohorts"][number]["when"];
  readonly side?: Side | undefined;
  readonly percent?: number | undefined;
}

/** What the API knows of one cutover's configuration. */
interface CutoverSides {
  /** The upstreams' names. */
  readonly legacy: string;
  readonly new: string;
  /** What buckets are reckoned with; without it, its group, else its name. */
  readonly salt?: string | undefined;
  readonly group?: string | undefined;
  readonly cohorts?: readonly CohortPlace[] | undefined;
  /** The cutover that it goes after. */
  readonly after?: string | undefined;
  /**
   * A close, and a raise by more than `over` points, wait for another person, for `ttl` ms; what one person raises within
   * `window` ms counts together.
   */
  readonly approval?: { readonly over: number; readonly ttl: number; readonly window?: number } | undefined;
  /** Whether what names no shopper goes to new once percent is 100; without it, never. */
  readonly anonymous?: "legacy" | "new-at-100";
  /** How long visits last, and those that are renewed at most, in ms. */
  readonly visit?: { readonly for: number; readonly max?: number | undefined } | undefined;
  /** What testers ask by, where there are any. */
  readonly force?: object | undefined;
  readonly fallback?: boolean;
  /** Of the money at risk. */
  readonly exposure?: { readonly currency: string; readonly decimals?: number | undefined } | undefined;
}

/** Owners, as people see them and put them right. Calls that change throw StoreUnavailable. */
export interface OwnerDesk {
  /** @returns `undefined`: the cutover has none */
  look(name: string, key: string): Promise<OwnerView | undefined>;
  /** @param side null: to nobody @returns how it stands then */
  put(name: string, key: string, side: Side | null): Promise<OwnerView>;
  /** Has it wait for another person, in place of what waited. */
  wait(
    name: string,
    key: string,
    change: Pick<WaitingOwner, "side" | "by" | "reason">,
    ttlMs: number,
  ): Promise<WaitingOwner>;
}
type WaitingOwner = NonNullable<OwnerView["waiting"]>;

interface MetricsPage {
  readonly contentType: string;
  /** One after another. */
  readonly parts: readonly string[];
}

/** As configured. */
interface ConsoleFacts {
  readonly environment?: string | undefined;
  readonly links: Readonly<Partial<Record<"runbook" | "grafana" | "alerts", string | undefined>>>;
}

export interface AdminOptions {
  readonly store: Store;
  /** Rolls back and holds on this instance alone, too. */
  readonly follower: Following & LocalWrites;
  /** Every configured cutover by name, in the order of the configuration. */
  readonly cutovers: Readonly<Record<string, CutoverSides>>;
  readonly auth: AuthConfig;
  /** Of the listener; without it, HTTP. */
  readonly tls?: CertificateFiles | undefined;
  /** @param accept the field of the request that asks, which tells the format */
  readonly metrics: (accept: string | undefined) => Promise<MetricsPage>;
  /** The versions this instance decides by, where not those of its snapshot. */
  readonly versions?: () => Readonly<Record<string, number>>;
  /** Resolves when every process of this instance decides by its snapshot as of now; without it, there is but one. */
  readonly inForce?: () => Promise<void>;
  /** This instance's own figures as its record in the store has them: by cutover, the window of each side. */
  readonly traffic: () => Readonly<Record<string, unknown>>;
  /** What is under way in the fleet now; without it, nothing is known of that. Never rejects. */
  readonly underWay?: () => Promise<FiguresUnderWay>;
  /** `startedAt`: RFC 3339. */
  readonly instance: { readonly id: string; readonly startedAt: string };
  /** What a person finds this instance by; without it, by its id. */
  readonly profile?: () => InstanceProfile;
  /** Who is known of the fleet; without it, those whom the store remembers. */
  readonly roll?: Roll;
  /** What stands in the store by hand and nobody follows; without it, nothing. */
  readonly refusedByHand?: () => readonly Rejection[];
  /** The beginning of every key in the store. */
  readonly prefix?: string;
  /** @returns what would be decided and why; `undefined` when the path is on no route of the cutover */
  readonly explain: (
    name: string,
    query: ExplainQuery,
  ) => Explanation | undefined | Promise<Explanation | undefined>;
  /** What this instance knows of a cutover's guard; `undefined`: it has none. Without it none is guarded. */
  readonly guard?: (name: string) => GuardKnownHere | undefined;
  /** What each instance tells of journeys begun and paid, by blocks that are over; without it nothing is told. */
  readonly journeys?: (
    name: string,
    records: readonly InstanceRecord[],
  ) => readonly {
    /** Its id. */
    readonly instance: string;
    readonly blocks: readonly { readonly key: string; readonly rows: Parameters<PaymentsBook["add"]>[2] }[];
  }[];
  /** Figures of longer ago than the instances keep; without it there are none. */
  readonly older?: Pick<OlderSeries, "isThere" | "read">;
  /** The money at risk; `undefined`: the cutover has no cap. Without it none has. */
  readonly exposure?: (name: string) => ExposureStanding | undefined;
  /** Hears of what waits for another person from now on. */
  readonly onProposed?: (
    name: string,
    proposal: { readonly id: string; readonly by: string; readonly reason: string },
  ) => void;
  /** Without it no cutover has a plan. */
  readonly plans?: PlansDesk;
  /** Without it no cutover has owners. */
  readonly owners?: OwnerDesk;
  /** What was in doubt, and settles it; without it nothing is. */
  readonly past?: Pick<PastStore, "inDoubt" | "settle">;
  /** Without it there are no lists. */
  readonly lists?: ListDesk;
  /** How this instance stands with the store of each cutover's owners that has one of its own; without it, none has. */
  readonly ownerStores?: () => ReadonlyMap<string, Contact>;
  readonly health: () => Phase;
  /** What is refused is counted there; without it, nowhere. */
  readonly counts?: AccessCounts;
  /** Where refusals go; without it, to the log alone. */
  readonly audit?: Audit;
  readonly clock: Clock;
  readonly timers?: Timers;
  readonly log: Log;
  readonly version: string;
  /** What the console says of where it is; without it, nothing. */
  readonly console?: ConsoleFacts;
  /** Milliseconds between two ticks of an event stream; 1000 without it. */
  readonly tickMs?: number;
  /** Most event streams at once; 100 without it. */
  readonly maxStreams?: number;
}

/** What every part works with: whatever was handed in, and what was left out filled in. */
export interface AdminContext extends AdminOptions {
  readonly audit: Audit;
  readonly counts: AccessCounts;
  readonly plans: PlansDesk;
  readonly guard: (name: string) => GuardKnownHere | undefined;
  readonly journeys: NonNullable<AdminOptions["journeys"]>;
  readonly older: NonNullable<AdminOptions["older"]>;
  readonly owners: OwnerDesk;
  readonly past: Pick<PastStore, "inDoubt" | "settle">;
  readonly lists: ListDesk;
  readonly timers: Timers;
  readonly versions: () => Readonly<Record<string, number>>;
  readonly inForce: () => Promise<void>;
  readonly underWay: () => Promise<FiguresUnderWay>;
  readonly ownerStores: () => ReadonlyMap<string, Contact>;
  readonly profile: () => InstanceProfile;
  readonly roll: Roll;
  readonly refusedByHand: () => readonly Rejection[];
  readonly prefix: string;
  readonly console: ConsoleFacts;
  readonly tickMs: number;
  readonly maxStreams: number;
}

const noOwners: OwnerDesk = {
  look: async () => undefined,
  put: async () => Promise.reject(new Error("there are no owners")),
  wait: async () => Promise.reject(new Error("there are no owners")),
};

const noPlans: PlansDesk = {
  raises: {
    read: async () => {},
    known: () => ({}),
    against: async () => ({ window: undefined, freeze: undefined }),
    frozen: async () => ({ freeze: undefined, events: [] }),
    freeze: async () => Promise.reject(new Error("there are no plans")),
    lift: async () => Promise.reject(new Error("there are no plans")),
  },
  returns: {
    steps: 0,
    over: () => undefined,
    known: () => undefined,
    first: ({ to }) => to,
    begin: async () => undefined,
    end: async () => {},
  },
  schedule: { list: async () => [], add: async () => undefined, cancel: async () => undefined },
  show: async () => {
    throw new Refused("not_found", "there are no plans");
  },
  startable: async () => ({ code: "invalid", detail: "there are no plans" }),
  start: async () => false,
  pause: async () => false,
};

const none = async () => Promise.reject(new Error("there are no lists"));
const noLists: ListDesk = { names: () => [], look: none, has: none, history: none, change: none };

export function contextOf(options: AdminOptions): AdminContext {
  return {
    audit: noAudit,
    counts: noAccessCounts,
    plans: noPlans,
    guard: () => undefined,
    journeys: () => [],
    older: { isThere: () => false, read: async () => ({ kind: "nothing", why: "none is configured" }) },
    owners: noOwners,
    past: { inDoubt: async () => [], settle: async () => 0 },
    lists: noLists,
    timers: systemTimers,
    versions: () => versionsIn(options.follower),
    inForce: async () => {},
    underWay: async () => new Map(),
    ownerStores: () => new Map(),
    profile: () => ({}),
    roll: createRoll(options.clock),
    refusedByHand: () => [],
    prefix: "cutover",
    console: { links: {} },
    tickMs: 1000,
    maxStreams: 100,
    ...options,
  };
}

/** The versions that a follower has. */
export function versionsIn(follower: Pick<Following, "current">): Readonly<Record<string, number>> {
  const versions = [...follower.current().states].map(([name, state]) => [name, state.version] as const);
  return Object.fromEntries(versions);
}

export type AdminApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  ZodTypeProvider
>;
