/** A hundred people look at one instance at once, in an incident: shoppers notice nothing of it. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
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
const rounds = 8;
/** Windows of each kind in a round. Disturbances are short and hit some of them: medians tell of the others. */
const windows = 3;
const windowMs = 4000;
const perSecond = 400;
const program = fileURLToPath(new URL("../support/consoles-child.js", import.meta.url));
const counted = z.object({ events: z.int(), answers: z.int(), wrong: z.int() });

describe.runIf(isFull)(`${consoles} consoles on one instance`, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    // What is begun from here on stands on the same core as this process; the instance has the other one to itself.
    if (cpus().length > 1) setCore(process.pid, 1);
    fleet = await startFleet();
    if (cpus().length > 1) setCore(fleet.members[0].served.pid, 0);
    accepted(await fleet.members[0].api.set(50));
  });
  afterAll(() => fleet?.stop());

  test("cost at most a tenth of a core, and shoppers wait no longer", { timeout: 600_000 }, async () => {
    const [{ served }] = fleet.members;
    const load = startLoad(served.proxy, { perSecond });

    /** What the proxy does in the next so many ms. */
    async function measure(): Promise<Measured> {
      const [cpu, from] = [cpuSoFar(served.pid), performance.now()];
      await sleep(windowMs);
      const [lasted, spent] = [performance.now() - from, cpuSoFar(served.pid) - cpu];
      const times = load.sent
        .filter(({ begunAt }) => begunAt >= from)
        .map(({ begunAt, endedAt }) => endedAt - begunAt)
        .sort((one, other) => one - other);
      return { cores: spent / lasted, p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN };
    }

    async function measureSome(): Promise<readonly Measured[]> {
      const some: Measured[] = [];
      for (let window = 0; window < windows; window += 1) some.push(await measure());
      return some;
    }

    async function measureRound(): Promise<Found> {
      const alone = await measureSome();
      // Pages that are just being loaded are another matter.
      const crowd = await openConsoles(served.admin);
      const watched = await measureSome();
      const { events, answers, wrong } = await crowd.close();
      expect(wrong).toBe(0);
      expect(events).toBeGreaterThan(consoles * ((windows * windowMs) / 1000) * 1.5);
      expect(answers).toBeGreaterThan(consoles * 7);
      await sleep(1000);
      return { alone, watched };
    }

    // In the first round much runs that is not compiled yet.
    await measureRound();
    const found: Record<keyof Found, Measured[]> = { alone: [], watched: [] };
    for (let round = 1; round <= rounds; round += 1) {
      const { alone, watched } = await measureRound();
      found.alone.push(...alone);
      found.watched.push(...watched);
      console.log(`${round} of ${rounds}: ${sentence({ alone, watched })}`);
    }
    await load.stop();
    expect(failed(load.sent)).toEqual([]);
    console.log(`${consoles} consoles, of ${found.alone.length} windows of each: ${sentence(found)}`);
    expect(costOf(found)).toBeLessThanOrEqual(0.1);
    expect(ratioOf(found)).toBeLessThanOrEqual(1.1);
  });
});

interface Measured {
  readonly cores: number;
  readonly p99: number;
}

interface Found {
  readonly alone: readonly Measured[];
  readonly watched: readonly Measured[];
}

/** Cores that the instance takes more while it is watched. */
function costOf({ alone, watched }: Found): number {
  return median(watched, "cores") - median(alone, "cores");
}

function ratioOf({ alone, watched }: Found): number {
  return median(watched, "p99") / median(alone, "p99");
}

function sentence(found: Found): string {
  const p99 = (of: keyof Found) => median(found[of], "p99").toFixed(2);
  return `+${(100 * costOf(found)).toFixed(1)}% of a core, p99 ${ratioOf(found).toFixed(2)}× (${p99("alone")} and ${p99("watched")} ms)`;
}

function median(measured: readonly Measured[], of: keyof Measured): number {
  const sorted = measured.map((one) => one[of]).sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function setCore(pid: number, core: number): void {
  const { status, stderr } = spawnSync("taskset", ["-acp", `${core}`, `${pid}`], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

/** People look from machines of their own: here they take what the others leave. */
async function openConsoles(admin: string) {
  const child = spawn("chrt", ["-i", "0", process.execPath, program, admin, String(consoles)], {
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
