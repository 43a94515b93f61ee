/** Builds a running instance from a configuration and takes it down in reverse; the only place that knows every room. */
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createAccessCounts } from "../admin/access/metrics.ts";
import type { Phase } from "../admin/api/instance-view.ts";
import { type AdminServer, createAdminServer } from "../admin/server.ts";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ConfigSource, LoadResult } from "../config/load/load.ts";
import type { Config } from "../config/schema.ts";
import { createListDesk } from "../lists/desk.ts";
import { addListMetrics } from "../lists/metrics.ts";
import { originOf } from "../proxy/listen/server.ts";
import { createLog, type LogLevel } from "../telemetry/log.ts";
import { type LogFile, openLogFile } from "../telemetry/log-file.ts";
import { createOlderSeries } from "../telemetry/older/older.ts";
import { breakGlass, type Control, openControl } from "./control.ts";
import { createOwnerDesk } from "./owner-desk.ts";
import { openPlans } from "./plans/plans.ts";
import { createProfile, type Profile } from "./profile.ts";
import { createReload } from "./reload.ts";
import { explainer, openServing, type Serving } from "./serving.ts";
import { findPort, type InheritedSockets, patiently } from "./sockets.ts";
import type { Workers } from "./workers/primary.ts";
import { createWorkerVersions, type WorkerVersions } from "./workers/versions.ts";

interface InstanceOptions {
  /** Where log lines go: a file, or standard output without it. */
  readonly logPath?: string;
  readonly logLevel?: LogLevel;
  readonly accessLog?: boolean;
  readonly version: string;
  /** Where the configuration was read from; without it there can be no workers and no reload. */
  readonly file?: { readonly source: ConfigSource; read(): Promise<LoadResult> };
  readonly sockets?: InheritedSockets;
}

export interface Instance {
  readonly id: string;
  readonly proxy: { readonly url: string };
  readonly admin: { readonly url: string };
  /** Rolls back every cutover on this instance alone, at once; the store is told as soon as it answers. */
  breakGlass(): void;
  /** Reads the configuration again and swaps it whole, or keeps the one in force; which, the log says. */
  reload(): Promise<void>;
  /** Replaces the workers one after the other. */
  restartWorkers(): Promise<void>;
  /** Stops taking requests, lets those under way finish, and closes everything. */
  close(): Promise<void>;
}

/** @throws Error when a listener's port is taken or the embedded store cannot be opened; nothing is left behind */
export async function composeInstance(config: Config, options: InstanceOptions): Promise<Instance> {
  /** What takes down what was built, last first. */
  const teardown: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const step of teardown.splice(0).reverse()) await step();
  };
  try {
    return await build(config, options, (step) => teardown.push(step), close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** What of it changes. */
interface Life {
  /** The configuration in force. */
  config: Config;
  phase: Phase;
  workersLinesDropped: number;
}

/** What the parts of an instance share. */
interface Shared extends Life {
  readonly options: InstanceOptions;
  readonly instance: { readonly id: string; readonly startedAt: string };
  readonly lines: LogFile;
  readonly log: Log;
  readonly undo: (step: () => Promise<void> | void) => void;
  readonly profile: Profile;
}

async function build(
  config: Config,
  options: InstanceOptions,
  undo: Shared["undo"],
  close: () => Promise<void>,
): Promise<Instance> {
  const instance = {
    id: randomBytes(4).toString("hex"),
    startedAt: new Date(systemClock.now()).toISOString(),
  };
  const size = config.workers === "auto" ? availableParallelism() : config.workers;
  const lines = openLogFile(options.logPath, size > 1);
  const log = createLog({ level: options.logLevel ?? "info", destination: lines });
  const parts = { options, instance, lines, log, undo };
  const life: Life = { config, phase: "starting", workersLinesDropped: 0 };
  const profile = createProfile(life, systemClock);
  const shared: Shared = Object.assign(life, parts, { profile });
  undo(() => {
    if (shared.phase === "draining") log.info({ instance: instance.id }, "stopped");
    return lines.end();
  });
  const versions = size > 1 ? createWorkerVersions() : undefined;
  const control = await openControl(config, {
    instance,
    version: options.version,
    config: () => shared.config,
    versions: versions?.lowest,
    profile: profile.read,
    logLinesDropped: () => lines.dropped() + shared.workersLinesDropped,
    ...{ log, undo },
  });
  addListMetrics(control.metrics.registry, control.lists.keeper);
  const workers = versions && (await openWorkers(shared, control, size, versions));
  const serving = workers ?? (await openHere(shared, control));
  undo(() => serving.close());

  const { admin, url } = await openAdmin(shared, control, serving, workers);
  const port = await serving.listen();
  profile.listens({ proxyPort: port });
  undo(async () => {
    shared.phase = "draining";
    log.info({ instance: instance.id, ...shared.config.drain }, "draining");
    control.follower.announce();
    await sleep(shared.config.drain.delay);
    await serving.drain(shared.config.drain);
  });
  shared.phase = "ready";
  const reload = reloadOf({ shared, control, serving, workers, admin });
  const { host, tls } = config.listeners.proxy;
  const proxyUrl = originOf(host, port, tls === undefined ? "http" : "https");
  log.info({ instance: instance.id, proxy: proxyUrl, admin: url }, "ready");
  return {
    id: instance.id,
    proxy: { url: proxyUrl },
    admin: { url },
    breakGlass() {
      log.error({ instance: instance.id }, "SIGUSR1: rolling back every cutover on this instance");
      breakGlass(control, Object.keys(shared.config.cutovers), log);
      const everywhere = workers?.inForce() ?? Promise.resolve();
      void everywhere.then(() =>
        log.error({ instance: instance.id }, "SIGUSR1: in force in every process of this instance"),
      );
    },
    reload,
    async restartWorkers() {
      if (workers !== undefined) return workers.restart();
      log.warn({}, "there are no workers to restart: with workers 1 the instance is one process");
    },
    close,
  };
}

interface Built {
  readonly shared: Shared;
  readonly control: Control;
  readonly serving: Serving | Workers;
  readonly workers: Workers | undefined;
  readonly admin: AdminServer;
}

function reloadOf({ shared, control, serving, workers, admin }: Built): () => Promise<void> {
  const { file } = shared.options;
  if (file === undefined) return async () => {}; // There is nothing to read again.
  return createReload({
    read: () => file.read(),
    config: () => shared.config,
    onSwap(next) {
      shared.config = next;
    },
    onRead: shared.profile.reread,
    control,
    prepare: (loaded, counting) => serving.prepare(loaded, counting),
    onSecrets: () => workers?.tellSecrets(),
    admin,
    log: shared.log,
  });
}

async function openAdmin(
  shared: Shared,
  control: Control,
  serving: Pick<Serving, "table" | "ownership" | "pins" | "lookAtKey">,
  workers: Workers | undefined,
): Promise<{ readonly admin: AdminServer; readonly url: string }> {
  const { config, options, instance, log, undo } = shared;
  const { store, follower, metrics, traffic, audit, ownershipStores } = control;
  const { past } = ownershipStores;
  const older = createOlderSeries({ url: () => shared.config.prometheus, clock: systemClock });
  const admin = await createAdminServer({
    tls: config.listeners.admin.tls,
    ...{ store, follower, audit, older },
    journeys: (name, records) => control.tellings.journeys(name, records, instance.id),
    cutovers: config.cutovers,
    auth: config.auth,
    async metrics(accept) {
      await workers?.collect();
      return metrics.page(accept);
    },
    ...(workers === undefined ? {} : { versions: workers.versions, inForce: workers.inForce }),
    traffic: () => traffic.snapshot(),
    ...{ underWay: control.underWay, ownerStores: control.ownerStores.contacts },
    ...{ instance, past },
    ...{ profile: control.profile, roll: control.roll, prefix: config.prefix, console: config.console },
    refusedByHand: follower.refusedByHand,
    explain: explainer(serving, follower, { exposure: control.exposure, lists: control.lists.keeper, past }),
    ...{ guard: control.guard.known, exposure: control.exposure.standing },
    ...{ onProposed: control.notifier.proposed, plans: openPlans(shared, control, workers) },
    lists: createListDesk({ ...control.lists, declared: () => shared.config.lists, clock: systemClock }),
    owners: createOwnerDesk({ instance: instance.id, control, serving, clock: systemClock, undo }),
    counts: createAccessCounts(metrics.registry),
    health: () => (shared.phase === "ready" && workers?.serves() === false ? "starting" : shared.phase),
    ...{ clock: systemClock, log, version: options.version },
  });
  undo(() => admin.close());
  undo(older.close);
  const at = config.listeners.admin;
  const socket = options.sockets?.admin;
  if (socket === undefined) await patiently(config.listeners.wait, () => findPort(at));
  const listening = await admin.listen({ ...at, ...(socket === undefined ? {} : { fd: socket }) });
  shared.profile.listens({ adminPort: listening.port });
  return { admin, ...listening };
}

async function openHere(shared: Shared, control: Control): Promise<Serving> {
  const { config, options, instance, lines, log } = shared;
  const fd = options.sockets?.proxy;
  const { host, port } = config.listeners.proxy;
  if (fd === undefined && config.listeners.wait > 0) {
    await patiently(config.listeners.wait, () => findPort({ host, port }));
  }
  return openServing(config, control.metrics.counting, {
    id: instance.id,
    instance: instance.id,
    at: fd === undefined ? { host, port } : { fd },
    following: control.follower,
    ...{ ownershipStores: control.ownershipStores, secrets: control.secrets, lists: control.lists.keeper },
    registry: control.metrics.registry,
    guardCounting: control.guardCounting,
    exposure: control.exposure,
    lines,
    logsAccess: options.accessLog ?? true,
    log,
  });
}

/** The program of a worker: worker.ts as it was built, or as it is in the source. */
const workerProgram = fileURLToPath(import.meta.url).replace(/instance(?=\.[jt]s$)/, "../worker");

async function openWorkers(
  shared: Shared,
  control: Control,
  size: number,
  versions: WorkerVersions,
): Promise<Workers> {
  const { config, options, instance, log } = shared;
  const source = options.file?.source;
  if (source === undefined) throw new Error("workers need a configuration that is in a file");
  const fd = options.sockets?.proxy;
  const { host } = config.listeners.proxy;
  const at =
    fd === undefined
      ? { host, port: await patiently(config.listeners.wait, () => findPort(config.listeners.proxy)) }
      : { fd };
  // A process that is the whole instance does not load what speaks to workers.
  const { createWorkers } = await import("./workers/primary.ts");
  const workers = createWorkers({
    size,
    program: workerProgram,
    instance: instance.id,
    at,
    config,
    source,
    control,
    versions,
    logging: {
      level: options.logLevel ?? "info",
      accessLog: options.accessLog ?? true,
      path: options.logPath,
    },
    onLogLinesDropped(more) {
      shared.workersLinesDropped += more;
    },
    log,
    onLost() {
      if (fd === undefined) return;
      // The last worker took the descriptor along: the supervisor, who holds the socket, starts anew.
      log.error({}, "no worker is left and the socket that was handed over is closed");
      process.exit(1);
    },
  });
  control.secretsChanged.hear(workers.tellSecrets);
  return workers;
}
