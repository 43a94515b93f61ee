/**
 * The name server is silent for the new side's name and for Redis's: legacy, by a name of its own that is looked up
 * again each second, loses no request. Each engine, one process and two workers. CUTOVER_BARS=full: for 60 s.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { createAdminApi } from "../support/admin-api.ts";
import { shoppersOfBuckets } from "../support/bucket.ts";
import { ownProcess, type Runner, startServe } from "../support/cutover.ts";
import { type NameEntry, startNameServer } from "../support/name-server.ts";
import { startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { createShop } from "../support/traffic.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const requests = isFull ? 2000 : 100;
const hangMs = isFull ? 60_000 : 2000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const preload = fileURLToPath(new URL("../support/name-server-preload.cjs", import.meta.url));

/** The process and its workers ask the test's name server. */
const askingAt = (server: string): Runner => ({
  run: ([program = "", ...words], folder, logged) => {
    const env = [`CUTOVER_TEST_NAME_SERVER=${server}`, `NODE_OPTIONS=--require=${preload}`];
    return ownProcess.run(["/usr/bin/env", ...env, program, ...words], folder, logged);
  },
});

const forms = [
  { engine: "undici", workers: 2 },
  ...(isFull
    ? [
        { engine: "undici", workers: 1 },
        { engine: "http-proxy", workers: 2 },
        { engine: "http-proxy", workers: 1 },
      ]
    : []),
];

test.each(forms)(
  "new's name and Redis's hang, health checks included: 0 of legacy's requests fail, with $engine and $workers workers",
  async ({ engine, workers }) => {
    const table = new Map<string, NameEntry>([
      ["legacy.test", { addresses: ["127.0.0.1"], ttl: 1 }],
      ["new.test", "silent"],
      ["redis.test", { addresses: ["127.0.0.1"], ttl: 1 }],
    ]);
    const nameServer = await startNameServer(table);
    cleanups.push(() => nameServer.close());
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const sides = await startSides();
    cleanups.push(() => sides.stop());
    const folder = await mkdtemp(join(tmpdir(), "cutover-names-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const portOf = (url: string) => new URL(url).port;
    // A connection for a few requests, so that names are asked for all the time.
    const often =
      "connections: { maxAge: 100ms }, timeouts: { connect: 1s }, health: { path: '/', interval: 200ms, timeout: 500ms }";
    const served = await startServe({
      folder,
      name: "proxy",
      runner: askingAt(nameServer.server),
      yaml: serveYaml({
        sides: {
          legacy: `http://legacy.test:${portOf(sides.legacy)}`,
          new: `http://new.test:${portOf(sides.new)}`,
        },
        workers,
        store: `redis://redis.test:${redis.port}`,
        upstreams: { legacy: often, new: often },
        more: [`engine: ${engine}`],
      }),
    });
    cleanups.push(() => served.kill());
    const admin = createAdminApi(served.admin);
    cleanups.push(async () => admin.close());
    expect((await admin.set(50)).status).toBe(200);
    const [ofLegacy] = shoppersOfBuckets("checkout", "l", (bucket) => bucket >= 50_000, 1);
    const [ofNew] = shoppersOfBuckets("checkout", "n", (bucket) => bucket < 50_000, 1);
    const shop = createShop(served.proxy, 40);
    cleanups.push(() => shop.close());

    table.set("redis.test", "silent");
    const untilMs = performance.now() + hangMs;
    let isOver = false;
    const hung = Array.from({ length: 12 }, async () => {
      while (!isOver) await shop.visit(ofNew ?? "");
    });
    const faults: string[] = [];
    let slowest = 0;
    for (let i = 0; i < requests; i++) {
      // Whoever has a connection to Redis loses it, and looks for the name again.
      if (i % 20 === 0) await redis.cli("CLIENT", "KILL", "TYPE", "normal");
      const { fault, side, ms } = await shop.visit(ofLegacy ?? "");
      slowest = Math.max(slowest, ms);
      if (fault !== undefined || side !== "legacy") faults.push(fault ?? `served by ${side}`);
      const leftMs = untilMs - performance.now();
      if (leftMs > 0) await sleep(leftMs / (requests - i));
    }
    isOver = true;
    await Promise.all(hung);
    process.stdout.write(
      `hung-names: ${engine}, ${workers} workers: ${requests} of legacy, ${faults.length} failed, slowest ${Math.round(slowest)} ms\n`,
    );
    expect(faults).toEqual([]);
    const asked = (name: string) => nameServer.asked.filter((one) => one === name).length;
    for (const name of ["new.test", "redis.test", "legacy.test"]) expect(asked(name)).toBeGreaterThan(1);
  },
  300_000,
);
