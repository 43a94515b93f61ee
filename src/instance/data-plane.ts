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
import { createOwnershipMetrics } from "../ownership/metrics.ts";
import { createOwnership } from "../ownership/ownership.ts";
import { createPins } from "../ownership/pins.ts";
import { createSpool } from "../ownership/spool/spool.ts";
import { createSpoolFile } from "../ownership/spool/spool-file.ts";
import type { OwnershipStores } from "../ownership/stores/port.ts";
import { createNotebook } from "../ownership/under-way/notebook.ts";
import { createHandle, type Handle } from "../proxy/exchange.ts";
import { type ConnectionCounts, createConnectionCounts } from "../proxy/listen/connections.ts";
import { createUpgradeCounts } from "../proxy/listen/metrics.ts";
import { createFieldNames } from "../proxy/request/field-names.ts";
import { createIds } from "../proxy/request/ids.ts";
import { compileTable, type Table } from "../proxy/routes.ts";
import type { JourneySecrets } from "../proxy/secrets.ts";
import { createUpstreamMetrics } from "../proxy/upstream/metrics.ts";
import { createUpstreamPool } from "../proxy/upstream/open.ts";
import type { Witness } from "../proxy/witness.ts";
import type { Following } from "../state/follow/snapshot.ts";
import type { Generation, Metrics } from "../telemetry/metrics.ts";
import type { CutoverRoutes } from "../telemetry/requests/counts.ts";
import type { Front } from "./serving.ts";
import { createLastingWitnesses, witnessesFor } from "./witnesses.ts";

export interface DataPlaneOptions {
  /** Of the process: no two of one host have the same. */
  readonly id: string;
  readonly proxyName: string;
  readonly following: Following;
  readonly ownershipStores: OwnershipStores;
  readonly secrets: Pick<JourneySecrets, "of">;
  readonly registry: Metrics["registry"];
  readonly accessLog: Witness;
  readonly clock: Clock;
  readonly log: Log;
  readonly onFault: (error: unknown) => void;
}

export interface DataPlane {
  /** By the configuration in force. */
  readonly handle: Handle;
  /** A request was refused before there was an exchange. */
  refused(): void;
  table(): Table;
  readonly explaining: Front["explaining"];
  /** What its listener needs to know of connections. */
  readonly connections: ConnectionCounts;
  maxConnections(): number;
  /** Builds what the configuration asks for, and changes nothing yet. @throws Error when it can not be built */
  prepare(config: Config, counting: Generation): Prepared;
  /** Waits until nothing is under way. */
  close(): Promise<void>;
}

export interface Prepared {
  /** In force when this returns. */
  commit(): void;
  discard(): void;
}

interface Plane {
  readonly table: Table;
  readonly handle: Handle;
  readonly maxConnections: number;
  readonly refused: () => void;
  /** No further request comes: it goes when the last one is over. */
  retire(): void;
}

/** @param counting of the configuration it begins with */
export async function openDataPlane(
  config: Config,
  counting: Generation,
  options: DataPlaneOptions,
): Promise<DataPlane> {
  startObjectsYoung();
  const { id, following, ownershipStores, registry, clock, log, onFault } = options;
  const gates = { metrics: createUpstreamMetrics(registry), clock, timers: systemTimers, log };
  const pool = createUpstreamPool(gates, onFault);
  const metrics = createOwnershipMetrics(registry, Object.keys(config.cutovers), () => spool.waiting());
  const upgrades = createUpgradeCounts(registry, Object.keys(config.cutovers));
  const spool = createSpool({
    owners: ownershipStores.owners,
    file: config.spool === undefined ? undefined : createSpoolFile(config.spool, id),
    clock,
    timers: systemTimers,
    log,
    counts: metrics,
    onRecorded: (fact, owner) => ownership.remember(fact.cutover, fact, owner),
  });
  const notebook = createNotebook({
    store: ownershipStores.underWay,
    clock,
    timers: systemTimers,
    onLost: metrics.lostNotes,
  });
  const ownership = createOwnership({
    ...ownershipStores,
    spool,
    onLearned(cutover, { key, ttlMs }, side) {
      if (plane.table.cutovers.get(cutover)?.countsOrders) notebook.learned(cutover, key, side, ttlMs);
    },
    counts: metrics,
    clock,
  });
  const pins = createPins({ pins: ownershipStores.pins, clock, onUnknown: metrics.unknownPin });
  const lasting = createLastingWitnesses(options.accessLog, upgrades, metrics, notebook);
  const shared = {
    following,
    ownership,
    pins,
    clock,
    fieldNames: createFieldNames(),
    ids: createIds(),
    proxyName: options.proxyName,
    onFault,
  };

  function open(declared: Config, of: Generation): Plane {
    const lease = pool.lease(declared);
    const gone = () => {
      lease.release();
      of.end();
    };
    let underWay = 0;
    let retired = false;
    const counting: Witness = {
      arrived() {
        underWay += 1;
      },
      settled() {
        underWay -= 1;
        if (retired && underWay === 0) gone();
      },
    };
    try {
      const witnessesOf = witnessesFor(lasting, of.meter, counting);
      const table = compileTable(declared, lease.ways, options.secrets, witnessesOf);
      const unread = of.meter.row();
      return {
        table,
        maxConnections: declared.limits.connections,
        handle: createHandle({ ...shared, table }),
        refused() {
          unread.began("none");
          unread.settled("none", "rejected", 0);
        },
        retire() {
          retired = true;
          if (underWay === 0) gone();
        },
      };
    } catch (error) {
      gone();
      throw error;
    }
  }

  let plane = open(config, counting);
  await spool.start();
  return {
    handle: (inbound) => plane.handle(inbound),
    refused: () => plane.refused(),
    connections: createConnectionCounts(registry),
    maxConnections: () => plane.maxConnections,
    table: () => plane.table,
    explaining: { ownership, pins },
    prepare(declared, of) {
      const next = open(declared, of);
      return {
        commit() {
          const before = plane;
          plane = next;
          metrics.configure(Object.keys(declared.cutovers));
          upgrades.configure(Object.keys(declared.cutovers));
          before.retire();
        },
        discard: () => next.retire(),
      };
    },
    async close() {
      plane.retire();
      await pool.settled();
      await notebook.close();
      await spool.close();
    },
  };
}

/** The names that the counts of a configuration go by. */
export function routesOf({ cutovers }: Config): CutoverRoutes[] {
  return Object.entries(cutovers).map(([name, { routes }]) => ({
    name,
    routes: routes.map((route) => route.name),
  }));
}

/**
 * Has every object begin in new space. Once many objects of one place in the code have outlived a collection, as
 * those of requests do on a busy machine, V8 makes the next of them in old space at once (it calls that
 * pretenuring), and keeps to it. Each of them, dead with its request, then keeps alive whatever it refers to until
 * the next full collection. Measured in about every second process: a quarter of all that is allocated, and
 * collections of new space that take eight times as long.
 */
function startObjectsYoung(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
