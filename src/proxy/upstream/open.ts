/**
 * The upstreams of the configurations that still have requests: for each its engine, the admission before it, and the
 * checks of its health. One whose place and limits stay the same across a reload keeps its connections; one that no
 * configuration names any more is closed once its last request is over.
 */
import { readFileSync } from "node:fs";
import type { LookupFunction } from "node:net";
import type { Clock, Timers } from "../../base/clock.ts";
import { createNames } from "../../base/dial/names.ts";
import type { Log } from "../../base/log.ts";
import type { Config, UpstreamConfig } from "../../config/schema.ts";
import { hostOf } from "../destinations.ts";
import { type Admission, createAdmission, type Way } from "./admission.ts";
import { type Breaker, createBreaker } from "./breaker.ts";
import { type HealthCheck, startHealthCheck } from "./health.ts";
import { createHttpProxyUpstream } from "./http-proxy/engine.ts";
import type { UpstreamMetrics } from "./metrics.ts";
import type { Upstream, UpstreamTls } from "./port.ts";
import { createSlots } from "./slots.ts";
import { createUndiciUpstream } from "./undici/engine.ts";
import { createUpgradeUpstream } from "./websocket.ts";

interface UpstreamSurroundings {
  readonly metrics: UpstreamMetrics;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
  readonly log: Log;
  /** Finds the addresses of hosts for all of them. */
  readonly lookup?: LookupFunction;
}

interface UpstreamPool {
  /**
   * @returns the ways to all upstreams of the configuration, and `release`: no request of the configuration uses them any more
   * @throws Error when a certificate, a key or an authority cannot be read
   */
  lease(config: Config): { readonly ways: ReadonlyMap<string, Way>; release(): void };
  /** Resolves when all that were released are closed. */
  settled(): Promise<void>;
}

interface Opened {
  readonly way: Way;
  close(): Promise<void>;
}

interface Shared extends Opened {
  users: number;
}

export function createUpstreamPool(
  surroundings: UpstreamSurroundings,
  onFault: (error: unknown) => void,
): UpstreamPool {
  const shared = new Map<string, Shared>();
  const around = { ...surroundings, lookup: surroundings.lookup ?? createNames() };
  const closing = new Set<Promise<void>>();

  function take(key: string, create: () => Opened): Way {
    const known = shared.get(key) ?? { ...create(), users: 0 };
    shared.set(key, known);
    known.users += 1;
    return known.way;
  }

  function giveBack(key: string): void {
    const known = shared.get(key);
    if (known === undefined) return;
    known.users -= 1;
    if (known.users > 0) return;
    shared.delete(key);
    const closed = known
      .close()
      .catch(onFault)
      .finally(() => closing.delete(closed));
    closing.add(closed);
  }

  return {
    lease(config) {
      const keys: string[] = [];
      const ways = Object.entries(config.upstreams).map(([name, declared]) => {
        const key = JSON.stringify([config.engine, name, declared]);
        keys.push(key);
        return [name, take(key, () => openWay(config.engine, name, declared, around))] as const;
      });
      return {
        ways: new Map(ways),
        release: () => {
          for (const key of keys.splice(0)) giveBack(key);
        },
      };
    },
    async settled() {
      await Promise.all(closing);
    },
  };
}

function openWay(
  engine: Config["engine"],
  name: string,
  declared: UpstreamConfig,
  surroundings: UpstreamSurroundings,
): Opened {
  const { max, queue, wait: waitMs } = declared.concurrency;
  const slots = createSlots({ max, queue, waitMs });
  const breaker = breakerOf(name, declared, surroundings);
  const transports = openTransports(engine, name, declared, surroundings.lookup);
  const health = healthOf(engine, name, declared, breaker, surroundings);
  const watched = surroundings.metrics.watch(name, () => ({
    inFlight: slots.taken,
    queued: slots.queued,
    breaker: breaker?.state,
    healthy: health?.isWell,
  }));
  const admission = createAdmission({
    ...{ slots, breaker },
    ...{ onShed: watched.shed, onRepeated: watched.repeated },
  });
  const closeTransports = () => Promise.all([transports.engine.close(), transports.upgrades.close()]);
  return {
    way: { admission, ...transports },
    async close() {
      await Promise.all([health?.close(), admission.unqueued().then(closeTransports)]);
      watched.end();
    },
  };
}

/** @throws Error when a certificate, a key or an authority cannot be read */
export function openTransports(
  engine: Config["engine"],
  name: string,
  declared: UpstreamConfig,
  lookup: LookupFunction = createNames(),
): Pick<Way, "engine" | "upgrades"> {
  const createUpstream = engine === "undici" ? createUndiciUpstream : createHttpProxyUpstream;
  const { connections, timeouts, lenient } = declared;
  const url = new URL(declared.url);
  const tls = url.protocol === "https:" ? tlsOf(declared) : undefined;
  const { connect: connectMs, headers: headersMs, idle: idleMs, upgrade } = timeouts;
  return {
    engine: createUpstream({
      name,
      url,
      tls,
      lookup,
      lenient,
      connections: connections.max,
      maxAgeMs: connections.maxAge,
      timeouts: { connectMs, headersMs, idleMs },
    }),
    upgrades: createUpgradeUpstream({
      name,
      url,
      tls,
      lookup,
      lenient,
      timeouts: { connectMs, handshakeMs: upgrade.handshake, idleMs },
      limits: { idleMs: upgrade.idle, lifetimeMs: upgrade.lifetime },
    }),
  };
}

function tlsOf({ host, tls }: UpstreamConfig): UpstreamTls {
  // Without a name of its own it is known by its address.
  const named = host === "preserve" || host === "upstream" ? undefined : host.replace(/:\d+$/, "");
  const { ca, cert, key, servername = named, verify = true } = tls ?? {};
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  return { ca: read(ca), cert: read(cert), key: read(key), servername, verify };
}

function breakerOf(
  upstream: string,
  { breaker }: UpstreamConfig,
  { clock, log }: UpstreamSurroundings,
): Breaker | undefined {
  if (breaker === undefined) return undefined;
  const { failures, open: openMs, probes } = breaker;
  return createBreaker({
    failures,
    openMs,
    probes,
    clock,
    onChange: (to, from) => log.warn({ upstream, from, to }, "the breaker changed its state"),
  });
}

function healthOf(
  engine: Config["engine"],
  name: string,
  declared: UpstreamConfig,
  breaker: Breaker | undefined,
  { timers, log, lookup }: UpstreamSurroundings,
): HealthCheck | undefined {
  const { health, timeouts, url } = declared;
  if (health === undefined) return undefined;
  const { path, interval: intervalMs, timeout } = health;
  // One connection of its own, and no wait longer than a check's.
  const within = { ...timeouts, connect: timeout, headers: timeout, idle: timeout };
  return startHealthCheck({
    engine: openTransports(
      engine,
      name,
      { ...declared, connections: { ...declared.connections, max: 1 }, timeouts: within },
      lookup,
    ).engine,
    // Asked for what requests ask for; who shops by another name is not known here.
    host: hostOf(declared) ?? new URL(url).host,
    path,
    intervalMs,
    timeoutMs: timeout,
    timers,
    onChange(isWell) {
      log.warn({ upstream: name }, isWell ? "the upstream is well again" : "the upstream is unwell");
      if (isWell) breaker?.foundWell();
      else breaker?.foundUnwell();
    },
  });
}

/** Ways by the upstreams' names for a table that is asked for decisions and never for the way. */
export function unreachableWays(config: Config): ReadonlyMap<string, Way> {
  return new Map(Object.keys(config.upstreams).map((name) => [name, unreachable(name)]));
}

function unreachable(name: string): Way {
  const refuse = () => {
    throw new Error(`no request goes to ${name} from here`);
  };
  const engine: Upstream = { name, forward: refuse, close: async () => {} };
  const admission: Admission = {
    enter: refuse,
    enterGranted: refuse,
    withdraw: refuse,
    connected: refuse,
    leave: refuse,
    refuse,
    repeated: refuse,
    unqueued: async () => {},
  };
  return { admission, engine, upgrades: engine };
}
