/**
 * The end of an instance and the start of the next one, under load. Under full load: restart-rate.test.ts. Most of it
 * is waiting, so what one process does and what two workers do is seen side by side.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { checkout, type Served, startServe } from "../support/cutover.ts";
import { freePort } from "../support/free-port.ts";
import { failed, startLoad } from "../support/kept-load.ts";
import { endsWithTest, isAlive, pidOf } from "../support/processes.ts";
import { scrape, sumOf } from "../support/scrape.ts";
import { type Shape, serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";
import { type Holder, startHolder } from "../support/socket-holder.ts";
import { until } from "../support/until.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const rounds = process.env.CUTOVER_BARS === "full" ? 3 : 2;
const perSecond = 300;
const health = z.object({ status: z.string() });
let folder: string;
let sides: Sides;
const processes: Served[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-stop-"));
  sides = await startSides();
});
afterAll(async () => {
  for (const one of processes) await one.kill();
  await sides.stop();
  await rm(folder, { recursive: true });
});

async function start(name: string, shape: Partial<Shape>, holder?: Holder): Promise<Served> {
  const yaml = serveYaml({ sides, ...shape });
  const runner = holder === undefined ? {} : { runner: holder };
  const started = await startServe({ folder, name, yaml, ...runner });
  processes.push(started);
  return started;
}

async function readiness(admin: string): Promise<{ status: number; phase: string }> {
  const answer = await fetch(`${admin}/health/ready`);
  return { status: answer.status, phase: health.parse(await answer.json()).status };
}

describe.concurrent.each(isFull ? [1, 2] : [2])("with workers %d", (workers) => {
  test.sequential("SIGTERM: readiness goes first, and who leaves when it does has no request fail", async () => {
    const serve = await start(`drain-${workers}`, {
      workers,
      more: ["drain: { delay: 1500ms, idle: 1s, grace: 5s }"],
    });
    const pids = [serve.pid, ...(await serve.workers())];
    expect(await readiness(serve.admin)).toEqual({ status: 200, phase: "ready" });
    const load = startLoad(serve.proxy, { perSecond });
    await until("the load to be under way", () => load.sent.length > 100, 20_000);
    serve.signal("SIGTERM");
    const signalled = performance.now();
    // As who balances the load does: it asks, and sends elsewhere once told.
    while ((await readiness(serve.admin)).status === 200) await sleep(20);
    expect(await readiness(serve.admin)).toEqual({ status: 503, phase: "draining" });
    expect(performance.now() - signalled).toBeLessThan(1400);
    const stillAccepts = await fetch(`${serve.proxy}/cart/1`);
    expect(stillAccepts.status).toBe(200);
    await load.stop();
    expect(await serve.exit).toBe(0);
    console.log(`SIGTERM, workers ${workers}: ${failed(load.sent).length} of ${load.sent.length} failed`);
    expect(load.sent.length).toBeGreaterThan(100);
    expect(failed(load.sent)).toEqual([]);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test.sequential("SIGTERM without a delay: what is on an open connection is answered and closes it", async () => {
    const serve = await start(`open-${workers}`, { workers });
    const slow = Array.from({ length: 20 }, (_, i) => fetch(`${serve.proxy}/cart/${i}?ms=${2000 + 50 * i}`));
    // A connection nobody has accepted yet is reset when the listener closes: that is what a delay is for.
    while (sumOf(await scrape(serve.admin), "cutover_inflight_requests") < slow.length) await sleep(20);
    serve.signal("SIGTERM");
    const answers = await Promise.all(slow);
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(answers.every(({ headers }) => headers.get("connection") === "close")).toBe(true);
    expect(await serve.exit).toBe(0);
  });

  test.sequential("what outlives the grace is cut, and the process ends", async () => {
    const serve = await start(`grace-${workers}`, { workers, more: ["drain: { grace: 500ms }"] });
    const pids = [serve.pid, ...(await serve.workers())];
    const cut = fetch(`${serve.proxy}/cart/1?ms=20000`).then(
      () => "answered",
      () => "cut",
    );
    await sleep(200);
    const signalled = performance.now();
    serve.signal("SIGTERM");
    expect(await serve.exit).toBe(0);
    expect(performance.now() - signalled).toBeLessThan(5000);
    expect(await cut).toBe("cut");
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test.sequential("restarts on sockets that are handed over fail no request: old and new on one port, the file store too", async () => {
    const holder = await startHolder(2);
    const [proxyPort, adminPort] = holder.ports;
    const store = `file:${join(folder, `state-${workers}.json`)}`;
    const name = `sockets-${workers}`;
    const options = { workers, store, more: ["drain: { idle: 2s }"] };
    let serve = await start(name, options, holder);
    const address = `http://127.0.0.1:${proxyPort}`;
    expect(serve.proxy).toBe(address);
    expect(serve.admin).toBe(`http://127.0.0.1:${adminPort}`);
    const load = startLoad(address, { perSecond });
    for (let round = 1; round <= rounds; round++) {
      await sleep(700);
      const old = serve;
      old.signal("SIGTERM");
      // Begins while the old one drains, and waits for the store's file.
      serve = await start(name, options, holder);
      expect(await old.exit).toBe(0);
    }
    await sleep(500);
    await load.stop();
    const slowest = Math.max(...load.sent.map(({ begunAt, endedAt }) => endedAt - begunAt));
    console.log(
      `restart on a handed-over socket ×${rounds}, workers ${workers}: ${failed(load.sent).length} of ${load.sent.length} failed, slowest ${slowest.toFixed(0)} ms`,
      new Set(failed(load.sent).map(({ fault }) => fault)),
    );
    expect(failed(load.sent)).toEqual([]);
    expect(load.sent.length).toBeGreaterThan(50);
    await serve.stop();
    await holder.close();
  });
});

test.concurrent.each([
  [1, "pipe"],
  [1, "socket"],
  [2, "pipe"],
  [2, "socket"],
] as const)(
  "SIGTERM ends a process of %d workers whose log nobody reads, a full %s",
  async (workers, kind) => {
    const [proxy, admin] = [await freePort(), await freePort()];
    const name = `unread-${workers}-${kind}`;
    const listeners = { proxy: `port: ${proxy}`, admin: `port: ${admin}` };
    const config = join(folder, `${name}.yaml`);
    await writeFile(config, serveYaml({ sides, listeners, workers }));
    const pidFile = join(folder, `${name}.pid`);
    // Most of what it holds is there before, so that few requests fill it; a newer Node's socket holds less.
    const bytes = kind === "pipe" ? 60_000 : 180_000;
    const serve = `timeout 1 head -c ${bytes} /dev/zero; echo $$ >${pidFile}; exec ${process.execPath} bin/cutover.js serve --config ${config}`;
    const line = kind === "pipe" ? `sh -c '${serve}' | sleep 60` : serve;
    // What Node calls a pipe is a socket; nothing reads it, since nobody listens to its data.
    const shell = spawn("sh", ["-c", line], {
      cwd: checkout,
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    endsWithTest(shell);
    const url = `http://127.0.0.1:${proxy}/cart/1`;
    const answers = () =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await answers())) await sleep(50);
    const pid = Number(await readFile(pidFile, "utf8"));
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    const pids = [pid, ...children.trim().split(" ").filter(Boolean).map(Number)];
    expect(pids).toHaveLength(workers === 1 ? 1 : 3);
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 50 }, answers));
    const signalled = performance.now();
    process.kill(pid, "SIGTERM");
    await until("the process to end", () => !pids.some(isAlive), 10_000);
    console.log(
      `SIGTERM with a full ${kind}, workers ${workers}: ended after ${(performance.now() - signalled).toFixed(0)} ms`,
    );
    if (kind === "pipe") process.kill(-pidOf(shell), "SIGKILL");
    shell.stdout.destroy();
  },
  60_000,
);

test.concurrent("the log says draining and stopped", async () => {
  const serve = await start("says", {});
  serve.signal("SIGTERM");
  expect(await serve.exit).toBe(0);
  const said = (await serve.lines()).flatMap(({ msg }) =>
    ["ready", "draining", "stopped"].includes(msg) ? msg : [],
  );
  expect(said).toEqual(["ready", "draining", "stopped"]);
});

test.concurrent("a start waits for a port that an earlier process still holds, and says so when it does not come free", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = z.object({ port: z.int() }).parse(taken.address());
  const yaml = (wait: string) => serveYaml({ sides, listeners: { proxy: `port: ${port}` }, wait });
  const refused = startServe({ folder, name: "refused", yaml: yaml("0s") });
  await expect(refused).rejects.toThrow("EADDRINUSE");
  const starting = startServe({ folder, name: "waits", yaml: yaml("20s") });
  await sleep(1500);
  taken.close();
  const serve = await starting;
  processes.push(serve);
  expect((await fetch(`${serve.proxy}/cart/1`)).status).toBe(200);
});
