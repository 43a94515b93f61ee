/**
 * What serves requests, without the listener: in a process that is the whole instance, or in each worker.
 *
 * A configuration read again becomes a plane of its own (routes, upstreams, counts) beside the one in force; it takes
 * over whole, between two requests. Requests under way finish by the plane they began with, which then goes. What
 * remembers (owners, pins, the spool, the notebook) is one for the life of the process.
 */
import { setFlagsFromString } from "node:v8";
import type { Config } from "../config/schema.ts";
import { guardWitnesses } from "../guard/watch/guard.ts";
import type { KeyDesk } from "../ownership/key-desk.ts";
import type { ClaimBudget, Ownership, Pins } from "../ownership/port.ts";
import { createHandle, type Handle } from "../proxy/exchange.ts";
import { type ConnectionCounts, createConnectionCounts } from "../proxy/listen/metrics.ts";
import { compileTable, type Table } from "../proxy/routes.ts";
import type { Counting } from "../telemetry/requests/counting.ts";
import type { Tracing } from "../telemetry/tracing/port.ts";
import { type DataPlaneOptions, type Lasting, openLasting } from "./plane/lasting.ts";
import { createUnderWay, exposuresOf, witnessesFor } from "./witnesses.ts";

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
  const tracing = await loadTracing(config, options);
  const lasting = openLasting(config, options, tracing);
  const { spool, notebook, past, pinFilter, unreadAnswers, upstreams } = lasting;
  const { ownership, pins, budget } = lasting.shared;
  let plane = openPlane(config, counting, lasting, options);
  lasting.goBy(plane.table);
  const exposure = options.exposure.follow(exposuresOf(config));
  await Promise.all([plane.table.documents?.loaded, spool.start(), past.start(), exposure]);
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
      await Promise.all([notebook.close(), past.close(), options.exposure.close()]);
      await spool.close();
      await tracing?.close();
    },
  };
}

/** Where nothing is traced, what traces is not loaded. */
async function loadTracing(
  { otlp }: Config,
  { id, registry, clock, log }: Pick<DataPlaneOptions, "id" | "registry" | "clock" | "log">,
): Promise<Tracing | undefined> {
  if (otlp === undefined) return undefined;
  const { openTracing } = await import("../telemetry/tracing/tracing.ts");
  return openTracing({ otlp, id, registry, clock, log });
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
