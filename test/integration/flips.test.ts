/**
 * The percent changes fifty times a second on Redis while wrk loads a proxy with all it can take; the script that
 * wrk runs judges each answer by the version it was decided by. CUTOVER_BARS=full: for a minute.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { createAdminApi } from "../support/admin-api.ts";
import { startServe } from "../support/cutover.ts";
import { startRedis } from "../support/redis.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { percentile } from "../support/traffic.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const seconds = isFull ? 60 : 5;
const changesPerSecond = 50;
const connections = 64;

/** No two versions that follow each other have the same percent: no multiple of 100001, which is 11 × 9091. */
const multiplier = 61_803;
const percentOf = (version: number) => ((version * multiplier) % 100_001) / 1000;

const script = fileURLToPath(new URL("../support/flips.lua", import.meta.url));
const count = z.int();
const judged = z.object({
  requests: count,
  seconds: z.number(),
  checked: count,
  wrong: count,
  unreadable: count,
  onNew: count,
  /** Different versions seen by one of wrk's threads. */
  versions: count,
  connect: count,
  read: count,
  write: count,
  status: count,
  timeout: count,
  p50Ms: z.number(),
  p99Ms: z.number(),
  firstBad: z.string(),
});

const endings: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function runWrk(origin: string): Promise<z.output<typeof judged>> {
  const flags = ["-t", "2", "-c", `${connections}`, "-d", `${seconds}s`, "--timeout", "10s", "-s", script];
  const wrk = spawn("wrk", [...flags, `${origin}/cart/1`, "--", "checkout", `${multiplier}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  endings.push(async () => wrk.kill("SIGKILL"));
  let printed = "";
  for (const stream of [wrk.stdout, wrk.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  await once(wrk, "close");
  const line = /^FLIPS (.*)$/m.exec(printed)?.[1];
  if (line === undefined) throw new Error(`wrk did not judge:\n${printed}`);
  return judged.parse(JSON.parse(line));
}

test("no answer fails and none comes from the wrong side while percent changes 50 times a second", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-flips-"));
  endings.push(() => rm(folder, { recursive: true }));
  const redis = await startRedis();
  endings.push(() => redis.stop());
  const sides = await startSides();
  endings.push(() => sides.stop());
  const begin = async (name: string) => {
    const served = await startServe({ folder, name, yaml: serveYaml({ sides, store: redis.url }) });
    endings.push(() => served.kill());
    return served;
  };
  // The changes go through another instance than the load, as an operator's do: the loaded one hears of them.
  const loaded = await begin("loaded");
  const steered = await begin("steered");
  const admin = createAdminApi(steered.admin);
  endings.push(() => admin.close());

  const load = { isOver: false };
  const wrk = runWrk(loaded.proxy).finally(() => {
    load.isOver = true;
  });
  const begunAt = performance.now();
  const latencies: number[] = [];
  let version = 0;
  while (!load.isOver) {
    const { answer, status, ms } = await admin.set(percentOf(version + 1), { waitMs: 0 });
    expect({ status, changed: answer?.changed, version: answer?.version }).toEqual({
      status: 200,
      changed: true,
      version: version + 1,
    });
    version += 1;
    latencies.push(ms);
    await sleep(Math.max(0, begunAt + (version * 1000) / changesPerSecond - performance.now()));
  }
  const changing = (performance.now() - begunAt) / 1000;
  const found = await wrk;

  const rate = Math.round(found.requests / found.seconds);
  console.log(
    `flips: ${found.checked} answers (${rate}/s, ${connections} connections) judged in ${found.seconds} s, ` +
      `${found.wrong} wrong, ${found.unreadable} failed; ${version} changes (${(version / changing).toFixed(1)}/s, ` +
      `p99 ${percentile(latencies, 0.99).toFixed(1)} ms), ${found.versions} versions seen; ` +
      `answers p50 ${found.p50Ms} ms, p99 ${found.p99Ms} ms`,
  );
  const { connect, read, write, status, timeout } = found;
  expect({ connect, read, write, status, timeout }).toEqual({
    connect: 0,
    read: 0,
    write: 0,
    status: 0,
    timeout: 0,
  });
  expect({ wrong: found.wrong, unreadable: found.unreadable, firstBad: found.firstBad }).toEqual({
    wrong: 0,
    unreadable: 0,
    firstBad: "",
  });
  // wrk counts the last answers after its script's `response` no more than once a connection.
  expect(found.checked).toBeGreaterThanOrEqual(found.requests - connections);
  expect(found.onNew).toBeGreaterThan(found.checked / 4);
  expect(found.onNew).toBeLessThan((3 * found.checked) / 4);
  // A load judged by few versions would prove little; how many a machine makes beside others says nothing of the product.
  const least = (isFull ? 0.8 : 0.4) * changesPerSecond * seconds;
  expect(version).toBeGreaterThanOrEqual(least);
  expect(found.versions).toBeGreaterThanOrEqual(least / 2);
});
