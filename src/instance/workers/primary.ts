/**
 * The instance is a primary, which holds the port and whatever the instance is to the outside, and workers, which
 * serve. To the fleet it is one instance: it decides by a version once all its workers do.
 */

import { systemClock, systemTimers, within } from "../../base/clock.ts";
import { coalesce } from "../../base/coalesce.ts";
import type { Log } from "../../base/log.ts";
import type { ConfigSource, LoadedConfig } from "../../config/load/load.ts";
import type { Config } from "../../config/schema.ts";
import { createOwnership } from "../../ownership/ownership.ts";
import { createPins } from "../../ownership/pins.ts";
import type { OwnershipStores } from "../../ownership/stores/port.ts";
import type { ListenAt } from "../../proxy/listen/server.ts";
import { compileTable } from "../../proxy/routes.ts";
import type { JourneySecrets } from "../../proxy/secrets.ts";
import { unreachableWays } from "../../proxy/upstream/open.ts";
import type { Follower } from "../../state/follow/follow.ts";
import type { LogLevel } from "../../telemetry/log.ts";
import type { Generation, Metrics } from "../../telemetry/metrics.ts";
import type { Traffic } from "../../telemetry/traffic/traffic.ts";
import type { Front } from "../serving.ts";
import { type CarriedSource, createCarriedSource } from "./carried.ts";
import type { Member } from "./member.ts";
import { hostMs, protocol, type Report, reportEveryMs, type Start } from "./messages.ts";
import { createWorkerMetrics } from "./metrics.ts";
import { answerFrom } from "./ownership.ts";
import { createPool } from "./pool.ts";

export interface WorkerFrontOptions {
  readonly size: number;
  readonly program: string;
  readonly instance: string;
  readonly at: ListenAt;
  readonly config: Config;
  readonly source: ConfigSource;
  /** Of `config`: the primary shows it and counts nothing on it. */
  readonly counting: Generation;
  readonly follower: Follower;
  readonly secrets: Pick<JourneySecrets, "of">;
  readonly ownershipStores: OwnershipStores;
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  readonly logging: {
    readonly level: LogLevel;
    readonly accessLog: boolean;
    readonly path: string | undefined;
  };
  readonly onLogLinesDropped: (more: number) => void;
  readonly log: Log;
  readonly onLost: () => void;
}

/** A worker that does not answer holds a scrape up no longer. */
const collectMs = 250;

export function createWorkerFront(options: WorkerFrontOptions): Front {
  const { follower, secrets, metrics, ownershipStores, log, logging } = options;
  const carried = new Map<Member, { readonly metrics: CarriedSource; inflight: Map<string, number> }>();
  const workerMetrics = createWorkerMetrics(metrics.registry);
  let { config, source, counting } = options;
  let table = tableOf(config);

  const pool = createPool({
    size: options.size,
    program: options.program,
    first: startMessage,
    log,
    onLost: options.onLost,
    events: {
      onReport: take,
      onFollowing() {
        follower.announce();
        look();
      },
      answer: (question) => answerFrom(ownershipStores, question),
      onGone(member) {
        const known = carried.get(member);
        carried.delete(member);
        known?.metrics.end();
        const inflight = [...(known?.inflight ?? [])].map(([key, count]): [string, number] => [key, -count]);
        metrics.add({ requests: [], decisions: [], durations: [], durationSums: [], inflight });
        workerMetrics.gone(member.number);
        follower.announce();
        look();
      },
    },
  });
  /** Of the last snapshot that was sent. */
  let seq = 0;
  const waiting = new Set<() => void>();

  function look(): void {
    for (const each of waiting) each();
  }

  function tableOf(declared: Config) {
    return compileTable(declared, unreachableWays(declared), secrets, () => []);
  }

  function take(member: Member, report: Report): void {
    const known = carried.get(member) ?? {
      metrics: createCarriedSource(metrics.registry),
      inflight: new Map(),
    };
    carried.set(member, known);
    for (const [key, more] of report.counts.inflight)
      known.inflight.set(key, (known.inflight.get(key) ?? 0) + more);
    metrics.add(report.counts);
    options.traffic.add(report.traffic);
    known.metrics.add(report.metrics);
    options.onLogLinesDropped(report.logLinesDropped);
    workerMetrics.told(member.number, report);
  }

  function snapshotNow() {
    const { states, local } = follower.current();
    return { seq, states: Object.fromEntries(states), local: [...(local ?? [])] };
  }
  function contactNow() {
    const { up, stalenessMs } = follower.contact();
    const agoMs = follower.inContactAgoMs();
    return { sentAtMs: hostMs(), up, stalenessMs, inContactMs: Number.isFinite(agoMs) ? agoMs : null };
  }
  function secretsOf(...configs: readonly Config[]) {
    const names = configs.flatMap(({ cutovers }) => Object.keys(cutovers));
    return Object.fromEntries(names.map((name) => [name, [...secrets.of(name)]]));
  }
  function startMessage(worker: number): Start {
    return {
      type: "start",
      protocol,
      source,
      instance: options.instance,
      worker,
      at: options.at,
      snapshot: snapshotNow(),
      contact: contactNow(),
      secrets: secretsOf(config),
      logLevel: logging.level,
      accessLog: logging.accessLog,
      ...(logging.path === undefined ? {} : { logPath: logging.path }),
    };
  }

  const restart = coalesce(async () => {
    log.info({}, "the workers are restarted one after the other");
    if (await pool.restart(config.drain)) log.info({}, "all workers were restarted");
  });

  const leave = follower.onSwap(() => {
    seq += 1;
    pool.send({ type: "snapshot", snapshot: snapshotNow() });
  });
  const telling = setInterval(() => pool.send({ type: "contact", contact: contactNow() }), reportEveryMs);

  return {
    listen: pool.start,
    table: () => table,
    explaining: askedByPeople(ownershipStores),
    versions() {
      const told = pool.members().map((member) => member.versions());
      const started = told.filter((versions) => Object.keys(versions).length > 0);
      return Object.fromEntries(
        [...follower.current().states].map(([name, { version }]) => [
          name,
          Math.min(version, ...started.map((versions) => versions[name] ?? 0)),
        ]),
      );
    },
    inForce() {
      const wanted = seq;
      return new Promise((resolve) => {
        const check = () => {
          if (!pool.members().every((member) => member.follows(wanted))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
    serves: pool.serves,
    async prepare(loaded: LoadedConfig, of: Generation) {
      const before = counting;
      try {
        const next = tableOf(loaded.config);
        pool.send({ type: "secrets", secrets: secretsOf(config, loaded.config) });
        const sent = await pool.prepare(loaded.source);
        return {
          commit() {
            ({ config, source } = loaded);
            counting = of;
            table = next;
            before.end();
            sent.commit();
          },
          discard() {
            of.end();
            sent.discard();
          },
        };
      } catch (error) {
        of.end();
        throw error;
      }
    },
    async collect() {
      const reports = Promise.all(pool.members().map((member) => member.collect()));
      await within(collectMs, systemTimers, reports).catch(() => undefined);
    },
    secretsChanged: () => pool.send({ type: "secrets", secrets: secretsOf(config) }),
    restart,
    drain: pool.close,
    async close() {
      clearInterval(telling);
      leave();
      await pool.close({ idle: 0, grace: 0 });
    },
  };
}

/** Owners and journeys, for a person who asks how a shopper would be decided: nothing is recorded or counted. */
function askedByPeople(ownershipStores: OwnershipStores): Front["explaining"] {
  const nothing = () => undefined;
  const counts = { conflict: nothing, unknown: nothing, unrecorded: nothing, disputed: nothing };
  const spool = { add: async () => undefined };
  return {
    ownership: createOwnership({ ...ownershipStores, spool, counts, clock: systemClock, remembered: 1 }),
    pins: createPins({ pins: ownershipStores.pins, clock: systemClock, onUnknown: nothing, remembered: 1 }),
  };
}
