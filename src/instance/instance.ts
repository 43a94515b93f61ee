/**
 * Builds a running instance from a configuration, and takes it down in reverse. With the parts in instance/, the only
 * place that knows every room.
 */
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Explanation } from "../admin/api/explanation.ts";
import type { Phase } from "../admin/api/schemas.ts";
import { createAdminServer } from "../admin/server.ts";
import { systemClock } from "../base/clock.ts";
import { errorText, type Log } from "../base/log.ts";
import type { ConfigSource, LoadResult } from "../config/load/load.ts";
import type { Config } from "../config/schema.ts";
import { type Explained, explain } from "../proxy/explain.ts";
import { originOf } from "../proxy/listen/server.ts";
import { percentToNumber } from "../state/rules/percent.ts";
import { accessLog, createLog, type LogLevel } from "../telemetry/log.ts";
import { type Lines, openLog } from "../telemetry/log-file.ts";
import { type Control, openControl } from "./control.ts";
import { openDataPlane } from "./data-plane.ts";
import { createLocalFront } from "./one-process.ts";
import { createReload } from "./reload.ts";
import type { Front } from "./serving.ts";
import { findPort, type InheritedSockets, patiently } from "./sockets.ts";
import { createWorkerFront } from "./workers/primary.ts";

export interface InstanceOptions {
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

/** Whoever may signal the process. */
const breaker = { name: "SIGUSR1", role: "responder" } as const;

/** @throws Error when a listener's port is taken or the embedded store can not be opened; nothing is left behind */
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

async function build(
  first: Config,
  options: InstanceOptions,
  undo: (step: () => Promise<void> | void) => void,
  close: () => Promise<void>,
): Promise<Instance> {
  const clock = systemClock;
  const instance = { id: randomBytes(4).toString("hex"), startedAt: new Date(clock.now()).toISOString() };
  const size = first.workers === "auto" ? availableParallelism() : first.workers;
  let config = first;
  let phase: Phase = "starting";
  let workersLinesDropped = 0;
  let front: Front | undefined;

  const { lines, end: endLines } = openLog(options.logPath, size > 1);
  undo(endLines);
  const log = createLog({ level: options.logLevel ?? "info", destination: lines });
  const control = await openControl(config, {
    instance,
    version: options.version,
    config: () => config,
    versions: () => front?.versions?.(),
    logLinesDropped: () => lines.dropped() + workersLinesDropped,
    onSecretsChange: () => front?.secretsChanged(),
    log,
    undo,
  });
  const { store, follower, metrics, traffic } = control;

  const base = { config, options, control, instance: instance.id, lines, log };
  const serving =
    size === 1
      ? await openHere(base)
      : await openWorkers(base, size, (more) => {
          workersLinesDropped += more;
        });
  front = serving;
  undo(() => serving.close());

  const admin = await createAdminServer({
    store,
    follower,
    local: follower,
    audit: control.audit,
    cutovers: config.cutovers,
    auth: config.auth,
    metrics: {
      contentType: metrics.contentType,
      async render() {
        await serving.collect();
        return metrics.render();
      },
    },
    ...(serving.versions === undefined ? {} : { versions: serving.versions }),
    inForce: serving.inForce,
    traffic: () => traffic.snapshot(),
    underWay: control.underWay,
    instance,
    async explain(name, question) {
      const explained = await explain(
        { table: serving.table(), following: follower, ...serving.explaining },
        name,
        question,
      );
      return explained && explanationOf(explained);
    },
    health: () => (phase === "ready" && !serving.serves() ? "starting" : phase),
    clock,
    log,
    version: options.version,
  });
  undo(() => admin.close());
  const { wait } = config.listeners;
  const adminSocket = options.sockets?.admin;
  if (adminSocket === undefined) await patiently(wait, () => findPort(config.listeners.admin));
  const adminAt = await admin.listen({
    ...config.listeners.admin,
    ...(adminSocket === undefined ? {} : { fd: adminSocket }),
  });
  const port = await serving.listen();
  undo(async () => {
    phase = "draining";
    await sleep(config.drain.delay);
    await serving.drain(config.drain);
  });
  phase = "ready";

  const { file } = options;
  const reload =
    file &&
    createReload({
      read: () => file.read(),
      config: () => config,
      onSwap(next) {
        config = next;
      },
      control,
      front: serving,
      admin,
      log,
    });
  const { host, tls } = config.listeners.proxy;
  const proxyUrl = originOf(host, port, tls === undefined ? "http" : "https");
  log.info({ instance: instance.id, proxy: proxyUrl, admin: adminAt.url }, "ready");
  return {
    id: instance.id,
    proxy: { url: proxyUrl },
    admin: { url: adminAt.url },
    breakGlass() {
      log.error({ instance: instance.id }, "SIGUSR1: rolling back every cutover on this instance");
      for (const name of Object.keys(config.cutovers)) {
        const asked = { name, actor: breaker, reason: "SIGUSR1" } as const;
        const applied = follower.makeLocally({ ...asked, action: "rollback" });
        const told = { ...asked, change: { action: "rollback" }, origin: { via: "local" } } as const;
        if (applied.accepted) {
          control.audit.madeLocally({ ...told, stands: applied.state });
          continue;
        }
        control.audit.refused({ ...told, code: applied.code, stands: applied.state });
        log.error({ cutover: name, code: applied.code }, "not rolled back by SIGUSR1");
      }
      void serving
        .inForce()
        .then(() =>
          log.error({ instance: instance.id }, "SIGUSR1: in force in every process of this instance"),
        );
    },
    reload: async () => reload?.(),
    restartWorkers: () => serving.restart(),
    close,
  };
}

interface Base {
  readonly config: Config;
  readonly options: InstanceOptions;
  readonly control: Control;
  readonly instance: string;
  readonly lines: Lines;
  readonly log: Log;
}

async function openHere({ config, options, control, instance, lines, log }: Base): Promise<Front> {
  const proxyName = `cutover-${instance}`;
  const onFault = (error: unknown) => log.error({ error: errorText(error) }, "a fault of the proxy's own");
  const plane = await openDataPlane(config, control.metrics.counting, {
    id: instance,
    proxyName,
    following: control.follower,
    ownershipStores: control.ownershipStores,
    secrets: control.secrets,
    registry: control.metrics.registry,
    accessLog: accessLog({ destination: lines, enabled: options.accessLog ?? true }),
    clock: systemClock,
    log,
    onFault,
  });
  const fd = options.sockets?.proxy;
  const { host, port } = config.listeners.proxy;
  if (fd === undefined && config.listeners.wait > 0) {
    await patiently(config.listeners.wait, () => findPort({ host, port }));
  }
  const { tls } = config.listeners.proxy;
  const at = fd === undefined ? { host, port } : { fd };
  return createLocalFront({ plane, at, tls, proxyName, log, onFault });
}

/** The program of a worker: worker.ts as it was built, or as it is in the source. */
const workerProgram = fileURLToPath(import.meta.url).replace(/instance(?=\.[jt]s$)/, "../worker");

async function openWorkers(
  base: Base,
  size: number,
  onLogLinesDropped: (more: number) => void,
): Promise<Front> {
  const { config, options, control, instance, log } = base;
  const source = options.file?.source;
  if (source === undefined) throw new Error("workers need a configuration that is in a file");
  const fd = options.sockets?.proxy;
  const { host } = config.listeners.proxy;
  const at =
    fd === undefined
      ? { host, port: await patiently(config.listeners.wait, () => findPort(config.listeners.proxy)) }
      : { fd };
  return createWorkerFront({
    size,
    program: workerProgram,
    instance,
    at,
    config,
    source,
    counting: control.metrics.counting,
    follower: control.follower,
    secrets: control.secrets,
    ownershipStores: control.ownershipStores,
    metrics: control.metrics,
    traffic: control.traffic,
    logging: {
      level: options.logLevel ?? "info",
      accessLog: options.accessLog ?? true,
      path: options.logPath,
    },
    onLogLinesDropped,
    log,
    onLost() {
      if (fd === undefined) return;
      // The last worker took the descriptor along: the supervisor, who holds the socket, starts anew.
      log.error({}, "no worker is left and the socket that was handed over is closed");
      process.exit(1);
    },
  });
}

/** What was explained, as the admin API says it. */
function explanationOf({ decision, bucket, state, owner, journey, sentence }: Explained): Explanation {
  return {
    side: decision.side,
    reason: decision.reason,
    bucket: bucket ?? null,
    percent: percentToNumber(state.percentThousandths),
    version: state.version,
    owner: owner === undefined ? null : { side: owner.side ?? null, by: owner.by },
    journey:
      journey === undefined
        ? null
        : { side: journey.side, startedAt: new Date(journey.startedAt * 1000).toISOString() },
    sentence,
  };
}
