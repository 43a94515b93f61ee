/**
 * Restarts under the load of wrk, which asks again as soon as it is answered, over kept connections: as many requests
 * a second as two cores serve. CUTOVER_BARS=full: five rounds each, and 2,000 requests a second are reached.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connections, startLoad } from "../bench/load.ts";
import { startUpstreams } from "../bench/upstreams.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { scrape, sumOf } from "../support/scrape.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { type Holder, startHolder } from "../support/socket-holder.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const rounds = isFull ? 5 : 1;
const perSecond = isFull ? 2000 : 200;
/** The upstreams and the load have this core first; Cutover has both. */
const core = 1;

const cleanups: (() => Promise<unknown>)[] = [];
let folder: string;
let yaml: string;
let counts: () => Promise<number>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-restart-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const upstreams = await startUpstreams(folder, core);
  cleanups.push(() => upstreams.stop());
  counts = () => upstreams.requests();
  const { legacy, new: fresh } = upstreams.ports;
  yaml = serveYaml({
    sides: { legacy: `http://127.0.0.1:${legacy}`, new: `http://127.0.0.1:${fresh}` },
    workers: 2,
    cutover: cartsByShopper.map((line) => line.replace("/cart/*", "/*")),
    more: ["drain: { idle: 2s }"],
  });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(name: string, holder?: Holder): Promise<Served> {
  const serve = await startServe({ folder, name, yaml, ...(holder === undefined ? {} : { runner: holder }) });
  cleanups.push(async () => {
    await serve.kill();
  });
  return serve;
}

/** Loads while `work` goes on. @returns what wrk saw, of which nothing may have failed */
async function underLoad(what: string, origin: string, work: () => Promise<void>): Promise<number> {
  const before = await counts();
  const load = startLoad({
    port: Number(new URL(origin).port),
    core,
    over: "http",
    ask: "small",
    seconds: 1,
  });
  await work();
  const seen = await load.stop();
  const rate = seen.requests / seen.seconds;
  console.log(
    `${what} ×${rounds}: ${seen.errors} of ${seen.requests} requests failed, ${rate.toFixed(0)}/s, ` +
      `p50 ${seen.p50Ms.toFixed(1)} ms, p99 ${seen.p99Ms.toFixed(1)} ms`,
  );
  expect(seen.errors).toBe(0);
  expect(rate).toBeGreaterThan(perSecond);
  // wrk leaves what is under way when it stops: an upstream may have seen those.
  const arrived = (await counts()) - before;
  expect(arrived).toBeGreaterThanOrEqual(seen.requests);
  expect(arrived).toBeLessThanOrEqual(seen.requests + connections);
  return arrived;
}

test("rolling restarts of two workers under full load fail no request and send none twice", async () => {
  const serve = await start("serve");
  const arrived = await underLoad("rolling restart", serve.proxy, async () => {
    for (let round = 1; round <= rounds; round++) {
      serve.signal("SIGUSR2");
      await serve.said("all workers were restarted", round);
    }
  });
  let series = await scrape(serve.admin);
  while (sumOf(series, "cutover_inflight_requests") > 0) series = await scrape(serve.admin);
  // Some of those that wrk left had not gone on yet.
  const counted = sumOf(series, "cutover_requests_total");
  expect(counted).toBeGreaterThanOrEqual(arrived);
  expect(counted).toBeLessThanOrEqual(arrived + connections);
});

test("a new process on the port of one that is told to stop, under full load, fails no request and sends none twice", async () => {
  const holder = await startHolder(2);
  cleanups.push(() => holder.close());
  let serve = await start("serve-0", holder);
  await underLoad("SIGTERM and a new process", serve.proxy, async () => {
    for (let round = 1; round <= rounds; round++) {
      const old = serve;
      serve = await start(`serve-${round}`, holder);
      old.signal("SIGTERM");
      expect(await old.exit).toBe(0);
    }
  });
});
