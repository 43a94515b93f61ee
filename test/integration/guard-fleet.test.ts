/** One guard over three instances on one Redis, over real sockets: who leads dies, freezes, and is followed by another. */
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { createRedisClient } from "../../src/redis/client.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { command, setTo } from "../support/commands.ts";
import { runCutover, startServe } from "../support/cutover.ts";
import { comeByTurns, guardOf, startToldShop } from "../support/guarded-shops.ts";
import { startRedis } from "../support/redis.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const isFull = process.env.CUTOVER_BARS === "full";
/** A machine that does much else at the same time is asked for more. */
const patientlyMs = isFull ? 0 : 4000;

/** A cutover at 50% on three instances, and 100 shoppers a second: 50 of them come to new. */
async function create(action = "rollback") {
  const folder = await mkdtemp(join(tmpdir(), "cutover-guard-"));
  endings.push(() => rm(folder, { recursive: true }));
  const [legacy, fresh, redis] = await Promise.all([startToldShop(), startToldShop(), startRedis()]);
  endings.push(legacy.stop, fresh.stop, redis.stop);
  const yaml = serveYaml({
    sides: { legacy: legacy.url, new: fresh.url },
    store: redis.url,
    cutover: [...cartsByShopper, `guard: { action: ${action}, block: 1s }`],
    more: ["audit: off"],
  });
  const members = await Promise.all(
    ["a", "b", "c"].map(async (name) => {
      const serve = await startServe({ folder, name, yaml });
      const api = createAdminApi(serve.admin);
      endings.push(() => Promise.all([api.close(), serve.kill()]));
      return { serve, api, state: async () => (await api.view()).state };
    }),
  );
  const [first] = members;
  if (first === undefined) throw new Error("nobody serves");
  accepted(await first.api.set(50, { waitMs: 10_000 }));
  const come = (which = members) => {
    const stop = comeByTurns({ proxies: which.map(({ serve }) => serve.proxy), patienceMs: 5000 });
    endings.push(stop);
    return stop;
  };
  /** As one of them tells it. */
  const leaderId = async (asked = first) => (await guardOf(asked.serve.admin)).leader?.id;
  const leader = async (asked = first) => {
    const id = await leaderId(asked);
    return members.find(({ serve }) => serve.id === id);
  };
  const counted = (atLeast: number) =>
    eventually(
      `${atLeast} shoppers of new counted`,
      async () => ((await guardOf(first.serve.admin)).evidence?.sides.new.units ?? 0) >= atLeast,
      30_000,
    );
  const rolledBack = (which = members) =>
    eventually(
      "rolled back on all",
      async () => {
        const states = await Promise.all(which.map(({ state }) => state()));
        return states.every((state) => state === "rolled_back");
      },
      30_000,
    );
  return { redis, fresh, members, first, come, leader, counted, rolledBack };
}

/** Every command that Redis is given for so long: its connection and its words. */
async function monitor(port: number, ms: number): Promise<readonly { from: string; words: string }[]> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  socket.write("MONITOR\r\n");
  await sleep(ms);
  socket.destroy();
  return [...text.matchAll(/^\+\d+\.\d+ \[\d+ ([\d.:]+)\] (.*)$/gm)].map(([, from = "", words = ""]) => ({
    from,
    words,
  }));
}

test("a new side that fails on three instances is rolled back on all, and only the leader asks Redis for more", async () => {
  const { redis, fresh, members, come, leader, counted, rolledBack } = await create();
  const stop = come();
  await counted(100);
  const led = await leader();
  expect(await Promise.all(members.map((each) => leader(each)))).toEqual(members.map(() => led));

  const seconds = 4;
  const further = /lease:|"zrange" "cutover:\{instances\}:index"|"get" "cutover:instance:/;
  let about: (id: string) => string[] = () => [];
  // What the API was asked for above may still be read, once; what is asked each second would be seen each time.
  for (let window = 0; window < 3; window += 1) {
    const commands = await monitor(redis.port, 1000 * seconds);
    about = (id) => {
      const own = new Set(
        commands.flatMap(({ from, words }) =>
          words.startsWith(`"set" "cutover:instance:${id}"`) ? from : [],
        ),
      );
      return commands.filter(({ from }) => own.has(from)).map(({ words }) => words);
    };
    const others = members.filter(({ serve }) => serve.id !== led?.serve.id);
    if (!others.some(({ serve }) => about(serve.id).some((words) => further.test(words)))) break;
  }
  for (const { serve } of members) {
    const asked = about(serve.id);
    expect(asked.filter((words) => words.startsWith('"set" "cutover:instance:')).length).toBeGreaterThan(2);
    const more = asked.filter((words) => further.test(words));
    if (serve.id !== led?.serve.id) {
      // On a slow machine each window may hold a late reading; each second's would be four.
      expect(more.filter((words) => words.includes("lease:"))).toEqual([]);
      expect(more.filter((words) => words.startsWith('"zrange"')).length).toBeLessThanOrEqual(1);
    }
    // The lease, the evidence by its looks, and the records, each second.
    else expect(more.length).toBeLessThanOrEqual((seconds + 1) * (1 + 2 + 1 + members.length));
  }

  fresh.answer = "failing";
  const began = performance.now();
  await rolledBack();
  const took = performance.now() - began;
  stop();
  const bar = 5000 + patientlyMs;
  console.log(
    `guard, three instances: rolled back on all ${Math.round(took)} ms after the first failure; bar ${bar}`,
  );
  expect(took).toBeLessThanOrEqual(bar);
  const entries = await members[0]?.api.history();
  expect(entries?.filter(({ by }) => by === "guard")).toHaveLength(1);
  const told = await runCutover(["status"], { env: { CUTOVER_ADMIN_URL: members[1]?.serve.admin ?? "" } });
  // Its sentence is the reason of the change.
  const said = told.stdout.replaceAll(/\s+/g, " ");
  expect(said).toContain("by guard:");
  expect(said.match(/worse with odds/g)).toHaveLength(1);
});

test.runIf(isFull)("its leader killed in mid-incident, another one takes over and rolls back", async () => {
  const { fresh, members, come, leader, counted, rolledBack } = await create();
  const stop = come();
  await counted(100);
  const old = await leader();
  const rest = members.filter((each) => each !== old);
  fresh.answer = "failing";
  const began = performance.now();
  await sleep(500);
  await old?.serve.kill();
  stop();
  const stopRest = come(rest);
  await rolledBack(rest);
  const took = performance.now() - began;
  stopRest();
  const bar = 10_000 + 2 * patientlyMs;
  console.log(
    `guard, leader killed: rolled back on the rest ${Math.round(took)} ms after the first failure; bar ${bar}`,
  );
  expect(took).toBeLessThanOrEqual(bar);
});

test.each(Array.from({ length: isFull ? 5 : 0 }, (_, n) => n + 1))(
  "a leader that was frozen is refused when it wakes, and leads no more (%d)",
  async (n) => {
    const { redis, members, come, leader, counted } = await create();
    const stop = come();
    await counted(50);
    const old = await leader();
    const other = members.find((each) => each !== old);
    if (old === undefined || other === undefined) throw new Error("nobody leads");
    const token = Number(await redis.cli("HGET", "cutover:lease:{checkout}/watch", "token"));
    old.serve.signal("SIGSTOP");
    const frozenMs = performance.now();
    await eventually(
      "another one leads",
      async () => {
        const now = await leader(other);
        return now !== undefined && now !== old;
      },
      20_000,
    );
    const took = performance.now() - frozenMs;
    console.log(
      `guard, leader frozen (${n}): another one leads after ${Math.round(took)} ms; bar ${5000 + patientlyMs}`,
    );
    expect(took).toBeLessThanOrEqual(5000 + patientlyMs);
    const next = await leader(other);
    const store = createRedisStore({ client: createRedisClient(redis.url) });
    endings.push(() => store.close());
    // What the frozen one would ask, had it decided before.
    const fence = { lease: "checkout/watch", token };
    expect(await store.apply(command("checkout", setTo(10), { fence }))).toMatchObject({ code: "fenced" });
    expect(await store.keep(fence, "old")).toBe(false);
    old.serve.signal("SIGCONT");
    await eventually("the old one follows", async () => (await leader(old)) === next, 20_000);
    stop();
    expect((await other.api.history()).map(({ by }) => by)).not.toContain("guard");
  },
);
