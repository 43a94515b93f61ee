/**
 * A Redis that answers reads and refuses writes, before two instances of two workers: what is learned meanwhile is known
 * everywhere, what is not known is not believed to be free, and the store's own word is said.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { shoppersOfBuckets } from "../support/bucket.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { type RefusingFleet, startRefusingFleet } from "../support/refusing-fleet.ts";
import { type Refusal, refusals } from "../support/refusing-redis.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const health = z.object({
  store: z.looseObject({ up: z.boolean(), writable: z.boolean(), word: z.string().nullable() }),
});
const staleAfterMs = 1500;
const both = [0, 1] as const;
/** So many at once that each worker takes some. */
const crowd = Array.from({ length: 6 }, (_, i) => i);
const [shopper = ""] = shoppersOfBuckets("checkout", "s", (bucket) => bucket < 50_000, 1);

let fleet: RefusingFleet;
beforeAll(async () => {
  fleet = await startRefusingFleet(`${staleAfterMs}ms`);
}, 60_000);
afterAll(() => fleet.stop());

function at(instance: number): RefusingFleet["instances"][number] {
  const found = fleet.instances[instance];
  if (found === undefined) throw new Error("no such instance");
  return found;
}

const stores = () =>
  Promise.all(
    fleet.instances.map(async ({ served }) => {
      const answer = await fetch(`${served.admin}/health/ready`);
      expect(answer.status).toBe(200);
      return health.parse(await answer.json()).store;
    }),
  );

let made = 0;
/** An order of the new side, made by the first instance. */
async function order(): Promise<string> {
  const { status, side, body } = await fleet.order(0, shopper, `K-${made++}`);
  expect({ status, side }).toEqual({ status: 201, side: "new" });
  return z.object({ orderId: z.string() }).parse(JSON.parse(body)).orderId;
}

/** What the instance's workers say to a callback of the order. */
async function answers(instance: number, key: string): Promise<readonly unknown[]> {
  const told = await Promise.all(crowd.map(() => fleet.callback(instance, key)));
  return [...new Set(told.map(({ status, side }) => (status === 200 ? side : status)))];
}

async function doubted(): Promise<void> {
  for (const instance of both) expect(await answers(instance, "nobody-knows")).toEqual([503]);
}

async function believed(): Promise<void> {
  for (const instance of both) {
    await expect
      .poll(() => answers(instance, "nobody-knows"), { timeout: 20_000, interval: 200 })
      .toEqual(["legacy"]);
  }
}

/** @param from how much of the log was there before */
async function saysItsWord(word: string, instance: number, from: number): Promise<void> {
  const { served } = at(instance);
  const [status, refused, page, log] = await Promise.all([
    runOnPaper(["status"], { env: { CUTOVER_ADMIN_URL: served.admin } }),
    fetch(`${served.admin}/api/v1/cutovers/checkout/percent`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ percent: 60, reason: "more" }),
    }).then((answer) => answer.json()),
    fetch(`${served.admin}/metrics`).then((answer) => answer.text()),
    served.log(),
  ]);
  expect(status.stdout).toContain(`the store answers ${word}`);
  const detail = `the store answers ${word}: nothing was read or changed`;
  expect(refused).toMatchObject({ code: "store_unavailable", detail });
  expect(page).toContain(`\ncutover_store_refusal{word="${word}"} 1\n`);
  expect(page).toContain("\ncutover_store_writable 0\n");
  const said = log.slice(from).split("\n");
  expect(said.filter((line) => line.includes(`"word":"${word}"`)).length).toBeGreaterThan(0);
  expect(said.filter((line) => line.includes("out of reach"))).toEqual([]);
}

const everywhere = refusals.filter(({ word }) =>
  isFull ? word !== "NOPERM" : ["OOM", "READONLY"].includes(word),
);

describe.each<Refusal>(everywhere)("a Redis that answers reads and says $word to writes", (refusal) => {
  test("orders and callbacks go on everywhere, nothing is believed to be free, and its word is said", async () => {
    await believed();
    const logged = (await at(1).served.log()).length;
    await refusal.begin(fleet.redis);
    const orders = [await order(), await order()];
    for (const each of orders)
      for (const instance of both) expect(await answers(instance, each)).toEqual(["new"]);
    await expect
      .poll(stores, { timeout: 5000 })
      .toEqual(both.map(() => expect.objectContaining({ writable: false, word: refusal.word })));
    await doubted();
    await saysItsWord(refusal.word, 1, logged);

    await refusal.end(fleet.redis);
    await expect
      .poll(stores, { timeout: 10_000, interval: 20 })
      .toEqual(both.map(() => expect.objectContaining({ writable: true, word: null })));
    const mendedAtMs = performance.now();
    await believed();
    expect(performance.now() - mendedAtMs).toBeGreaterThan(staleAfterMs - 1000);
    expect(await fleet.metric("cutover_ownership_spool_waiting")).toBe(0);
    for (const each of orders)
      for (const instance of both) expect(await answers(instance, each)).toEqual(["new"]);
    expect(await fleet.metric("cutover_ownership_disputed_total")).toBe(0);
  }, 60_000);
});

test("a Redis whose writes are paused, as in a failover: absence is not believed until they were taken for staleAfter", async () => {
  await believed();
  await fleet.redis.cli("CLIENT", "PAUSE", 60_000, "WRITE");
  const made = await order();
  expect(await answers(0, made)).toEqual(["new"]);
  await expect.poll(() => answers(1, "nobody-knows"), { timeout: 5000, interval: 20 }).toEqual([503]);
  await doubted();
  await expect
    .poll(stores, { timeout: 5000 })
    .toEqual(both.map(() => expect.objectContaining({ writable: false })));
  await fleet.redis.cli("CLIENT", "UNPAUSE");
  await expect
    .poll(stores, { timeout: 10_000, interval: 20 })
    .toEqual(both.map(() => expect.objectContaining({ writable: true })));
  const mendedAtMs = performance.now();
  await believed();
  expect(performance.now() - mendedAtMs).toBeGreaterThan(staleAfterMs - 1000);
  for (const instance of both) expect(await answers(instance, made)).toEqual(["new"]);
}, 60_000);

test("an instance whose own user may not write any more: the others hear that it cannot record", async () => {
  await believed();
  await fleet.redis.cli("ACL", "SETUSER", "a", "-set", "-del", "-zadd", "-hset", "-xadd", "-zrem");
  const made = await order();
  for (const instance of both) expect(await answers(instance, made)).toEqual(["new"]);
  await expect
    .poll(stores, { timeout: 5000 })
    .toEqual([
      expect.objectContaining({ up: true, writable: false, word: "NOPERM" }),
      expect.objectContaining({ writable: true, word: null }),
    ]);
  await doubted();
  await fleet.redis.cli("ACL", "SETUSER", "a", "+@all");
  await believed();
  for (const instance of both) expect(await answers(instance, made)).toEqual(["new"]);
}, 60_000);

test("an instance that is let in no more: its workers share what they learn, and the others miss its record", async () => {
  await believed();
  const logged = (await at(0).served.log()).length;
  await fleet.redis.cli("ACL", "SETUSER", "a", "resetpass", ">changed");
  await fleet.redis.cli("CLIENT", "KILL", "USER", "a");
  await expect
    .poll(stores, { timeout: 5000 })
    .toEqual([
      expect.objectContaining({ up: false, writable: false, word: "WRONGPASS" }),
      expect.objectContaining({ writable: true, word: null }),
    ]);
  const orders = [await order(), await order(), await order()];
  for (const each of orders) expect(await answers(0, each)).toEqual(["new"]);
  await expect.poll(() => answers(1, "nobody-knows"), { timeout: 10_000, interval: 200 }).toEqual([503]);
  await saysItsWord("WRONGPASS", 0, logged);
  await fleet.redis.cli("ACL", "SETUSER", "a", "resetpass", ">sesame");
  await believed();
  for (const each of orders)
    for (const instance of both) expect(await answers(instance, each)).toEqual(["new"]);
}, 60_000);
