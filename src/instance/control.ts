/** What an instance is to the fleet and to its operators: the store, what it follows, the metrics, the secrets. */
import { createJournal } from "../audit/journal.ts";
import { createAuditMetrics } from "../audit/metrics.ts";
import { type Audit, noAudit } from "../audit/port.ts";
import { systemClock, systemTimers } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import { createUnderWayGauges } from "../ownership/metrics.ts";
import { openOwnershipStores } from "../ownership/stores/open.ts";
import type { OwnershipStores } from "../ownership/stores/port.ts";
import { createFiguresUnderWay, type FiguresUnderWay } from "../ownership/under-way/figures.ts";
import type { UnderWayQuestion } from "../ownership/under-way/port.ts";
import { countsOrders } from "../proxy/routes.ts";
import { createJourneySecrets, type JourneySecrets } from "../proxy/secrets.ts";
import { createFollower, type Follower } from "../state/follow/follow.ts";
import type { Snapshot } from "../state/follow/snapshot.ts";
import { createSnapshotFile } from "../state/follow/snapshot-file.ts";
import { openStore } from "../state/store/open.ts";
import type { Store, WhenStale } from "../state/store/port.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { addProcessMetrics } from "../telemetry/process-metrics.ts";
import { watchRollbacks } from "../telemetry/rollbacks.ts";
import { createTraffic, type Traffic } from "../telemetry/traffic/traffic.ts";
import { routesOf } from "./data-plane.ts";
import { patiently } from "./sockets.ts";

export interface ControlOptions {
  readonly instance: { readonly id: string; readonly startedAt: string };
  readonly version: string;
  /** The configuration in force. */
  readonly config: () => Config;
  /** As `Front.versions`; asked once there is a front. */
  readonly versions: () => Readonly<Record<string, number>> | undefined;
  readonly logLinesDropped: () => number;
  readonly onSecretsChange: () => void;
  readonly log: Log;
  /** Takes what undoes a step, to be done last first. */
  readonly undo: (step: () => Promise<void> | void) => void;
}

export interface Control {
  readonly store: Store;
  readonly ownershipStores: OwnershipStores;
  readonly follower: Follower;
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  readonly secrets: JourneySecrets;
  readonly audit: Audit;
  /** Reads what is under way in the fleet. */
  readonly underWay: () => Promise<FiguresUnderWay>;
}

/** @throws Error when the embedded store can not be opened */
export async function openControl(config: Config, options: ControlOptions): Promise<Control> {
  const { instance, log, undo } = options;
  const clock = systemClock;
  const { prefix } = config;
  const names = Object.keys(config.cutovers);
  const { store, redis } = await patiently(config.listeners.wait, () =>
    openStore(config.store, { prefix, clock, log }),
  );
  undo(() => store.close());
  const ownershipStores = await openOwnershipStores({ url: config.store, redis, prefix, clock });
  undo(() => ownershipStores.close());
  const snapshotFile =
    config.snapshot === undefined ? undefined : createSnapshotFile({ path: config.snapshot, clock, log });
  if (snapshotFile !== undefined) undo(() => snapshotFile.settled());

  const traffic = createTraffic({ cutovers: names, clock });
  const follower = createFollower({
    store,
    names,
    instance,
    versions: options.versions,
    traffic: () => traffic.snapshot(),
    get whenStale() {
      return whenStale(options.config());
    },
    clock,
    log,
    snapshotFile,
    onRejected: (name) => metrics.rejected(name),
    onRegressed: (name) => metrics.regressed(name),
  });
  const metrics = createMetrics({
    cutovers: routesOf(config),
    version: options.version,
    contact: () => follower.contact(),
    logLinesDropped: options.logLinesDropped,
    traffic,
  });
  addProcessMetrics(metrics.registry);
  const underWay = createFiguresUnderWay(ownershipStores.underWay, () =>
    follower.contact().up ? questionsUnderWay(options.config(), follower.current()) : [],
  );
  createUnderWayGauges(metrics.registry, underWay, clock.now);
  follower.onSwap((snapshot) => {
    for (const [name, state] of snapshot.states) metrics.setState(name, state);
  });
  undo(() => follower.stop());
  await follower.start();
  follower.onSwap(watchRollbacks(metrics));
  const audit = openAudit(config, options, { store, follower, metrics });

  const secrets = createJourneySecrets({
    store,
    timers: systemTimers,
    configured: journeySecretsOf(config),
    kept: (await snapshotFile?.read())?.shared ?? new Map(),
    keep: (name, secret) => snapshotFile?.keepShared(name, secret),
    onChange: options.onSecretsChange,
  });
  undo(() => secrets.stop());
  await secrets.start();
  return { store, ownershipStores, follower, metrics, traffic, secrets, audit, underWay };
}

function openAudit(
  { audit: path }: Config,
  { instance, log, undo }: ControlOptions,
  { store, follower, metrics }: Pick<Control, "store" | "follower" | "metrics">,
): Audit {
  if (path === undefined) return noAudit;
  const journal = createJournal({ path, instance: instance.id, store, follower, clock: systemClock, log });
  undo(() => journal.close());
  createAuditMetrics(metrics.registry, journal.status);
  return journal;
}

/** What can be counted of each cutover, as it is configured. */
export function questionsUnderWay(
  { cutovers }: Pick<Config, "cutovers">,
  { states }: Pick<Snapshot, "states">,
): readonly UnderWayQuestion[] {
  return Object.entries(cutovers).flatMap(([cutover, declared]): UnderWayQuestion[] => {
    const epoch = states.get(cutover)?.pinEpoch ?? 0;
    return [
      ...(declared.journey === undefined ? [] : [{ kind: "journeys", cutover, epoch } as const]),
      ...(countsOrders(declared) ? [{ kind: "orders", cutover, epoch: 0 } as const] : []),
    ];
  });
}

/** Of each cutover with journeys; empty: to be generated. */
export function journeySecretsOf({ cutovers }: Config): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Object.entries(cutovers).flatMap(([name, { journey }]) =>
      journey === undefined ? [] : [[name, journey.secret]],
    ),
  );
}

function whenStale({ cutovers, staleAfter }: Config): WhenStale {
  const legacy = Object.entries(cutovers).flatMap(([name, { onStale }]) =>
    onStale === "legacy" ? name : [],
  );
  return { afterMs: staleAfter, legacy };
}
