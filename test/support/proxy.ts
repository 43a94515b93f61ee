/** The data plane on a real listener with real upstreams; what it counts is written down. */
import type { LookupFunction } from "node:net";
import { configSchema, type ListenerConfig } from "../../src/config/schema.ts";
import { createProxyServer } from "../../src/proxy/listen/server.ts";
import { openTransports } from "../../src/proxy/upstream/open.ts";
import { createFixture, type FixtureOptions } from "./exchange-fixture.ts";
import { wayTo } from "./ways.ts";

export const engineNames = ["undici", "http-proxy"] as const;
export type EngineName = (typeof engineNames)[number];

export interface ProxyOptions extends Omit<FixtureOptions, "ways"> {
  readonly engine?: EngineName;
  /** What the configuration says of the upstreams `old`, where all goes at percent 0, and `fresh`. */
  readonly old: Readonly<Record<string, unknown>>;
  readonly fresh?: Readonly<Record<string, unknown>>;
  readonly lookup?: LookupFunction;
  readonly tls?: ListenerConfig["tls"];
  readonly maxConnections?: number;
  /** Those of `trustedProxies` owe a PROXY header. */
  readonly proxyProtocol?: boolean;
  readonly headTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
}

export async function startProxy(options: ProxyOptions) {
  const { engine = "undici", old, fresh = old } = options;
  const { upstreams: declared } = configSchema.parse({ upstreams: { old, fresh }, default: "old" });
  const open = (name: string) => {
    const upstream = declared[name];
    if (upstream === undefined) throw new Error(`no upstream ${name}`);
    return openTransports(engine, name, upstream, options.lookup);
  };
  const opened = [open("old"), open("fresh")] as const;
  const [ofOld, ofFresh] = opened;
  const ways = { old: wayTo(ofOld.engine, ofOld.upgrades), fresh: wayTo(ofFresh.engine, ofFresh.upgrades) };
  const fixture = createFixture({ bodyLimits: { maxBytes: 64 << 20 }, ...options, ways });
  const faults: unknown[] = [];
  let clients = 0;
  const server = createProxyServer({
    exchange: fixture.exchange,
    proxyName: "cutover-test",
    headLimits: () => fixture.context.table.headLimits,
    maxConnections: () => options.maxConnections ?? 10_000,
    connections: {
      opened() {
        clients += 1;
      },
      closed() {
        clients -= 1;
      },
      refused: () => fixture.counted.push("connection refused"),
      headerRefused: (fault) => fixture.counted.push(`header ${fault}`),
    },
    onRefused: ({ status }) => fixture.counted.push(`refused ${status}`),
    tls: options.tls && [options.tls].flat(),
    owesHeader: options.proxyProtocol ? fixture.context.table.trusts : undefined,
    onFault: (error) => faults.push(error),
    ...(options.headTimeoutMs === undefined ? {} : { headTimeoutMs: options.headTimeoutMs }),
    ...(options.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: options.idleTimeoutMs }),
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  return {
    ...fixture,
    faults,
    /** Open connections of clients. */
    clients: () => clients,
    port,
    server,
    async close(graceMs = 0) {
      await server.close(graceMs, graceMs === 0 ? 0 : undefined);
      await Promise.all(opened.flatMap(({ engine, upgrades }) => [engine.close(), upgrades.close()]));
    },
  };
}

export type RunningProxy = Awaited<ReturnType<typeof startProxy>>;
