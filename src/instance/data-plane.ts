/**
 * What serves requests, without the listener: in a process that is the whole instance, or in each worker.
 *
 * A configuration read again becomes a plane of its own (routes, upstreams, counts) beside the one in force; it takes
 * over whole, between two requests. Requests under way finish by the plane they began with, which then goes. What
 * remembers (owners, pins, the spool, the notebook) is one for the life of the process.
 */
import { setFlagsFromString } from "node:v8";
import { type Clock, systemTimers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import { guardWitnesses } from "../guard/watch/guard.ts";
import type { GuardCounting } from "../guard/window/counting.ts";
import type { Lists } from "../lists/port.ts";
import { createClaimBudget } from "../ownership/claim-budget.ts";
import { createDoubts } from "../ownership/doubt.ts";
import type { ExposureWatch } from "../ownership/exposure/exposure.ts";
import { createKeyDesk, type KeyDesk } from "../ownership/key-desk.ts";
import { createOwnershipMetrics, showWaiting } from "../ownership/metrics.ts";
import { createOwnerMemory } from "../ownership/owner-memory.ts";
import { createOwnership } from "../ownership/ownership.ts";
import { createPinFilter } from "../ownership/pin-filter.ts";
import { createPins } from "../ownership/pins.ts";
import type { ClaimBudget, Ownership, Pins, SpentClaims } from "../ownership/port.ts";
import { createSpool } from "../ownership/spool/spool.ts";
import { createSpoolFile } from "../ownership/spool/spool-file.ts";
import type { OwnershipStores } from "../ownership/stores/port.ts";
import { createNotebooks } from "../ownership/under-way/notebook.ts";
import { createUnowned } from "../ownership/unowned.ts";
import { createUnreadAnswers } from "../ownership/unread-answers.ts";
import { createHandle, type Handle } from "../proxy/exchange.ts";
import { createForceAttempts } from "../proxy/force/attempts.ts";
import { createForceCounts } from "../proxy/force/metrics.ts";
import {
  type ConnectionCounts,
  createConnectionCounts,
  createUpgradeCounts,
} from "../proxy/listen/metrics.ts";
import { createDroppedCookies } from "../proxy/relay/cookies/metrics.ts";
import { createOrElseCounts } from "../proxy/relay/metrics.ts";
import { createFieldNames } from "../proxy/request/field-names.ts";
import { createIds } from "../proxy/request/ids.ts";
import { compileTable, type Table } from "../proxy/routes.ts";
import type { JourneySecrets } from "../proxy/secrets.ts";
import { createUpstreamMetrics } from "../proxy/upstream/metrics.ts";
import { createUpstreamPool } from "../proxy/upstream/open.ts";
import type { Witness } from "../proxy/witness.ts";
import { createRollbacks } from "../state/follow/rollbacks.ts";
import type { Following } from "../state/follow/snapshot.ts";
import { createCheckoutCounts } from "../telemetry/checkouts.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Counting } from "../telemetry/requests/counting.ts";
import { createLastingWitnesses, createUnderWay, exposuresOf, payingIn, witnessesFor } from "./witnesses.ts";

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

interface DataPlane {
  /** Answers a request by the configuration in force. */
  readonly handle: Handle;
  /** A request was refused before there was an exchange. */
  refused(): void;
  table(): Table;
  readonly ownership: Ownership;
  readonly pins: Pins;
  readonly budget: Pick<ClaimBudget, "hear">;
  readonly desk: Pick<KeyDesk, "look">;
  /** Counts what its listener tells of connections. */
  readonly connections: ConnectionCounts;
  maxConnections(): number;
  /** Builds what the configuration asks for, and changes nothing yet. @throws Error when it cannot be built */
  prepare(config: Config, counting: Counting): Prepared;
  /** Waits until nothing is under way. */
  close(): Promise<void>;
}

export interface Prepared {
  /** The new plane is in force when this returns. */
  commit(): void;
  discard(): void;
}

/** @param counting the counting of the configuration it begins with */
export async function openDataPlane(
  config: Config,
  counting: Counting,
  options: DataPlaneOptions,
): Promise<DataPlane> {
  setEngineFlags();
  const lasting = openLasting(config, options);
  const { spool, notebook, pinFilter, unreadAnswers, upstreams } = lasting;
  const { ownership, pins, budget } = lasting.shared;
  let plane = openPlane(config, counting, lasting, options);
  lasting.goBy(plane.table);
  const exposure = options.exposure.follow(exposuresOf(config));
  await Promise.all([plane.table.documents?.loaded, spool.start(), exposure]);
  return {
    handle: (inbound) => plane.handle(inbound),
    refused: () => plane.refused(),
    connections: createConnectionCounts(options.registry),
    maxConnections: () => plane.maxConnections,
    table: () => plane.table,
    ownership,
    pins,
    budget,
    desk: lasting.desk,
    prepare(declared, of) {
      const next = openPlane(declared, of, lasting, options);
      return {
        commit() {
          const before = plane;
          plane = next;
          lasting.goBy(next.table);
          lasting.configure(declared);
          void options.exposure.follow(exposuresOf(declared));
          before.retire();
        },
        discard: () => next.retire(),
      };
    },
    async close() {
      plane.retire();
      await upstreams.settled();
      unreadAnswers.close();
      pinFilter.close();
      await Promise.all([notebook.close(), options.exposure.close()]);
      await spool.close();
    },
  };
}

type Lasting = ReturnType<typeof openLasting>;

/** What every plane of the process shares, and what remembers. */
function openLasting(config: Config, options: DataPlaneOptions) {
  const { id, ownershipStores, following, lists, registry, clock, log, onFault } = options;
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
  const spool = createSpool({
    owners: ownershipStores.owners,
    file: config.spool === undefined ? undefined : createSpoolFile(config.spool, id),
    clock,
    timers,
    log,
    counts,
    onRefused: (cutover, error) => doubts.of(cutover).begin(error, true),
    onRecorded: (late, owner) => memory.remember(late.cutover, late, owner),
  });
  showWaiting(registry, spool.waiting);
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
  const checkouts = createCheckoutCounts(registry, payingIn(config));
  const orElse = createOrElseCounts(registry, config);
  const desk = createKeyDesk({ memory, spool, clock });
  return {
    desk,
    spool,
    notebook,
    pinFilter,
    configure(declared: Config) {
      for (const each of [counts, upgrades]) each.configure(Object.keys(declared.cutovers));
      checkouts.configure(payingIn(declared));
      orElse.configure(declared);
    },
    upstreams: createUpstreamPool({ metrics: createUpstreamMetrics(registry), clock, timers, log }, onFault),
    witnesses: createLastingWitnesses(
      options.accessLog,
      upgrades,
      counts,
      notebook,
      unreadAnswers.note,
      desk,
      ownership.release,
      checkouts,
      orElse,
      options.exposure.closed,
    ),
    unreadAnswers,
    /** What an exchange needs of them. */
    shared: {
      ...{ following, lists, rollbacks: createRollbacks(following) },
      ...{ ownership, pins, budget },
      ...{ unowned: createUnowned(clock, counts), exposure: options.exposure },
      force: createForceAttempts({ clock, counts: createForceCounts(registry), log }),
      droppedCookie: createDroppedCookies(registry),
      clock,
      fieldNames: createFieldNames(),
      ids: createIds(),
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

/** What serves by one configuration. */
interface Plane {
  readonly table: Table;
  readonly handle: Handle;
  readonly maxConnections: number;
  readonly refused: () => void;
  /** No further request comes: it goes when the last one is over. */
  retire(): void;
}

/** @throws Error when it cannot be built; its counting has ended then */
function openPlane(config: Config, counting: Counting, lasting: Lasting, options: DataPlaneOptions): Plane {
  const lease = lasting.upstreams.lease(config);
  const gone = () => {
    lease.release();
    counting.end();
  };
  const underWay = createUnderWay(gone);
  try {
    const guards = guardWitnesses(config, options.guardCounting);
    const witnessesOf = witnessesFor(lasting.witnesses, counting, underWay.witness, guards);
    const table = compileTable(config, lease.ways, options.secrets, witnessesOf);
    const unread = counting.row();
    return {
      table,
      maxConnections: config.limits.connections,
      handle: createHandle({ ...lasting.shared, table }),
      refused() {
        unread.began("none");
        unread.settled("none", "rejected", 0);
      },
      retire: underWay.retire,
    };
  } catch (error) {
    gone();
    throw error;
  }
}

/**
 * Has V8 do two things otherwise than it does for the programs it is made for.
 *
 * Every object begins in new space. Once many objects of one place in the code have outlived a collection, as those of
 * requests do on a busy machine, V8 makes the next of them in old space at once (pretenuring), and keeps to it. Dead with its
 * request each keeps alive what it refers to until the next full collection. Measured in about every second process: a
 * quarter of all that is allocated, and collections eight times as long.
 *
 * More is inlined, two to three times V8's budget: a request passes through a hundred small functions (docs/performance.md).
 */
function setEngineFlags(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
  setFlagsFromString("--max-inlined-bytecode-size=1000");
  setFlagsFromString("--max-inlined-bytecode-size-cumulative=2500");
}
