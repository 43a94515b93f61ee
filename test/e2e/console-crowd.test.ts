/** A hundred people look at one instance at once, in an incident: shoppers notice nothing of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { accepted } from "../support/admin-api.ts";
import { cpuSoFar } from "../support/cpu-time.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { failed, startLoad } from "../support/kept-load.ts";
import { endsWithTest } from "../support/processes.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const consoles = 100;
const rounds = 9;
const roundMs = 9000;
const perSecond = 200;
const program = fileURLToPath(new URL("../support/consoles-child.js", import.meta.url));
const counted = z.object({ events: z.int(), answers: z.int(), wrong: z.int() });

describe.runIf(isFull)(`${consoles} consoles on one instance`, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet();
    accepted(await fleet.members[0].api.set(50));
  });
  afterAll(() => fleet?.stop());

  test("cost at most a tenth of a core, and shoppers wait no longer", { timeout: 600_000 }, async () => {
    const [{ served }] = fleet.members;
    const load = startLoad(served.proxy, { perSecond });
    await sleep(5000);
    const alone: Measured[] = [];
    const watched: Measured[] = [];

    /** What the proxy does in the next so many ms. */
    async function measure(): Promise<Measured> {
      const [cpu, from] = [cpuSoFar(served.pid), performance.now()];
      await sleep(roundMs);
      const lasted = performance.now() - from;
      const times = load.sent
        .filter(({ begunAt }) => begunAt >= from)
        .map(({ begunAt, endedAt }) => endedAt - begunAt)
        .sort((one, other) => one - other);
      return {
        cores: (cpuSoFar(served.pid) - cpu) / lasted,
        p99: times[Math.floor(times.length * 0.99)] ?? 0,
      };
    }

    for (let round = 0; round < rounds; round += 1) {
      alone.push(await measure());
      // Pages that are just being loaded are another matter.
      const crowd = await openConsoles(served.admin);
      watched.push(await measure());
      const { events, answers, wrong } = await crowd.close();
      expect(wrong).toBe(0);
      expect(events).toBeGreaterThan(consoles * (roundMs / 1000) * 1.5);
      expect(answers).toBeGreaterThan(consoles * 5);
      await sleep(1000);
    }
    await load.stop();
    expect(failed(load.sent)).toEqual([]);
    const cores = {
      alone: median(alone.map((one) => one.cores)),
      watched: median(watched.map((one) => one.cores)),
    };
    const more = cores.watched - cores.alone;
    // Of windows side by side: what else the machine does has to do with both.
    const ratios = watched.map((one, round) => one.p99 / (alone[round]?.p99 ?? Number.NaN));
    const ratio = median(ratios);
    console.log(
      `${consoles} consoles: +${(100 * more).toFixed(1)}% of a core (${listOf(alone, "cores")} | ${listOf(watched, "cores")}), p99 ${ratio.toFixed(2)}× (${listOf(alone, "p99")} | ${listOf(watched, "p99")} ms)`,
    );
    expect(more).toBeLessThanOrEqual(0.1);
    expect(ratio).toBeLessThanOrEqual(1.1);
  });
});

interface Measured {
  readonly cores: number;
  readonly p99: number;
}

async function openConsoles(admin: string) {
  const child = spawn(process.execPath, [program, admin, String(consoles)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  endsWithTest(child);
  const gone = once(child, "exit");
  child.stdout.setEncoding("utf8");
  await once(child.stdout, "data");
  return {
    async close() {
      child.kill("SIGTERM");
      const [told] = await once(child.stdout, "data");
      await gone;
      return counted.parse(JSON.parse(String(told)));
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function listOf(measured: readonly Measured[], of: keyof Measured): string {
  return measured.map((one) => one[of].toFixed(2)).join(" ");
}
