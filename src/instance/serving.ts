/**
 * Serving requests in this process, which is the whole instance or one of its workers: the data plane behind its
 * listener, from the first connection to the last answer.
 */
import type { ExplainQuery, Explanation } from "../admin/api/explanation.ts";
import { systemClock } from "../base/clock.ts";
import { errorText, type Log } from "../base/log.ts";
import type { LoadedConfig } from "../config/load/load.ts";
import type { Config } from "../config/schema.ts";
import type { Lists } from "../lists/port.ts";
import type { PastStore } from "../ownership/past/port.ts";
import type { ClaimBudget, MoneyAtRisk, Ownership, Pins } from "../ownership/port.ts";
import type { KeyQuestion, KnownOfKey } from "../ownership/stores/by-hand.ts";
import { type Explained, explain } from "../proxy/explain.ts";
import { createProxyServer, type ListenAt } from "../proxy/listen/server.ts";
import type { Table } from "../proxy/routes.ts";
import { ticketsOwner } from "../proxy/secrets.ts";
import { createRollbacks } from "../state/follow/rollbacks.ts";
import type { Following } from "../state/follow/snapshot.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import { accessLog } from "../telemetry/log.ts";
import type { LogFile } from "../telemetry/log-file.ts";
import type { Counting } from "../telemetry/requests/counting.ts";
import { openDataPlane, type Prepared } from "./data-plane.ts";
import type { DataPlaneOptions } from "./plane/lasting.ts";
import { lookAtPast } from "./plane/past-desk.ts";

/** How long connections may be idle and exchanges go on, in ms, as the configuration says it. */
export interface Drain {
  readonly idle: number;
  readonly grace: number;
}

export interface Serving {
  /** @returns the port taken @throws Error when nothing can listen there */
  listen(): Promise<number>;
  /** @returns the routes of the configuration in force */
  table(): Table;
  readonly ownership: Ownership;
  readonly pins: Pins;
  /** Hears what clients have claimed of other processes of the instance. */
  readonly budget: Pick<ClaimBudget, "hear">;
  /** What this process, or all workers, know of a key. Rejects when a worker does not say. */
  lookAtKey(question: KeyQuestion): Promise<KnownOfKey>;
  /**
   * Builds what the configuration asks for, and changes nothing yet.
   *
   * @param counting the counting of that configuration; it has ended when this throws
   * @throws Error when it cannot be built
   */
  prepare(loaded: Pick<LoadedConfig, "config">, counting: Counting): Prepared;
  /** Accepts no more and lets what is under way finish, for as long as the grace. */
  drain(how: Drain): Promise<void>;
  /** Closes what it has opened, once nothing is under way any more. */
  close(): Promise<void>;
}

interface ServingOptions
  extends Pick<
    DataPlaneOptions,
    | "id"
    | "following"
    | "ownershipStores"
    | "secrets"
    | "lists"
    | "registry"
    | "tellClaims"
    | "guardCounting"
    | "exposure"
  > {
  /** The instance's id. */
  readonly instance: string;
  readonly at: ListenAt;
  readonly lines: LogFile;
  /** Whether each request has its line. */
  readonly logsAccess: boolean;
  readonly log: Log;
}

/** @param counting the counting of the configuration it begins with */
export async function openServing(
  config: Config,
  counting: Counting,
  options: ServingOptions,
): Promise<Serving> {
  const { instance, at, lines, logsAccess, log, ...parts } = options;
  const proxyName = `cutover-${instance}`;
  const onFault = faultsTo(log);
  const plane = await openDataPlane(config, counting, {
    ...parts,
    proxyName,
    accessLog: accessLog({ destination: lines, enabled: logsAccess }),
    clock: systemClock,
    log,
    onFault,
  });
  const server = createProxyServer({
    exchange: plane.handle,
    proxyName,
    onRefused: plane.refused,
    maxConnections: plane.maxConnections,
    headLimits: () => plane.table().headLimits,
    connections: plane.connections,
    tls: config.listeners.proxy.tls && [config.listeners.proxy.tls].flat(),
    ticketSecret: () => options.secrets.of(ticketsOwner)[0],
    idleTimeoutMs: config.listeners.proxy.idle,
    owesHeader: config.listeners.proxy.proxyProtocol ? (address) => plane.table().trusts(address) : undefined,
    onHeaderRefused: seldom((fault, address) => log.warn({ fault, address }, refusedHeader)),
    onFault,
  });
  return {
    listen: () => server.listen(at),
    table: plane.table,
    ownership: plane.ownership,
    pins: plane.pins,
    budget: plane.budget,
    lookAtKey: async (question) => plane.desk.look(question),
    prepare(loaded, of) {
      server.refresh();
      return plane.prepare(loaded.config, of);
    },
    drain: ({ idle, grace }) => server.close(grace, idle),
    close: plane.close,
  };
}

const refusedHeader = "a trusted proxy's connection was closed: it did not begin with a sound PROXY header";
const seldomMs = 60_000;

/** @returns the same, at most once a minute */
function seldom<Of extends readonly unknown[]>(act: (...of: Of) => void): (...of: Of) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (...of) => {
    const now = performance.now();
    if (now - last < seldomMs) return;
    last = now;
    act(...of);
  };
}

/** @returns logs an error that nobody expects: it ends an exchange at most, never the process */
export function faultsTo(log: Log): (error: unknown) => void {
  return (error) => log.error({ error: errorText(error) }, "a fault of the proxy's own");
}

/** What else a decision goes by, and what is known of past ones. */
interface Around {
  readonly lists: Lists;
  readonly exposure: MoneyAtRisk;
  readonly past: Pick<PastStore, "of">;
}

/** Explains decisions by the routes and the states in force, as the admin API says it. */
export function explainer(
  serving: Pick<Serving, "table" | "ownership" | "pins">,
  following: Following,
  { past, ...around }: Around,
): (name: string, query: ExplainQuery) => Promise<Explanation | undefined> {
  const rollbacks = createRollbacks(following);
  const context = { ...serving, ...around, following, rollbacks, clock: systemClock };
  return async (name, { order, at, ...query }) => {
    const key = query.key ?? order;
    const explained = await explain({ ...context, table: serving.table() }, name, { ...query, key });
    if (explained === undefined) return undefined;
    const then = key ? await lookAtPast(past, systemClock, { name, key, at }) : null;
    return { ...explanationOf(explained), past: then };
  };
}

function explanationOf(explained: Explained): Omit<Explanation, "past"> {
  const { decision, bucket, cohort, percentThousandths, state, owner, journey, routes, sentence } = explained;
  return {
    side: decision.side,
    reason: decision.reason,
    bucket: bucket ?? null,
    ...(cohort === undefined ? {} : { cohort: cohort.name }),
    percent: percentToNumber(percentThousandths),
    version: state.version,
    owner: owner === undefined ? null : { side: owner.side ?? null, by: owner.by },
    journey:
      journey === undefined
        ? null
        : { side: journey.side, startedAt: new Date(journey.startedAt * 1000).toISOString() },
    routes: routes.map(({ cutover, name, when = null }) => ({ cutover, name, when })),
    sentence,
  };
}
