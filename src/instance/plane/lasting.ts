/**
 * What every plane of a process shares, one for its life: what remembers (owners, pins, the spool, the notebooks), what is
 * counted of it, and who hears of requests.
 */
import { type Clock, systemTimers } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import type { GuardCounting } from "../../guard/window/counting.ts";
import type { Lists } from "../../lists/port.ts";
import { createClaimBudget } from "../../ownership/claim-budget.ts";
import { createDoubts } from "../../ownership/doubt.ts";
import type { ExposureWatch } from "../../ownership/exposure/exposure.ts";
import { createKeyDesk } from "../../ownership/key-desk.ts";
import { createOwnershipMetrics, showWaiting } from "../../ownership/metrics.ts";
import { createOwnerMemory, type OwnerMemory } from "../../ownership/owner-memory.ts";
import { createOwnership } from "../../ownership/ownership.ts";
import { createPastBooks, type PastBooks } from "../../ownership/past/book.ts";
import { openKept } from "../../ownership/past/kept/kept.ts";
import { createPastCounts } from "../../ownership/past/metrics.ts";
import { createPinFilter } from "../../ownership/pin-filter.ts";
import { createPins } from "../../ownership/pins.ts";
import type { SpentClaims } from "../../ownership/port.ts";
import { createSpool } from "../../ownership/spool/spool.ts";
import { createSpoolFile } from "../../ownership/spool/spool-file.ts";
import type { NamedKey, OwnershipStores } from "../../ownership/stores/port.ts";
import { createNotebooks } from "../../ownership/under-way/notebook.ts";
import { createUnowned } from "../../ownership/unowned.ts";
import { createUnreadAnswers } from "../../ownership/unread-answers.ts";
import { createForceAttempts } from "../../proxy/force/attempts.ts";
import { createForceCounts } from "../../proxy/force/metrics.ts";
import { createUpgradeCounts } from "../../proxy/listen/metrics.ts";
import { createDroppedCookies } from "../../proxy/relay/cookies/metrics.ts";
import { createOrElseCounts } from "../../proxy/relay/metrics.ts";
import { createFieldNames } from "../../proxy/request/field-names.ts";
import { createIds } from "../../proxy/request/ids.ts";
import type { Table } from "../../proxy/routes.ts";
import type { JourneySecrets } from "../../proxy/secrets.ts";
import { createUpstreamMetrics } from "../../proxy/upstream/metrics.ts";
import { createUpstreamPool } from "../../proxy/upstream/open.ts";
import type { Witness } from "../../proxy/witness.ts";
import { createRollbacks } from "../../state/follow/rollbacks.ts";
import type { Following } from "../../state/follow/snapshot.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Tracing } from "../../telemetry/tracing/port.ts";
import { createLastingWitnesses } from "../witnesses.ts";
import { keysWitness } from "./keys-witness.ts";

export interface DataPlaneOptions {
  /** The id of the process: no two on one host have the same. */
  readonly id: string;
  readonly proxyName: string;
  readonly following: Following;
  readonly ownershipStores: OwnershipStores;
  readonly secrets: Pick<JourneySecrets, "of">;
  readonly lists: Lists;
  readonly registry: Metrics["registry"];
  readonly accessLog: Witness;
  readonly clock: Clock;
  readonly log: Log;
  readonly onFault: (error: unknown) => void;
  readonly guardCounting: GuardCounting;
  readonly exposure: ExposureWatch;
  /** Tells the other processes of the instance what a client has claimed; without it there are none. */
  readonly tellClaims?: ((spent: SpentClaims) => void) | undefined;
}

export type Lasting = ReturnType<typeof openLasting>;

/** What every plane of the process shares, and what remembers. */
export function openLasting(config: Config, options: DataPlaneOptions, tracing?: Tracing) {
  const { ownershipStores, following, lists, registry, clock, log, onFault } = options;
  const timers = systemTimers;
  const names = Object.keys(config.cutovers);
  const counts = createOwnershipMetrics(registry, names);
  const memory = createOwnerMemory();
  const doubts = createDoubts({
    ...ownershipStores,
    isDoubtful: options.following.isDoubtful,
    doubtMs: config.staleAfter,
    clock,
  });
  const spool = openSpool(config, options, { counts, doubts, memory });
  const notebook = createNotebooks(
    { store: ownershipStores.underWay, clock, timers, onLost: counts.lostNotes },
    ownershipStores.placeOf,
  );
  /** Names of the cutovers whose finished orders can be told, by the configuration in force. */
  const countOrders = new Set<string>();
  const ownership = createOwnership({
    ...ownershipStores,
    doubts,
    memory,
    spool,
    onLearned(cutover, { key, ttlMs, what, amount }, side) {
      if (amount !== undefined && side === "new") options.exposure.opened(cutover, key, amount);
      if (what === undefined && countOrders.has(cutover)) notebook.learned(cutover, key, side, ttlMs);
    },
    counts,
    clock,
  });
  const pinFilter = createPinFilter({ news: ownershipStores.pinNews, clock, timers });
  const pins = createPins({ ...ownershipStores, filter: pinFilter, clock, onUnknown: counts.unknownPin });
  const told = { tell: options.tellClaims, onExceeded: counts.overBudget };
  const budget = createClaimBudget({ ...ownershipStores, clock, ...told });
  const unreadAnswers = createUnreadAnswers(counts, log, timers);
  const upgrades = createUpgradeCounts(registry, names);
  const orElse = createOrElseCounts(registry, config);
  const desk = createKeyDesk({ memory, spool, clock });
  const past = openPast(config, options, memory);
  return {
    desk,
    past,
    spool,
    notebook,
    pinFilter,
    configure(declared: Config) {
      for (const each of [counts, upgrades]) each.configure(Object.keys(declared.cutovers));
      orElse.configure(declared);
    },
    upstreams: createUpstreamPool({ metrics: createUpstreamMetrics(registry), clock, timers, log }, onFault),
    witnesses: {
      traces: tracing?.witness,
      ...createLastingWitnesses(
        options.accessLog,
        upgrades,
        counts,
        notebook,
        unreadAnswers.note,
        keysWitness(desk, past, clock),
        ownership.release,
        orElse,
        options.exposure.closed,
      ),
    },
    unreadAnswers,
    /** What an exchange needs of them. */
    shared: {
      following,
      lists,
      rollbacks: createRollbacks(following),
      ownership,
      pins,
      budget,
      unowned: createUnowned(clock, counts),
      exposure: options.exposure,
      force: createForceAttempts({ clock, counts: createForceCounts(registry), log }),
      droppedCookie: createDroppedCookies(registry),
      clock,
      fieldNames: createFieldNames(),
      ids: tracing === undefined ? createIds() : { ...createIds(), traceparent: tracing.traceparent },
      proxyName: options.proxyName,
      onFault,
    },
    /** The table is that of the configuration in force. */
    goBy({ cutovers }: Table): void {
      countOrders.clear();
      for (const [name, cutover] of cutovers) if (cutover.countsOrders) countOrders.add(name);
      pinFilter.follow([...cutovers.values()]);
    },
  };
}

/** Where owners wait that their store does not take. */
function openSpool(
  { spool: folder }: Pick<Config, "spool">,
  { id, ownershipStores: { owners }, registry, clock, log }: DataPlaneOptions,
  {
    counts,
    doubts,
    memory,
  }: {
    readonly counts: ReturnType<typeof createOwnershipMetrics>;
    readonly doubts: ReturnType<typeof createDoubts>;
    readonly memory: OwnerMemory;
  },
) {
  const spool = createSpool({
    owners,
    file: folder === undefined ? undefined : createSpoolFile(folder, id),
    clock,
    timers: systemTimers,
    log,
    counts,
    onRefused: (cutover, error) => doubts.of(cutover).begin(error, true),
    onRecorded: (late, owner) => memory.remember(late.cutover, late, owner),
  });
  showWaiting(registry, spool.waiting);
  return spool;
}

/** What is seen of requests with keys, for the fleet's past. */
function openPast(
  { spool: folder }: Pick<Config, "spool">,
  { id, ownershipStores: { past: store, placeOf }, registry, clock, log }: DataPlaneOptions,
  { recall }: Pick<OwnerMemory, "recall">,
): PastBooks {
  const isOwned = (cutover: string, key: NamedKey) => recall(cutover, key) !== undefined;
  const { lost: onLost, unwritten: onUnwritten } = createPastCounts(registry);
  const kept = folder === undefined ? undefined : openKept({ folder, id, log, onUnwritten });
  return createPastBooks({ store, isOwned, onLost, kept, clock, timers: systemTimers, log }, placeOf);
}
