/** Owners, claims, pins and leases in a Cluster: what one call touches is in one slot, and every instance hears of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { keyDigest } from "../../src/ownership/past/port.ts";
import { pinDigest } from "../../src/ownership/stores/port.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createUnderWayInRedis } from "../../src/ownership/under-way/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import type { Fence } from "../../src/state/rules/leases/lease.ts";
import { createRedisStore } from "../../src/state/store/redis/store.ts";
import { command } from "../support/commands.ts";
import { claim, fact } from "../support/named-keys.ts";
import { startCluster, type Topology } from "../support/redis-topologies.ts";
import { refusals } from "../support/redis-user.ts";

const hour = 3_600_000;
let cluster: Topology;
let clients: RedisClient[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  clients = [createRedisClient(cluster.url), createRedisClient(cluster.url)];
}, 60_000);
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await cluster.stop();
});

test("the documented user keeps owners, pins and what is under way of cutovers on all nodes", async () => {
  const [one, other] = clients.map((client) =>
    createRedisStores({ client, prefix: "cutover", deadlineMs: 10_000 }),
  );
  const underWay = clients.map((client) =>
    createUnderWayInRedis({ client, prefix: "cutover", deadlineMs: 10_000 }),
  );
  if (one === undefined || other === undefined) throw new Error("no client");
  const heard = new Set<string>();
  const stop = other.watch?.((cutover, { key, claimed }, side) =>
    heard.add(`${cutover} ${key} ${claimed} ${side}`),
  );
  const startedAt = Math.floor(Date.now() / 1000);
  const cutovers = ["checkout", "search", "wallet", "a", "b", "c"];
  // A subscription is made in the background.
  await expect
    .poll(async () => {
      await one.owners.record("probe", fact(`P${heard.size}-${Math.random()}`), "new", 1000);
      return heard.size;
    })
    .toBeGreaterThan(0);
  for (const cutover of cutovers) {
    expect(await one.owners.record(cutover, claim("O1"), "new", hour)).toBeUndefined();
    expect(await other.owners.record(cutover, fact("O1"), "legacy", hour)).toBeUndefined();
    expect(await other.owners.record(cutover, claim("O1"), "legacy", hour)).toBe("new");
    expect(await one.owners.lookup(cutover, [fact("O1"), claim("O1"), fact("O2")])).toEqual([
      "legacy",
      "new",
      undefined,
    ]);
    const pin = { id: "abcdefghijkl", side: "new", epoch: 0, startedAt, expiresAt: startedAt + 600 } as const;
    await one.pins.start(cutover, "ann", pin, 600);
    expect(await other.pins.find(cutover, "ann", 600)).toEqual(pin);
    const listed: string[] = [];
    await other.pinNews.list(cutover, 600, (digests) => listed.push(...digests));
    expect(listed).toEqual([pinDigest("ann")]);
    await one.pins.tie(cutover, ["O1", "O2"], pin.id, 600);
    expect(await other.pins.end(cutover, "ann", 60, 600, { orders: ["O3", "O2"] })).toEqual(pin);
    const question = { kind: "orders", cutover, epoch: 0 } as const;
    const made = { side: "legacy", startedAt, expiresAt: startedAt + 600 } as const;
    expect(await underWay[0]?.note([{ ...question, id: "a", atMs: Date.now(), underWay: made }])).toBe(0);
    expect((await underWay[1]?.count([question]))?.[0]?.legacy.count).toBe(1);
    const doubt = { side: "new", others: [keyDigest("O1")], route: "pay", outcome: "reset" } as const;
    const times = { sentAtMs: startedAt * 1000, sinceMs: startedAt * 1000 };
    const doubts = [{ cutover, digest: keyDigest("K"), ...doubt, ...times }];
    expect(await one.past.note({ keys: [], doubts })).toBe(0);
    expect((await other.past.counts(cutovers))[cutovers.indexOf(cutover)]?.new.count).toBe(1);
    expect(await other.past.settle(cutover, keyDigest("O1"), Date.now())).toBe(1);
    expect(await one.past.inDoubt(cutover, 10)).toEqual([]);
  }
  const expected = cutovers.flatMap((cutover) => [`${cutover} O1 true new`, `${cutover} O1 false legacy`]);
  await expect.poll(() => expected.filter((news) => !heard.has(news))).toEqual([]);
  stop?.();
  for (const server of cluster.servers) expect(await refusals(server)).toEqual([]);
}, 60_000);

test("leases of cutovers on all nodes fence their changes", async () => {
  const store = createRedisStore({ client: createRedisClient(cluster.url) });
  for (const name of ["checkout", "search", "wallet", "a", "b", "c"]) {
    for (const lease of [name, `${name}/guard`]) {
      const leased = await store.lease(lease, "one", hour);
      if (!leased.granted) throw new Error("not granted");
      const { token } = leased;
      const asked = (fence: Fence) => store.apply(command(name, { action: "rollback_hard" }, { fence }));
      expect(await asked({ lease, token: token + 1 })).toMatchObject({ code: "fenced" });
      expect(await asked({ lease, token })).toMatchObject({ changed: true });
    }
  }
  await store.close();
});
