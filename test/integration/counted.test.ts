/**
 * What Prometheus has counted is what the load has: three instances scraped once a second, by side and outcome, exactly. The
 * load says itself to which side each request goes. CUTOVER_BARS=full: for 5 minutes.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { configSchema } from "../../src/config/schema.ts";
import { composeInstance, type Instance } from "../../src/instance/instance.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";

const loadMs = process.env.CUTOVER_BARS === "full" ? 300_000 : 4000;
const secret = "of-this-test";
const closers: (() => Promise<unknown>)[] = [];
const instances: Instance[] = [];
let prometheus: Prometheus;

/** What a shop does at /cart/WORD, and how that is counted. */
const outcomes = { well: "ok", missing: "ok", broken: "server_error", gone: "reset" } as const;
type Word = keyof typeof outcomes;
const words: readonly Word[] = ["well", "missing", "broken", "gone"];
const sides = ["legacy", "new"] as const;

async function startShop(): Promise<string> {
  const shop: Server = createServer((request, response) => {
    const word = request.url?.split("/").at(-1);
    if (word === "gone") request.socket.destroy();
    else response.writeHead(word === "broken" ? 503 : word === "missing" ? 404 : 200).end("answered");
  });
  shop.listen(0, "127.0.0.1");
  await once(shop, "listening");
  closers.push(async () => shop.close());
  return `http://127.0.0.1:${z.object({ port: z.int() }).parse(shop.address()).port}`;
}

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-counted-"));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const [legacy, onNew] = [await startShop(), await startShop()];
  for (let instance = 0; instance < 3; instance++) {
    const config = configSchema.parse({
      listeners: { proxy: { port: 0 }, admin: { port: 0 } },
      store: "memory:",
      snapshot: "off",
      spool: "off",
      upstreams: { old: { url: legacy }, fresh: { url: onNew } },
      default: "old",
      cutovers: {
        checkout: {
          legacy: "old",
          new: "fresh",
          shopper: ["header:x-shopper-id"],
          routes: [{ name: "cart", path: "/cart/*" }],
          force: { header: "x-side", secrets: [createHash("sha256").update(secret).digest("hex")] },
        },
      },
    });
    const made = await composeInstance(config, { version: "test", logLevel: "silent", accessLog: false });
    closers.push(() => made.close());
    instances.push(made);
  }
  const targets = instances.map(({ admin }) => new URL(admin.url).host);
  prometheus = await startPrometheus({ folder, targets, everyMs: 1000 });
  closers.push(() => prometheus.stop());
});

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test(
  "counters are the load's own count, by side and outcome, and none ever goes back",
  async () => {
    const counts = new Map<string, number>();
    const until = performance.now() + loadMs;

    async function shop(seed: number): Promise<void> {
      for (let turn = seed; performance.now() < until; turn++) {
        const side = sides[turn % 2] ?? "legacy";
        const word = words[Math.floor(turn / 2) % words.length] ?? "well";
        const to = instances[turn % instances.length]?.proxy.url ?? "";
        // A POST is sent once, whatever becomes of its connection.
        const answer = await fetch(`${to}/cart/${word}`, {
          method: "POST",
          headers: { "x-side": `${side} ${secret}` },
          body: "",
        });
        await answer.arrayBuffer();
        const series = `${side} ${outcomes[word]}`;
        counts.set(series, (counts.get(series) ?? 0) + 1);
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, seed) => shop(seed)));

    const counted = async () => {
      const query = 'sum by (side, outcome) (cutover_requests_total{cutover="checkout"}) > 0';
      const samples = await prometheus.query(query);
      return new Map(samples.map(({ labels, value }) => [`${labels.side} ${labels.outcome}`, value]));
    };
    await vi.waitFor(async () => expect(await counted()).toEqual(counts), { timeout: 30_000, interval: 200 });
    expect(counts.size).toBe(6);
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const [durations] = await prometheus.query(
      'sum(cutover_request_duration_seconds_count{cutover="checkout"})',
    );
    const [byRoute] = await prometheus.query('sum(cutover_route_duration_seconds_count{cutover="checkout"})');
    const [overheads] = await prometheus.query('sum(cutover_overhead_seconds_count{cutover="checkout"})');
    const [decisions] = await prometheus.query('sum(cutover_decisions_total{cutover="checkout"})');
    expect([durations, byRoute, overheads, decisions].map((sample) => sample?.value)).toEqual([
      all,
      all,
      all,
      all,
    ]);
    for (const family of ["requests_total", "decisions_total", "request_duration_seconds_bucket"]) {
      const [resets] = await prometheus.query(`sum(resets(cutover_${family}[10m]))`);
      expect(resets?.value, family).toBe(0);
    }
    console.log(`counted: ${all} requests in ${loadMs / 1000} s, the same by load and Prometheus`);
  },
  loadMs + 60_000,
);
