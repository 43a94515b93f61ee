/** An upstream of the configuration, by the engine that was chosen. */
import { readFileSync } from "node:fs";
import type { Config, UpstreamConfig } from "../../config/schema.ts";
import { createHttpProxyUpstream } from "./http-proxy/engine.ts";
import type { Upstream, UpstreamTls } from "./port.ts";
import { createUndiciUpstream } from "./undici/engine.ts";
import { withUpgrades } from "./websocket.ts";

/** @throws Error when a certificate, a key or an authority can not be read */
export function openUpstream(engine: Config["engine"], name: string, declared: UpstreamConfig): Upstream {
  const createUpstream = engine === "undici" ? createUndiciUpstream : createHttpProxyUpstream;
  const { connections, timeouts } = declared;
  const url = new URL(declared.url);
  const tls = url.protocol === "https:" ? tlsOf(declared) : undefined;
  const { connect: connectMs, headers: headersMs, idle: idleMs, upgrade } = timeouts;
  return withUpgrades(
    createUpstream({ name, url, tls, connections, timeouts: { connectMs, headersMs, idleMs } }),
    {
      url,
      tls,
      timeouts: { connectMs, handshakeMs: upgrade.handshake, idleMs },
      limits: { idleMs: upgrade.idle, lifetimeMs: upgrade.lifetime },
    },
  );
}

function tlsOf({ tls }: UpstreamConfig): UpstreamTls {
  const { ca, cert, key, servername, verify = true } = tls ?? {};
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  return { ca: read(ca), cert: read(cert), key: read(key), servername, verify };
}
