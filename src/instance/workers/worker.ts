/**
 * A worker: it serves requests on the listener it shares with the others, decides by what its primary tells it, and
 * hands over what it counts. It goes by the primary alone: signals are the primary's to hear, and a primary that is
 * gone takes it along (node:cluster).
 */

import { systemClock } from "../../base/clock.ts";
import { errorText } from "../../base/log.ts";
import { type ConfigSource, readConfig } from "../../config/load/load.ts";
import type { Config } from "../../config/schema.ts";
import { openOwnershipStores } from "../../ownership/stores/open.ts";
import { createProxyServer } from "../../proxy/listen/server.ts";
import { openStore } from "../../state/store/open.ts";
import { accessLog, createLog } from "../../telemetry/log.ts";
import { openLog } from "../../telemetry/log-file.ts";
import { createRegistry } from "../../telemetry/registry.ts";
import { createHandOver } from "../../telemetry/requests/hand-over.ts";
import { type DataPlane, openDataPlane, type Prepared, routesOf } from "../data-plane.ts";
import { createCarriedTaker } from "./carried.ts";
import { createTaughtFollowing } from "./following.ts";
import type { Link } from "./link.ts";
import { type Drain, protocol, reportEveryMs, type Start, type ToWorker } from "./messages.ts";
import { askingStores } from "./ownership.ts";

/** Waits for the primary's word, then serves until it is told to drain. @param end ends the process */
export function runWorker(link: Link, end: () => void): void {
  void link.send({ type: "booted" });
  link.onMessage((message) => {
    if (message.type !== "start") return;
    serve(link, message, end).catch((error: unknown) => {
      const code = error instanceof Error && "code" in error ? { code: String(error.code) } : {};
      void link.send({ type: "failed", message: errorText(error), ...code });
    });
  });
}

async function serve(link: Link, start: Start, end: () => void): Promise<void> {
  if (start.protocol !== protocol) {
    throw new Error(
      "this release can not serve under the running primary: restart the whole process to upgrade",
    );
  }
  const clock = systemClock;
  const following = createTaughtFollowing(clock);
  let secrets = start.secrets;
  let followed = following.teach(start.snapshot);
  following.hear(start.contact);
  /** What waits until the worker serves. */
  let later: ToWorker[] | undefined = [];
  let obey = (message: ToWorker) => void later?.push(message);

  link.onMessage((message) => {
    if (message.type === "snapshot") {
      followed = following.teach(message.snapshot);
      void link.send({ type: "following", ...followed });
    } else if (message.type === "contact") following.hear(message.contact);
    else if (message.type === "secrets") secrets = message.secrets;
    else obey(message);
  });

  const config = configOf(start.source);
  const { lines, end: endLines } = openLog(start.logPath, true);
  const log = createLog({ level: start.logLevel, destination: lines, fields: { worker: start.worker } });
  const onFault = (error: unknown) => log.error({ error: errorText(error) }, "a fault of the proxy's own");
  const { ownershipStores, close: closeStores } = await ownershipStoresOf(config, link, log);
  const handOver = createHandOver();
  const registry = createRegistry();
  const proxyName = `cutover-${start.instance}`;
  const plane = await openDataPlane(config, handOver.generation(routesOf(config)), {
    id: `${start.instance}-${start.worker}`,
    proxyName,
    following,
    ownershipStores,
    secrets: { of: (cutover) => secrets[cutover] ?? [] },
    registry,
    accessLog: accessLog({ destination: lines, enabled: start.accessLog }),
    clock,
    log,
    onFault,
  });
  const server = createProxyServer({
    exchange: plane.handle,
    proxyName,
    onRefused: plane.refused,
    maxConnections: plane.maxConnections,
    connections: plane.connections,
    tls: config.listeners.proxy.tls,
    onFault,
  });
  const port = await server.listen(start.at);

  const taker = createCarriedTaker(registry);
  let droppedBefore = 0;
  async function report(seq?: number): Promise<void> {
    const metrics = await taker.take();
    const logLinesDropped = lines.dropped() - droppedBefore;
    droppedBefore += logLinesDropped;
    const { user, system } = process.cpuUsage();
    await link.send({
      type: "report",
      ...(seq === undefined ? {} : { seq }),
      ...handOver.take(),
      metrics,
      logLinesDropped,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
    });
  }
  const reporting = setInterval(() => void report(), reportEveryMs);

  async function drain({ idle, grace }: Drain): Promise<void> {
    await server.close(grace, idle);
    clearInterval(reporting);
    await plane.close();
    await closeStores();
    await endLines();
    await report();
    end();
  }

  const changes = createChanges(link, plane, (declared) => handOver.generation(routesOf(declared)));
  obey = (message) => {
    if (message.type === "prepare") server.refresh();
    if (message.type === "collect") void report(message.seq);
    else if (message.type === "drain") void drain(message.drain).catch(onFault);
    else changes(message);
  };
  void link.send({ type: "following", ...followed });
  void link.send({ type: "listening", port });
  for (const message of later) obey(message);
  later = undefined;
}

/** What the primary says of another configuration. */
function createChanges(
  link: Link,
  plane: DataPlane,
  counting: (config: Config) => Parameters<DataPlane["prepare"]>[1],
): (message: ToWorker) => void {
  let prepared: Prepared | undefined;
  return (message) => {
    if (message.type === "prepare") {
      try {
        const declared = configOf(message.source);
        prepared = plane.prepare(declared, counting(declared));
        void link.send({ type: "prepared" });
      } catch (error) {
        void link.send({ type: "prepared", problem: errorText(error) });
      }
    } else if (message.type === "commit") {
      prepared?.commit();
      prepared = undefined;
    } else if (message.type === "discard") {
      prepared?.discard();
      prepared = undefined;
    }
  };
}

/** Read again from the bytes the primary accepted. @throws Error when this release refuses them */
function configOf({ file, text }: ConfigSource): Config {
  const loaded = readConfig(Buffer.from(text), file, process.env);
  if (loaded.ok) return loaded.config;
  const [first] = loaded.problems;
  throw new Error(
    `the configuration is not this release's: ${first?.path ?? ""} ${first?.message ?? ""}`.trim(),
  );
}

/** Redis is asked directly; what is kept beside an embedded store is the primary's to tell. */
async function ownershipStoresOf(config: Config, link: Link, log: ReturnType<typeof createLog>) {
  const clock = systemClock;
  const { store: url, prefix } = config;
  if (url.startsWith("memory:") || url.startsWith("file:")) {
    return { ownershipStores: askingStores(link.ask, clock), close: async () => {} };
  }
  const { store, redis } = await openStore(url, { prefix, clock, log });
  const ownershipStores = await openOwnershipStores({ url, redis, prefix, clock });
  return {
    ownershipStores,
    close: async () => {
      await ownershipStores.close();
      await store.close();
    },
  };
}
