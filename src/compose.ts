/**
 * Builds a running instance from a configuration, and takes it down in reverse. The only file that knows every
 * room.
 */
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Explanation } from "./admin/explanation.ts";
import type { Phase } from "./admin/schemas.ts";
import { createAdminServer } from "./admin/server.ts";
import type { Config } from "./config/schema.ts";
import { createOwnershipMetrics } from "./ownership/metrics.ts";
import { openOwnershipStores } from "./ownership/open.ts";
import { createOwnership } from "./ownership/ownership.ts";
import { createPins } from "./ownership/pins.ts";
import { createSpool } from "./ownership/spool.ts";
import { createSpoolFile } from "./ownership/spool-file.ts";
import { createExchange } from "./proxy/exchange.ts";
import { type Explained, explain } from "./proxy/explain.ts";
import { openUpstream } from "./proxy/forward/open.ts";
import type { Upstream } from "./proxy/forward/port.ts";
import { createIds } from "./proxy/ids.ts";
import { createFieldNames } from "./proxy/names.ts";
import { createJourneySecrets } from "./proxy/secrets.ts";
import { createProxyServer, originOf } from "./proxy/server.ts";
import { compileTable } from "./proxy/table.ts";
import { createTrust } from "./proxy/trust.ts";
import { systemClock, systemTimers } from "./state/clock.ts";
import { createFollower } from "./state/follow.ts";
import { errorText } from "./state/log.ts";
import { openStore } from "./state/open.ts";
import { percentToNumber } from "./state/percent.ts";
import { createSnapshotFile } from "./state/snapshot-file.ts";
import type { WhenStale } from "./state/store.ts";
import { createLines } from "./telemetry/lines.ts";
import { accessLog, createLog, type LogLevel } from "./telemetry/log.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { addProcessMetrics } from "./telemetry/process-metrics.ts";
import { watchRollbacks } from "./telemetry/rollbacks.ts";
import { createTraffic } from "./telemetry/traffic.ts";
import { createUpgradeCounts } from "./telemetry/upgrades.ts";

export interface InstanceOptions {
  /** Where log lines go: a file, or standard output without it. */
  readonly logPath?: string;
  readonly logLevel?: LogLevel;
  readonly accessLog?: boolean;
  readonly version: string;
}

export interface Instance {
  readonly id: string;
  readonly proxy: { readonly url: string };
  readonly admin: { readonly url: string };
  /** Rolls back every cutover on this instance alone, at once; the store is told as soon as it answers. */
  breakGlass(): void;
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
    return await build(config, options, teardown, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(
  config: Config,
  options: InstanceOptions,
  teardown: (() => Promise<void> | void)[],
  close: () => Promise<void>,
): Promise<Instance> {
  const clock = systemClock;
  const id = randomBytes(4).toString("hex");
  const startedAt = new Date(clock.now()).toISOString();
  const proxyName = `cutover-${id}`;
  const names = Object.keys(config.cutovers);
  let phase: Phase = "starting";

  const lines = openLines(options.logPath, teardown);
  const log = createLog({ level: options.logLevel ?? "info", destination: lines });
  const onFault = (error: unknown) => log.error({ error: errorText(error) }, "a fault of the proxy's own");

  const { prefix } = config;
  const { store, redis } = await openStore(config.store, { prefix, clock, log });
  teardown.push(() => store.close());
  const holding = await openOwnershipStores({ url: config.store, redis, prefix, clock });
  teardown.push(() => holding.close());
  const snapshotFile =
    config.snapshot === undefined ? undefined : createSnapshotFile({ path: config.snapshot, clock, log });
  if (snapshotFile !== undefined) teardown.push(() => snapshotFile.settled());

  const traffic = createTraffic({ cutovers: names, clock });
  const follower = createFollower({
    store,
    names,
    instance: { id, startedAt },
    traffic: () => traffic.snapshot(),
    whenStale: whenStale(config),
    clock,
    log,
    snapshotFile,
    onRejected: (name) => metrics.rejected(name),
  });
  const metrics = createMetrics({
    cutovers: Object.entries(config.cutovers).map(([name, { routes }]) => ({
      name,
      routes: routes.map((route) => route.name),
    })),
    version: options.version,
    contact: () => follower.contact(),
    logLinesDropped: () => lines.dropped(),
    traffic,
  });
  addProcessMetrics(metrics.registry);
  follower.onSwap((snapshot) => {
    for (const [name, state] of snapshot.states) metrics.setState(name, state);
  });
  teardown.push(() => follower.stop());
  await follower.start();
  follower.onSwap(watchRollbacks(metrics));

  const secrets = createJourneySecrets({
    store,
    timers: systemTimers,
    configured: new Map(
      Object.entries(config.cutovers).flatMap(([name, { journey }]) =>
        journey === undefined ? [] : [[name, journey.secret]],
      ),
    ),
    kept: (await snapshotFile?.read())?.shared ?? new Map(),
    keep: (name, secret) => snapshotFile?.keepShared(name, secret),
  });
  teardown.push(() => secrets.stop());
  await secrets.start();

  const upstreams = openUpstreams(config);
  teardown.push(async () => void (await Promise.all([...upstreams.values()].map((one) => one.close()))));
  const table = compileTable(config, upstreams, secrets, metrics.meter);
  const holdingMetrics = createOwnershipMetrics(metrics.registry, names, () => spool.waiting());
  const spool = createSpool({
    owners: holding.owners,
    file: config.spool === undefined ? undefined : createSpoolFile(config.spool, id),
    clock,
    timers: systemTimers,
    log,
    counts: holdingMetrics,
    onRecorded: ({ cutover, key }, owner) => ownership.remember(cutover, key, owner),
  });
  const ownership = createOwnership({ ...holding, spool, counts: holdingMetrics, clock });
  await spool.start();
  teardown.push(() => spool.close());
  const pins = createPins({ pins: holding.pins, clock, onUnknown: holdingMetrics.unknownPin });
  const exchange = createExchange({
    table,
    following: follower,
    ownership,
    pins,
    onUnreadBody: holdingMetrics.unreadBody,
    onLongKey: holdingMetrics.longKey,
    onIgnoredPin: holdingMetrics.ignoredPin,
    clock,
    fieldNames: createFieldNames(),
    ids: createIds(),
    accessLog: accessLog({ destination: lines, enabled: options.accessLog ?? true }),
    proxyName,
    trusts: createTrust(config.trustedProxies),
    decisionHeader: config.decisionHeader,
    upgrades: createUpgradeCounts(metrics.registry, names),
    onFault,
  });
  const noneRow = metrics.meter.row();
  const proxy = createProxyServer({
    exchange,
    proxyName,
    onRefused() {
      noneRow.began("none");
      noneRow.settled("none", "rejected", 0);
    },
    onFault,
  });
  const admin = await createAdminServer({
    store,
    follower,
    local: follower,
    cutovers: config.cutovers,
    auth: config.auth,
    metrics,
    traffic: () => traffic.snapshot(),
    instance: { id, startedAt },
    async explain(name, question) {
      const explained = await explain({ table, following: follower, ownership, pins }, name, question);
      return explained && explanationOf(explained);
    },
    health: () => phase,
    clock,
    log,
    version: options.version,
  });
  teardown.push(() => admin.close());
  const adminAt = await admin.listen(config.listeners.admin);
  const { host, port } = config.listeners.proxy;
  const proxyPort = await proxy.listen({ host, port });
  teardown.push(async () => {
    phase = "draining";
    await sleep(config.drain.delay);
    await proxy.close(config.drain.grace);
  });
  phase = "ready";
  const instance: Instance = {
    id,
    proxy: { url: originOf(host, proxyPort) },
    admin: { url: adminAt.url },
    breakGlass() {
      log.error({ instance: id }, "SIGUSR1: rolling back every cutover on this instance");
      for (const name of names) {
        const applied = follower.makeLocally({ name, action: "rollback", actor: breaker, reason: "SIGUSR1" });
        if (!applied.accepted) log.error({ cutover: name, code: applied.code }, "not rolled back by SIGUSR1");
      }
    },
    close,
  };
  log.info({ instance: id, proxy: instance.proxy.url, admin: instance.admin.url }, "ready");
  return instance;
}

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

function openLines(logPath: string | undefined, teardown: (() => Promise<void> | void)[]) {
  if (logPath === undefined) {
    const lines = createLines({ fd: process.stdout.fd });
    teardown.push(() => lines.end());
    return lines;
  }
  mkdirSync(dirname(logPath), { recursive: true });
  const fd = openSync(logPath, "a");
  const lines = createLines({ fd });
  teardown.push(async () => {
    await lines.end();
    closeSync(fd);
  });
  return lines;
}

function whenStale({ cutovers, staleAfter }: Config): WhenStale {
  const legacy = Object.entries(cutovers).flatMap(([name, { onStale }]) =>
    onStale === "legacy" ? name : [],
  );
  return { afterMs: staleAfter, legacy };
}

function openUpstreams(config: Config): ReadonlyMap<string, Upstream> {
  return new Map(
    Object.entries(config.upstreams).map(([name, declared]) => [
      name,
      openUpstream(config.engine, name, declared),
    ]),
  );
}
