/**
 * Silent and dripping connections on the admin port, which come again when they are closed: rollback, health, scrape and
 * the command line answer all the same. Those who hold connections are on loopback too, where no address is told from
 * another. CUTOVER_BARS=full: 2,000 silent and 200 dripping for 60 s; the admin's answer ≤ 300 ms each of 20 times, the
 * command line's median ≤ 1 s.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { runCutover, startServe } from "../support/cutover.ts";
import { serveYaml } from "../support/serve-yaml.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const shape = isFull
  ? { silent: 2000, dripping: 200, times: 20, everyMs: 3000, mostMs: 300, cliRuns: 9, cliMs: 1000 }
  : { silent: 700, dripping: 50, times: 4, everyMs: 250, mostMs: 5000, cliRuns: 1, cliMs: 15_000 };

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** Holds connections, opens each anew 2 s after it was closed. @returns how often one was closed, and what ends it */
function hold(port: number, { silent, dripping }: { readonly silent: number; readonly dripping: number }) {
  const sockets = new Set<Socket>();
  let closed = 0;
  let isOver = false;
  const open = (drips: boolean) => {
    if (isOver) return;
    const socket = connect(port, "127.0.0.1");
    sockets.add(socket);
    if (drips)
      socket.write("POST /api/v1/cutovers/checkout/rollback HTTP/1.1\r\nHost: localhost\r\nX-Drip: ");
    socket.on("error", () => undefined);
    socket.once("close", () => {
      sockets.delete(socket);
      closed += 1;
      setTimeout(() => open(drips), 2000).unref();
    });
  };
  for (let i = 0; i < silent; i++) open(false);
  for (let i = 0; i < dripping; i++) open(true);
  const drip = setInterval(() => {
    for (const socket of sockets) if (socket.bytesWritten > 0) socket.write("x");
  }, 500);
  return {
    closed: () => closed,
    end() {
      isOver = true;
      clearInterval(drip);
      for (const socket of sockets) socket.destroy();
    },
  };
}

test(`${shape.silent} silent and ${shape.dripping} dripping connections keep nobody off the admin API`, async () => {
  const sides = { legacy: "http://127.0.0.1:9", new: "http://127.0.0.1:9" };
  const folder = await mkdtemp(join(tmpdir(), "cutover-neighbours-"));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const serving = await startServe({ folder, name: "a", yaml: serveYaml({ sides }) });
  endings.push(() => serving.kill());
  const { admin } = serving;
  const holding = hold(Number(new URL(admin).port), shape);
  endings.push(holding.end);
  await sleep(isFull ? 3000 : 500);
  const answers: number[] = [];
  const ask = async (path: string, init: RequestInit = {}) => {
    const begunAt = performance.now();
    const answer = await fetch(new URL(path, admin), {
      ...init,
      headers: { connection: "close", ...init.headers },
    });
    await answer.text();
    answers.push(performance.now() - begunAt);
    expect(answer.status, path).toBe(200);
  };
  const said = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  for (let i = 0; i < shape.times; i++) {
    await ask("/api/v1/cutovers/checkout/rollback", said);
    await ask("/health/ready");
    await ask("/metrics");
    await sleep(shape.everyMs);
  }
  const runs: number[] = [];
  for (let i = 0; i < shape.cliRuns; i++) {
    const begunAt = performance.now();
    const { code, stderr } = await runCutover(["rollback", "checkout"], {
      env: { CUTOVER_ADMIN_URL: admin },
    });
    runs.push(performance.now() - begunAt);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  }
  runs.sort((a, b) => a - b);
  const median = runs[Math.floor(runs.length / 2)] ?? 0;
  const worst = Math.max(...answers);
  process.stdout.write(
    `worst of ${answers.length} answers ${worst.toFixed(0)} ms, median of ${runs.length} commands ${median.toFixed(0)} ms; ${holding.closed()} connections were closed\n`,
  );
  expect(holding.closed()).toBeGreaterThan(0);
  expect(worst).toBeLessThanOrEqual(shape.mostMs);
  expect(median).toBeLessThanOrEqual(shape.cliMs);
}, 400_000);
