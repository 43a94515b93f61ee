/**
 * Workers under load: restarted, killed, frozen, ended. One `cutover serve` goes through all of it. What workers hold
 * under full load: restart-rate.test.ts. CUTOVER_BARS=full: five rolling restarts, not two.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type AdminApi, createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { failed, type Load, startLoad } from "../support/kept-load.ts";
import { isAlive } from "../support/processes.ts";
import { fallen, scrape, sumOf } from "../support/scrape.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";
import { turn } from "../support/until.ts";

const restarts = process.env.CUTOVER_BARS === "full" ? 5 : 2;
const perSecond = 300;
let folder: string;
let sides: Sides;
let serve: Served;
let admin: AdminApi;
let load: Load | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-workers-"));
  sides = await startSides();
  const yaml = serveYaml({ sides, workers: 2, more: ["drain: { idle: 2s }"] });
  serve = await startServe({ folder, name: "workers", yaml });
  admin = createAdminApi(serve.admin);
});
afterAll(async () => {
  await admin.close();
  await serve.kill();
  await sides.stop();
  await rm(folder, { recursive: true });
});
afterEach(async () => {
  await load?.stop();
  load = undefined;
});

async function answered(most: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  while ((load?.sent.length ?? 0) < most && performance.now() < deadline) await sleep(10);
}

/** Does it, and waits until the log has said so once more than before. */
async function untilSaid(message: string, act: () => unknown): Promise<void> {
  const before = (await serve.lines()).filter(({ msg }) => msg === message).length;
  await act();
  await serve.said(message, before + 1);
}

/** @returns when, by `performance.now()` */
async function killWorker(): Promise<number> {
  const [victim] = await serve.workers();
  if (victim === undefined) throw new Error("no worker");
  const at = performance.now();
  process.kill(victim, "SIGKILL");
  return at;
}

test("rolling restarts of two workers under load fail no request, and every request is counted", async () => {
  await admin.set(50);
  const atFirst = await scrape(serve.admin);
  load = startLoad(serve.proxy, { perSecond });
  const seen = new Set(await serve.workers());
  let before = await scrape(serve.admin);
  for (let round = 1; round <= restarts; round++) {
    await answered((round * perSecond) / 2);
    await untilSaid("all workers were restarted", () => serve.signal("SIGUSR2"));
    const now = await serve.workers();
    expect(now).toHaveLength(2);
    expect(now.filter((pid) => seen.has(pid))).toEqual([]);
    for (const pid of now) seen.add(pid);
    const after = await scrape(serve.admin);
    expect(fallen(before, after)).toEqual([]);
    before = after;
  }
  await load.stop();
  const { sent } = load;
  const seconds = ((sent.at(-1)?.endedAt ?? 0) - (sent[0]?.begunAt ?? 0)) / 1000;
  console.log(
    `rolling restart: ${failed(sent).length} of ${sent.length} failed, ${(sent.length / seconds).toFixed(0)}/s`,
  );
  expect(failed(sent)).toEqual([]);
  const series = await scrape(serve.admin);
  const counted = (name: string) => sumOf(series, name) - sumOf(atFirst, name);
  expect(counted("cutover_requests_total")).toBe(sent.length);
  expect(sumOf(series, "cutover_inflight_requests")).toBe(0);
  expect(counted("cutover_worker_exits_total")).toBe(2 * restarts);
  expect([...seen].filter(isAlive)).toHaveLength(2);
});

test("a worker killed with -9 fails its requests in flight and no other; totals stay, in flight returns to 0", async () => {
  const connections = 128;
  const atFirst = await scrape(serve.admin);
  // Every tenth request takes a while, so that some are surely in flight.
  load = startLoad(serve.proxy, {
    perSecond,
    path: (number) => (number % 10 === 0 ? "/cart/1?ms=400" : "/cart/1"),
    connections,
  });
  await answered(2 * perSecond);
  const before = await scrape(serve.admin);
  const underWay = load.underWay();
  let killedAt = 0;
  let goneAt = 0;
  let after = before;
  await untilSaid("a worker serves", async () => {
    await untilSaid("a worker is gone: it is replaced", async () => {
      killedAt = await killWorker();
    });
    // By the end of the turn this process, too, has heard which connections have ended.
    await turn();
    goneAt = performance.now();
    after = await scrape(serve.admin);
  });
  await answered(5 * perSecond);
  await load.stop();

  const faults = failed(load.sent);
  console.log(
    `kill -9: ${faults.length} of ${underWay} requests under way failed, of ${load.sent.length} in all`,
  );
  expect(faults.length).toBeGreaterThan(0);
  // Under way at the kill, or sent on a connection whose end this process had not heard of yet: one a connection.
  expect(faults.length).toBeLessThanOrEqual(connections);
  expect(faults.filter(({ begunAt, endedAt }) => begunAt > goneAt || endedAt < killedAt)).toEqual([]);
  expect(fallen(before, after)).toEqual([]);
  const end = await scrape(serve.admin);
  expect(fallen(after, end)).toEqual([]);
  expect(sumOf(end, "cutover_inflight_requests")).toBe(0);
  expect(sumOf(end, "cutover_workers")).toBe(2);
  // What the killed one had counted since its last report, at most 250 ms before, is lost, and nothing else.
  const answers = load.sent.length - faults.length;
  const counted = sumOf(end, "cutover_requests_total") - sumOf(atFirst, "cutover_requests_total");
  expect(counted).toBeLessThanOrEqual(load.sent.length);
  expect(counted).toBeGreaterThanOrEqual(answers - perSecond / 2);
});

test("a worker killed with -9 leaves no connection open that was on its way to it", async () => {
  load = startLoad(serve.proxy, { perSecond, connections: 64, fresh: true });
  for (const kill of [1, 2, 3]) {
    await answered(kill * perSecond);
    await untilSaid("a worker serves", killWorker);
  }
  await load.stop();
  const slowest = Math.max(...load.sent.map(({ begunAt, endedAt }) => endedAt - begunAt));
  console.log(
    `kill -9 ×3, a connection a request: ${failed(load.sent).length} of ${load.sent.length} failed, slowest ${slowest.toFixed(0)} ms`,
  );
  expect(load.sent.filter(({ begunAt, endedAt }) => endedAt - begunAt > 5000)).toEqual([]);
  expect(failed(load.sent).filter(({ fault }) => fault?.includes("ECONNREFUSED"))).toEqual([]);
});

test("a version counts as applied when every worker decides by it", async () => {
  const { answer } = await admin.set(10);
  expect(answer).toMatchObject({ applied: { instances: 1, of: 1 } });
  const [frozen] = await serve.workers();
  if (frozen === undefined) throw new Error("no worker");
  process.kill(frozen, "SIGSTOP");
  try {
    const early = await admin.set(20, { waitMs: 500 });
    expect(early.answer).toMatchObject({ percent: 20, changed: true, applied: { instances: 0, of: 1 } });
  } finally {
    process.kill(frozen, "SIGCONT");
  }
  const late = await admin.set(30);
  expect(late.answer).toMatchObject({ percent: 30, applied: { instances: 1, of: 1 } });
});

test("after SIGTERM no process is left, and no request that was sent before has failed", async () => {
  load = startLoad(serve.proxy, { perSecond });
  await answered(perSecond);
  const pids = [serve.pid, ...(await serve.workers())];
  expect(pids).toHaveLength(3);
  await load.stop();
  const slow = fetch(`${serve.proxy}/cart/1?ms=1000`);
  while (sumOf(await scrape(serve.admin), "cutover_inflight_requests") === 0) await sleep(20);
  serve.signal("SIGTERM");
  expect((await slow).status).toBe(200);
  expect((await slow).headers.get("connection")).toBe("close");
  expect(await serve.exit).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(failed(load.sent)).toEqual([]);
});
