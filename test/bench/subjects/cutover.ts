/** cutover as it is measured: `serve` as built, configured as a shop would, at percent 25. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../support/free-port.ts";
import { type Running, startOnCore } from "../processes.ts";
import type { Place, Started } from "../subjects.ts";
import { untilAccepting, untilAnswering } from "../until-answering.ts";

/** Of this checkout. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));

interface Variant {
  /** The folder of a checkout in which it is built; absent: this one. */
  readonly checkout?: string;
  readonly engine?: "undici" | "http-proxy";
  readonly workers?: number;
  /** Beside the one that is asked, with ten routes each. */
  readonly otherCutovers?: number;
  /** Whether shoppers are visitors, cookies kept apart, and each side asked by its own host, under other paths and fields. */
  readonly isRealShop?: boolean;
  /** Whether states and owners are in a Redis of its own, which runs beside the load. */
  readonly isOnRedis?: boolean;
}

const rewriting = `host: upstream, rewrite: { path: [{ from: "/*", to: "/store/*" }],
    request: { set: { X-Tenant: social, X-Shopper: "{shopper}" }, remove: [X-Debug] },
    response: { set: { X-Served: "{side}" }, remove: [Server] } }`;

export async function startCutover(place: Place, name: string, variant: Variant): Promise<Started> {
  const { checkout = root, engine = "undici", workers = 1, otherCutovers = 0 } = variant;
  const { isRealShop = false, isOnRedis = false } = variant;
  const redis = isOnRedis ? await startRedis(place) : undefined;
  const rewrite = isRealShop ? `, ${rewriting}` : "";
  const shopper = isRealShop ? "visitor" : `"cookie:sid", "query:sid"`;
  const { folder, core, upstreams, nodeFlags, node, over, certificate } = place;
  const [port, admin] = [await freePort(), await freePort()];
  const tls = over === "http" ? "" : `, tls: { cert: "${certificate.cert}", key: "${certificate.key}" }`;
  const config = join(folder, `${name}.yaml`);
  await writeFile(
    config,
    `
listeners: { proxy: { port: ${port}${tls} }, admin: { port: ${admin} } }
engine: ${engine}
workers: ${workers}
store: "${redis?.url ?? "memory:"}"
snapshot: "off"
upstreams:
  social-shop: { url: "http://127.0.0.1:${upstreams.ports.legacy}"${rewrite} }
  marketplace: { url: "http://127.0.0.1:${upstreams.ports.new}"${rewrite} }
default: social-shop
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ["header:x-shopper-id", ${shopper}]
${isRealShop ? "    cookies: { apart: [sid] }\n" : ""}    routes:
      - { name: cart, path: "/cart/*" }
      - { name: checkout, path: "/checkout", methods: [POST], journey: start }
      - { name: pay, path: "/orders/:orderId/pay", methods: [POST], journey: end, payment: true }
      - { name: callback, path: "/callbacks/payment", methods: [POST] }
    journey: { cookie: cutover_journey, ttl: 30m, maxTtl: 4h }
    owners:
      - { key: "header:idempotency-key", ttl: 24h }
      - { key: ["param:orderId", "json:/order_id"], learn: ["json:/orderId", "header:location"], ttl: 180d }
${Array.from({ length: otherCutovers }, (_, index) => otherCutover(index)).join("")}`,
  );
  const bin = join(checkout, "bin/cutover.js");
  const command = [node, ...nodeFlags, bin, "serve", "--config", config];
  const running = startOnCore(core, command, folder);
  await untilAnswering(`http://127.0.0.1:${admin}/health/ready`);
  const set = await fetch(`http://127.0.0.1:${admin}/api/v1/cutovers/checkout/percent`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ percent: 25, reason: "bench" }),
  });
  if (set.status !== 200) throw new Error(`percent could not be set: ${set.status} ${await set.text()}`);
  return {
    ...{ pid: running.pid, port },
    async stop() {
      await running.stop();
      await redis?.stop();
    },
  };
}

async function startRedis({ folder, otherCore }: Place): Promise<Running & { readonly url: string }> {
  const port = await freePort();
  const flags = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const running = startOnCore(otherCore, ["redis-server", ...flags], folder);
  await untilAccepting(port);
  return { ...running, url: `redis://127.0.0.1:${port}` };
}

function otherCutover(index: number): string {
  const routes = Array.from({ length: 10 }, (_, route) => {
    return `      - { name: r${route}, path: "/other-${index}/r${route}/*" }\n`;
  });
  return `
  other-${index}:
    legacy: social-shop
    new: marketplace
    shopper: ["header:x-shopper-id", "cookie:sid"]
    routes:
${routes.join("")}`;
}
