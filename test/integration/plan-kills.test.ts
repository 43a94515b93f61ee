/**
 * A plan on three instances and one Redis, whose leader is killed five times at moments of chance: in full alone, since each
 * takeover lasts seconds. The same by a clock of the test's own, at any call, is test/property/plan.test.ts.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { planView } from "../../src/admin/api/plan/plan-view.ts";
import { createChance } from "../../src/guard/simulate/chance.ts";
import { createAdminApi } from "../support/admin-api.ts";
import { startServe } from "../support/cutover.ts";
import { startRedis } from "../support/redis.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const isFull = process.env.CUTOVER_BARS === "full";
const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);
const steps = [1, 5, 10, 25, 50, 99, 100];
const dwellSeconds = 3;

test.runIf(isFull)(
  `five kills of the leader skip no gate and repeat no step, seed ${seed}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "cutover-plan-"));
    endings.push(() => rm(folder, { recursive: true }));
    const [sides, redis] = await Promise.all([startSides(), startRedis()]);
    endings.push(sides.stop, redis.stop);
    const yaml = serveYaml({
      sides,
      store: redis.url,
      cutover: [...cartsByShopper, `plan: { steps: [${steps.join(", ")}], dwell: ${dwellSeconds}s }`],
      more: ["audit: off"],
    });
    let opened = 0;
    const open = async () => {
      opened += 1;
      const serve = await startServe({ folder, name: `i${opened}`, yaml });
      const api = createAdminApi(serve.admin);
      endings.push(() => Promise.all([api.close(), serve.kill()]));
      return { serve, api };
    };
    let members: readonly Awaited<ReturnType<typeof open>>[] = await Promise.all([open(), open(), open()]);
    const planOf = async () => {
      const answer = await fetch(new URL("/api/v1/cutovers/checkout/plan", members[0]?.serve.admin));
      return planView.parse(await answer.json());
    };
    const [first] = members;
    if (first === undefined) throw new Error("nobody serves");
    const started = await fetch(new URL("/api/v1/cutovers/checkout/plan/start", first.serve.admin), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "go" }),
    });
    expect(started.status).toBe(200);

    const chance = createChance(seed);
    let killed = 0;
    while (killed < 5) {
      await sleep(500 + 4000 * chance.uniform());
      const holder = await redis.cli("HGET", "cutover:lease:{checkout}/watch", "holder");
      const leader = members.find(({ serve }) => serve.id === holder);
      if (leader === undefined) continue;
      expect((await planOf()).status).toBe("running");
      await leader.serve.kill();
      killed += 1;
      members = [...members.filter((each) => each !== leader), await open()];
    }
    await eventually("the plan is done", async () => (await planOf()).status === "done", 120_000);
    expect(killed).toBe(5);

    const history = [...((await members[0]?.api.history()) ?? [])].reverse();
    expect(history.map(({ to }) => to.percent)).toEqual(steps);
    expect((await planOf()).done.map(({ percent }) => percent)).toEqual(steps);
    history.slice(1).forEach(({ at }, index) => {
      const stoodMs = Date.parse(at) - Date.parse(history[index]?.at ?? "");
      expect(stoodMs).toBeGreaterThanOrEqual(1000 * dwellSeconds);
    });
    console.log(
      `plan: leader killed ${killed} times of 3 instances, ${history.length} steps each once, seed ${seed}`,
    );
  },
  300_000,
);
