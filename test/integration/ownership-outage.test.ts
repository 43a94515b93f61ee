/** Idempotency keys that are first used while Redis is away: what each instance then does, and how it is settled. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accepted } from "../support/admin-api.ts";
import { shoppersOfBuckets } from "../support/bucket.ts";
import { type OrderFleet, size, startOrderFleet } from "../support/order-fleet.ts";

describe("keys first used while Redis is away", () => {
  let fleet: OrderFleet;
  /** Shoppers of the legacy and of the new half. */
  const [low = "", other = ""] = shoppersOfBuckets("checkout", "s", (bucket) => bucket < 50_000, 2);
  const [high = ""] = shoppersOfBuckets("checkout", "s", (bucket) => bucket >= 50_000, 1);

  beforeAll(async () => {
    fleet = await startOrderFleet("retry");
    accepted(await fleet.members[0].api.set(50));
    await fleet.redis.kill();
  });
  afterAll(() => fleet.stop());

  const checkout = (instance: number, key: string, shopper: string) =>
    fleet.post(instance, "/checkout", { "idempotency-key": key, "x-shopper-id": shopper }, "{}");
  const sideOf = async (answered: { readonly status: number; readonly body: string }) => {
    expect(answered.status).toBe(201);
    const { orderId } = JSON.parse(answered.body);
    return (await fleet.sides.stats()).orders[String(orderId)];
  };

  test("meet one side as long as it is one shopper's: every instance computes the same bucket", async () => {
    for (let instance = 0; instance < size; instance++) {
      expect(await sideOf(await checkout(instance, "K-one", low))).toBe("new");
    }
    expect((await fleet.sides.stats()).split).toEqual([]);
  });

  test("may meet both sides when two shoppers use one; each instance keeps to its own, and all is counted", async () => {
    const before = await fleet.metric("cutover_ownership_unknown_total");
    expect(await sideOf(await checkout(0, "K-two", low))).toBe("new");
    expect(await sideOf(await checkout(1, "K-two", high))).toBe("legacy");
    expect(await sideOf(await checkout(0, "K-two", high))).toBe("new");
    expect(await sideOf(await checkout(1, "K-two", other))).toBe("legacy");
    expect((await fleet.sides.stats()).split).toEqual(["K-two"]);
    expect((await fleet.metric("cutover_ownership_unknown_total")) - before).toBe(2);
    expect(await fleet.metric("cutover_ownership_disputed_total")).toBe(0);
  });

  test("are refused where the route says unknown: retry, and nothing is executed", async () => {
    const keys = { "idempotency-key": "K-callback" };
    for (let instance = 0; instance < size; instance++) {
      const { status } = await fleet.post(instance, "/callbacks/payment", keys, '{"order_id":"none"}');
      expect(status).toBe(503);
    }
    expect((await fleet.sides.stats()).keys).toBe(2);
  });

  test("have one side everywhere once it is back; the dispute is counted and logged, without the key", async () => {
    await fleet.redis.restart();
    await expect.poll(() => fleet.metric("cutover_ownership_spool_waiting"), { timeout: 10_000 }).toBe(0);
    const owner = await fleet.redis.cli("GET", "cutover:{checkout}:owner:K-two");
    expect(["legacy", "new"]).toContain(owner);
    expect(await fleet.redis.cli("GET", "cutover:{checkout}:owner:K-one")).toBe("new");
    for (const shopper of [low, high]) {
      for (let instance = 0; instance < size; instance++) {
        expect(await sideOf(await checkout(instance, "K-two", shopper))).toBe(owner);
        expect(await sideOf(await checkout(instance, "K-one", shopper))).toBe("new");
      }
    }
    expect(await fleet.metric("cutover_ownership_disputed_total")).toBe(1);
    const logs = await Promise.all(fleet.members.map(({ served }) => served.log()));
    const told = logs.flatMap((log) => log.split("\n")).filter((line) => line.includes("owned by the other"));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('"level":"warn"');
    expect(logs.join()).not.toContain("K-two");
  });
});
