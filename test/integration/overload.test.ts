/**
 * One side in trouble is one side's trouble: the other side's shoppers do not notice when it hangs, is overloaded or is
 * gone. CUTOVER_BARS=full: measured for longer.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type AdminApi, createAdminApi } from "../support/admin-api.ts";
import { shoppersOfBuckets } from "../support/bucket.ts";
import { type CrowdOptions, gatherCrowd } from "../support/crowd.ts";
import { startServe } from "../support/cutover.ts";
import { type Shape, serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { createShop, percentile, type Shop, startLoad, type Visit } from "../support/traffic.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const salt = "checkout";
const legacyShoppers = shoppersOfBuckets(salt, "l", (bucket) => bucket >= 50_000, 50);
const newShoppers = shoppersOfBuckets(salt, "n", (bucket) => bucket < 50_000, 50);
const [newShopper = ""] = newShoppers;

async function listen(handler: RequestListener, port = 0): Promise<Server> {
  const server = createServer(handler);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => stop(server));
  return server;
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}

function portOf(server: Server): number {
  const address = server.address();
  const isOpen = (at: typeof address): at is AddressInfo => typeof at === "object" && at !== null;
  if (!isOpen(address)) throw new Error("no port");
  return address.port;
}

/** Half of the shoppers on a legacy side in a process of its own, half on the new side of the test. */
async function start(
  newSide: Server,
  options: Pick<Shape, "upstreams" | "fallback">,
): Promise<{ readonly proxy: string; readonly admin: AdminApi; log(): Promise<string> }> {
  const folder = await mkdtemp(join(tmpdir(), "cutover-overload-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const sides = await startSides();
  cleanups.push(() => sides.stop());
  const served = await startServe({
    folder,
    name: "proxy",
    yaml: serveYaml({ sides: { ...sides, new: `http://127.0.0.1:${portOf(newSide)}` }, ...options }),
  });
  cleanups.push(() => served.kill());
  const admin = createAdminApi(served.admin);
  cleanups.push(() => admin.close());
  expect((await admin.set(50)).status).toBe(200);
  return { proxy: served.proxy, admin, log: served.log };
}

async function gather(options: CrowdOptions) {
  const crowd = await gatherCrowd(options);
  cleanups.push(() => crowd.disperse());
  return crowd;
}

function shopAt(proxy: string, connections: number) {
  const shop = createShop(proxy, connections);
  cleanups.push(() => shop.close());
  return shop;
}

async function awaitMetric(admin: AdminApi, series: string, wanted: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (let value = await admin.metric(series); value !== wanted; value = await admin.metric(series)) {
    if (performance.now() > deadline) throw new Error(`${series} is ${value}, not ${wanted}`);
    await sleep(10);
  }
}

const newInFlight = 'cutover_upstream_inflight_requests{upstream="marketplace"}';
const shed = (reason: string) => `cutover_upstream_shed_total{upstream="marketplace",reason="${reason}"}`;
const requests = (side: string, outcome: string) =>
  `cutover_requests_total{cutover="checkout",route="cart",side="${side}",outcome="${outcome}"}`;

function raise(message: string): never {
  throw new Error(message);
}

const faultsOf = (visits: readonly Visit[]) => visits.flatMap(({ fault }) => fault ?? []);

/** The shop, and how long each visit took. */
function timed(shop: Shop) {
  const times: number[] = [];
  const visit = async (shopper: string) => {
    const visited = await shop.visit(shopper);
    times.push(visited.ms);
    return visited;
  };
  return { shop: { ...shop, visit }, times };
}

test("a side that hangs at full concurrency adds at most 1 ms to the other side's p99", async () => {
  const hung = await listen(() => {});
  const max = 256;
  const queue = 64;
  const upstreams = {
    new: `concurrency: { max: ${max}, queue: ${queue}, wait: 1s }, timeouts: { headers: 10m }`,
  };
  // Two proxies take the same load of legacy's shoppers at the same time, a request each in turn, so that what else the
  // machine does slows both alike; beside that, one of them at a time has the new side hang.
  const proxies = [await start(hung, { upstreams }), await start(hung, { upstreams })];
  const windowMs = isFull ? 5000 : 1000;
  // What begins to hang together outlives two collections of new space, which take 5 and 20 ms, once, within a second or
  // two of this load. They would be the p99 of a window that they fall into: it begins behind them.
  const settledMs = 2000;
  const rounds = isFull ? 11 : 1;

  /** The p99 of both, in the same window. */
  async function p99s(ms = windowMs): Promise<readonly number[]> {
    const shops = proxies.map(({ proxy }) => timed(shopAt(proxy, 16)));
    const load = startLoad(
      shops.map(({ shop }) => shop),
      legacyShoppers,
      800,
    );
    await sleep(ms);
    await load.stop();
    expect(faultsOf(load.visits)).toEqual([]);
    return shops.map(({ times }) => percentile(times, 0.99));
  }
  async function p99sBesideHung(place: number): Promise<readonly number[]> {
    const { proxy, admin } = proxies[place] ?? raise("no proxy");
    const crowd = await gather({ proxy, shopper: newShopper, clients: max + queue, pauseMs: 1000 });
    await awaitMetric(admin, newInFlight, max);
    await p99s(settledMs);
    const found = await p99s();
    expect(await admin.metric(newInFlight)).toBe(max);
    expect([crowd.broken(), crowd.unsaid(), [...crowd.answers.keys()]]).toEqual([0, 0, [503]]);
    await crowd.disperse();
    await awaitMetric(admin, newInFlight, 0);
    return found;
  }

  await p99s();
  const added: number[] = [];
  const differed: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [one = 0, other = 0] = await p99s();
    differed.push(Math.abs(one - other));
    const place = round % 2;
    const both = await p99sBesideHung(place);
    added.push((both[place] ?? 0) - (both[1 - place] ?? 0));
  }
  const rounded = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(" ");
  const noise = percentile(differed, 0.5);
  const median = percentile(added, 0.5);
  // What two proxies differ by that have the same to do is the machine's. Where that is next to nothing, and there was time
  // to find the median, the bar is held as it stands; elsewhere no measurement can tell more than that nothing stands out,
  // and three rounds may find less noise than there is.
  // A single short window holds one collection or none: what waited for the other side would take a hundred times as long.
  const bar = isFull ? (noise <= 0.5 ? 1 : 1 + 3 * noise) : 50;
  console.log(
    `hung side: ${max} in flight, ${queue} queued; p99 of the other side, added in ms: median ${median.toFixed(2)} of ` +
      `${rounded(added)}; between two quiet proxies: median ${noise.toFixed(2)} of ${rounded(differed)}; bar ${bar.toFixed(2)}`,
  );
  expect(median).toBeLessThanOrEqual(bar);
  for (const { admin } of proxies.slice(0, rounds)) {
    expect(await admin.metric(requests("new", "shed"))).toBeGreaterThan(0);
  }
}, 600_000);

test("a side overloaded by 64 connections is shed with 503, the other has no failure, and memory stays bounded", async () => {
  const slow = await listen((request, response) => {
    request.resume();
    setTimeout(() => response.end("new"), 50);
  });
  const { proxy, admin } = await start(slow, {
    upstreams: { new: "concurrency: { max: 8, queue: 8, wait: 100ms }" },
  });
  const resident = async () => ((await admin.metric("process_resident_memory_bytes")) ?? 0) / 2 ** 20;
  const shop = shopAt(proxy, 16);
  const load = startLoad([shop], legacyShoppers, 200);
  const crowd = await gather({ proxy, shopper: newShopper, clients: 64, pauseMs: 0 });
  const seconds = isFull ? 60 : 2;
  const residents: number[] = [];
  for (let second = 0; second < seconds; second++) {
    await sleep(1000);
    residents.push(await resident());
  }
  await crowd.disperse();
  await load.stop();

  const answered = crowd.answers.get(200) ?? 0;
  const refused = crowd.answers.get(503) ?? 0;
  console.log(
    `overload: ${load.visits.length} requests of the other side, ${faultsOf(load.visits).length} failed, p99 ` +
      `${percentile(
        load.visits.map(({ ms }) => ms),
        0.99,
      ).toFixed(
        1,
      )} ms; of the overloaded one ${answered} answered, ${refused} shed; MiB resident: ${residents.map(Math.round).join(" ")}`,
  );
  expect(faultsOf(load.visits)).toEqual([]);
  expect(load.visits.length).toBeGreaterThan(200 * seconds * 0.5);
  // Eight at a time, 50 ms each: what the side can do it still did.
  expect(answered).toBeGreaterThan(8 * 20 * seconds * 0.25);
  expect(refused).toBeGreaterThan(answered);
  expect([...crowd.answers.keys()].sort()).toEqual([200, 503]);
  expect([crowd.broken(), crowd.unsaid()]).toEqual([0, 0]);
  // It rises and falls with the collection of garbage, and to no more however long this goes on.
  expect(Math.max(...residents)).toBeLessThan(300);
  await awaitMetric(admin, newInFlight, 0);
  const counted =
    ((await admin.metric(shed("queue_full"))) ?? 0) + ((await admin.metric(shed("queue_timeout"))) ?? 0);
  expect(counted).toBeGreaterThanOrEqual(refused);
  expect(await admin.metric(requests("new", "shed"))).toBe(counted);
  const errors = ["server_error", "connect_failed", "timeout", "reset", "protocol_error"];
  for (const outcome of errors) expect(await admin.metric(requests("new", outcome))).toBe(0);
}, 300_000);

test("a side that is gone opens its breaker; shoppers fall back to legacy, none fails, and return when it does", async () => {
  const handler: RequestListener = ({ headers }, response) => {
    response.writeHead(200, { "x-side": "new", "x-shopper": headers["x-shopper-id"] ?? "nobody" });
    response.end("new");
  };
  const first = await listen(handler);
  const port = portOf(first);
  const { proxy, admin, log } = await start(first, {
    upstreams: {
      new: "breaker: { failures: 5, open: 200ms }, health: { path: /, interval: 50ms, timeout: 500ms }",
    },
    fallback: true,
  });
  const state = (name: string) => `cutover_upstream_breaker_state{upstream="marketplace",state="${name}"}`;
  const shop = shopAt(proxy, 16);
  await awaitMetric(admin, state("closed"), 1);
  const load = startLoad([shop], newShoppers, 200);
  await sleep(500);
  await stop(first);
  const goneAt = performance.now();
  await awaitMetric(admin, state("open"), 1);
  await awaitMetric(admin, 'cutover_upstream_healthy{upstream="marketplace"}', 0);
  await sleep(1000);
  const backAt = performance.now();
  await listen(handler, port);
  await awaitMetric(admin, state("closed"), 1);
  const closedAt = performance.now();
  await sleep(500);
  await load.stop();

  // A request that was with the side when it went may fail; whatever came after did not.
  const after = load.visits.filter(({ begunAt }) => begunAt > goneAt);
  expect(faultsOf(after)).toEqual([]);
  const sidesOf = (from: number, to: number) => [
    ...new Set(load.visits.filter(({ begunAt }) => begunAt > from && begunAt < to).map(({ side }) => side)),
  ];
  expect(sidesOf(goneAt, backAt)).toEqual(["legacy"]);
  expect(sidesOf(closedAt, Number.POSITIVE_INFINITY)).toEqual(["new"]);
  // Each that fell back counts against new, and is served by legacy.
  const fellBack = after.filter(({ reason }) => reason === "fallback").length;
  expect(fellBack).toBeGreaterThan(50);
  expect(await admin.metric(requests("new", "connect_failed"))).toBeGreaterThanOrEqual(fellBack);
  expect(await admin.metric(shed("breaker_open"))).toBeGreaterThan(fellBack / 2);
  const lines = (await log()).split("\n").filter((line) => line.includes("breaker changed"));
  expect(lines[0]).toContain('"from":"closed","to":"open"');
  expect(lines.at(-1)).toContain('"to":"closed"');
}, 120_000);
