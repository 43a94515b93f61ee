/**
 * A thousand wrong tokens a second at the admin API of a serving process: shoppers do not notice. In the turns between,
 * the same flood goes to another process, so that who sends it, and what else the machine does, takes as much of the
 * machine in both. On a machine that others use a ratio of two p99s is noisy: it is told, and held loosely; how much
 * of a core the flood takes is held. CUTOVER_BARS=full: for longer.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { startServe } from "../support/cutover.ts";
import { endsWithTest } from "../support/processes.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const turns = isFull ? 6 : 2;
const turnMs = isFull ? 8000 : 2000;
const perSecond = 200;
const badPerSecond = 1000;

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const counted = z.record(z.string(), z.number());

/** Resolves once it is answered, with what ends it and tells how. */
async function startFlood(admin: string) {
  const program = fileURLToPath(new URL("../support/bad-tokens-child.js", import.meta.url));
  const argv = [program, admin, String(badPerSecond)];
  const child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
  endsWithTest(child);
  const gone = once(child, "exit");
  await once(child.stdout.setEncoding("utf8"), "data");
  let printed = "";
  child.stdout.on("data", (text: string) => {
    printed += text;
  });
  return async () => {
    child.stdin.end();
    await gone;
    return counted.parse(JSON.parse(printed));
  };
}

test("a thousand wrong tokens a second do not slow the proxy", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-tokens-"));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const sides = await startSides();
  endings.push(() => sides.stop());
  const auth = `{ tokens: [{ name: ops, role: viewer, sha256: "${"a".repeat(64)}" }] }`;
  const yaml = serveYaml({ sides, auth });
  const served = await startServe({ folder, name: "a", yaml });
  endings.push(() => served.kill());
  const decoy = await startServe({ folder, name: "b", yaml });
  endings.push(() => decoy.kill());
  const dispatcher = new Agent({ connections: 32 });
  endings.push(() => dispatcher.destroy());

  /** Requests at a fixed rate, whether or not earlier ones are answered. @returns their times in ms */
  async function shop(forMs: number): Promise<number[]> {
    const times: number[] = [];
    const open: Promise<void>[] = [];
    const begun = performance.now();
    for (let sent = 0; performance.now() - begun < forMs; ) {
      for (const due = ((performance.now() - begun) / 1000) * perSecond; sent < due; sent += 1) {
        const at = performance.now();
        const headers = { "x-shopper-id": `s${sent % 100}` };
        open.push(
          request(`${served.proxy}/cart/1`, { dispatcher, headers }).then(async ({ statusCode, body }) => {
            await body.dump();
            expect(statusCode).toBe(200);
            times.push(performance.now() - at);
          }),
        );
      }
      await sleep(2);
    }
    await Promise.all(open);
    return times;
  }

  async function cpuSeconds(): Promise<number> {
    const page = await (await request(`${served.admin}/metrics`, { dispatcher })).body.text();
    return Number(/^process_cpu_seconds_total (\S+)/m.exec(page)?.[1] ?? Number.NaN);
  }

  await shop(1000);
  const times: Record<"calm" | "flooded", number[]> = { calm: [], flooded: [] };
  const { calm, flooded } = times;
  const answered: Record<string, number> = {};
  const cpu = { calm: 0, flooded: 0 };
  for (let turn = 0; turn < turns; turn += 1) {
    for (const state of ["calm", "flooded"] as const) {
      const stop = await startFlood(state === "calm" ? decoy.admin : served.admin);
      // What was due while its connections were made comes at once.
      await sleep(300);
      const before = await cpuSeconds();
      times[state].push(...(await shop(turnMs)));
      cpu[state] += (await cpuSeconds()) - before;
      const counts = await stop();
      if (state === "calm") continue;
      for (const [key, count] of Object.entries(counts)) answered[key] = (answered[key] ?? 0) + count;
    }
  }

  const p = (times: number[], share: number) =>
    times.sort((a, b) => a - b)[Math.floor(times.length * share)] ?? 0;
  const ratio = p(flooded, 0.99) / p(calm, 0.99);
  const percentCpu = (seconds: number) => `${((seconds / ((turns * turnMs) / 1000)) * 100).toFixed(0)}%`;
  console.info(
    `bad tokens: p50 ${p(calm, 0.5).toFixed(2)} → ${p(flooded, 0.5).toFixed(2)} ms, ` +
      `p99 ${p(calm, 0.99).toFixed(2)} → ${p(flooded, 0.99).toFixed(2)} ms (×${ratio.toFixed(2)}, bar 1.1), ` +
      `CPU ${percentCpu(cpu.calm)} → ${percentCpu(cpu.flooded)}, answers ${JSON.stringify(answered)}`,
  );
  expect(answered.sent).toBeGreaterThan((turns * turnMs * badPerSecond * 0.8) / 1000);
  expect(answered["429"] ?? 0).toBeGreaterThan((answered.sent ?? 0) * 0.8);
  expect(Object.keys(answered).filter((key) => !["sent", "401", "429"].includes(key))).toEqual([]);
  // This is the flood's own share of one core.
  expect((cpu.flooded - cpu.calm) / ((turns * turnMs) / 1000)).toBeLessThan(0.35);
  expect(ratio).toBeLessThan(isFull ? 3 : 12);
  const log = await served.log();
  expect(log).toContain("sign-ins of this address fail too often");
  expect(log).not.toContain("guess-");
  expect(log.match(/a sign-in failed/g)?.length ?? 0).toBeLessThan(100);
});
