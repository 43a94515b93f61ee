/**
 * A Redis that answers reads and refuses writes: what is learned meanwhile is known everywhere, what is not known is not
 * believed to be free, and the store's own word is said.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { accepted } from "../support/admin-api.ts";
import { shoppersOfBuckets } from "../support/bucket.ts";
import { runCutover } from "../support/cutover.ts";
import { type OrderFleet, size, startOrderFleet } from "../support/order-fleet.ts";

const health = z.object({ store: z.looseObject({ writable: z.boolean(), word: z.string().nullable() }) });
const staleAfterMs = 3000;

describe.each([
  ["OOM", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]],
  [
    "NOREPLICAS",
    ["CONFIG", "SET", "min-replicas-to-write", "1"],
    ["CONFIG", "SET", "min-replicas-to-write", "0"],
  ],
  ["READONLY", ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]],
] as const)("a Redis that answers reads and says %s to writes", (word, breaks, mends) => {
  let fleet: OrderFleet;
  const [shopper = ""] = shoppersOfBuckets("checkout", "s", (bucket) => bucket < 50_000, 1);

  beforeAll(async () => {
    fleet = await startOrderFleet("retry", { staleAfter: `${staleAfterMs}ms` });
    accepted(await fleet.members[0].api.set(50));
    await fleet.redis.cli(...breaks);
  }, 60_000);
  afterAll(() => fleet.stop());

  const checkout = async (instance: number, key: string) => {
    const fields = { "idempotency-key": key, "x-shopper-id": shopper };
    const { status, body } = await fleet.post(instance, "/checkout", fields, "{}");
    expect(status).toBe(201);
    return z.object({ orderId: z.union([z.string(), z.number()]) }).parse(JSON.parse(body)).orderId;
  };
  const callback = (instance: number, order: string | number) =>
    fleet.post(instance, "/callbacks/payment", {}, JSON.stringify({ order_id: order }));
  const stores = () =>
    Promise.all(
      fleet.members.map(async ({ served }) => {
        const answer = await fetch(`${served.admin}/health/ready`);
        expect(answer.status).toBe(200);
        return health.parse(await answer.json()).store;
      }),
    );

  test("a callback right after an order that could not be recorded meets its side, on every instance", async () => {
    for (let round = 0; round < 4; round++) {
      const order = await checkout(0, `K-${round}`);
      for (let instance = 1; instance <= size; instance++) {
        const { status } = await callback(instance, order);
        expect(status).toBe(200);
      }
    }
  });

  test("within a second or two every instance knows it, and says it with the store's own word", async () => {
    await expect
      .poll(stores, { timeout: 5000 })
      .toEqual(fleet.members.map(() => expect.objectContaining({ writable: false, word })));
    expect(await fleet.metric("cutover_store_writable")).toBe(0);
    const status = await runCutover(["status"], {
      env: { CUTOVER_ADMIN_URL: fleet.members[1].served.admin },
    });
    expect(status.stdout).toContain(`the store answers ${word}`);
    const refused = await fetch(`${fleet.members[2].served.admin}/api/v1/cutovers/checkout/percent`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ percent: 60, reason: "more" }),
    });
    expect(await refused.json()).toMatchObject({
      code: "store_unavailable",
      detail: `the store answers ${word}: nothing was read or changed`,
    });
    expect(await fleet.members[2].served.log()).toContain(`"word":"${word}"`);
  });

  test("a key that the store does not know is unknown, not free, on every instance", async () => {
    for (let instance = 0; instance < size; instance++) {
      expect((await callback(instance, "nobody-knows")).status).toBe(503);
    }
  });

  test("once it is written again what waited is recorded, and absence is believed after staleAfter", async () => {
    await fleet.redis.cli(...mends);
    const mended = performance.now();
    await expect
      .poll(stores, { timeout: 10_000 })
      .toEqual(fleet.members.map(() => expect.objectContaining({ writable: true, word: null })));
    if (performance.now() - mended < staleAfterMs - 1000) {
      expect((await callback(1, "nobody-knows")).status).toBe(503);
    }
    await expect.poll(() => fleet.metric("cutover_ownership_spool_waiting"), { timeout: 10_000 }).toBe(0);
    for (let instance = 0; instance < size; instance++) {
      // READONLY has cost a connection: after a reconnect absence is believed after five seconds.
      await expect
        .poll(async () => (await callback(instance, "nobody-knows")).status, { timeout: 10_000 })
        .not.toBe(503);
    }
    expect(await fleet.metric("cutover_ownership_disputed_total")).toBe(0);
  }, 30_000);
});

test("a Redis whose writes are paused: a key that could not be recorded elsewhere is unknown here, not free", async () => {
  const fleet = await startOrderFleet("retry");
  try {
    const callback = async (instance: number) =>
      (await fleet.post(instance, "/callbacks/payment", {}, '{"order_id":"nobody-knows"}')).status;
    expect(await callback(1)).not.toBe(503);
    await fleet.redis.cli("CLIENT", "PAUSE", 5000, "WRITE");
    await sleep(3000);
    for (let instance = 0; instance < size; instance++) expect(await callback(instance)).toBe(503);
    for (let instance = 0; instance < size; instance++) {
      await expect.poll(() => callback(instance), { timeout: 15_000, interval: 200 }).not.toBe(503);
    }
  } finally {
    await fleet.stop();
  }
}, 60_000);
