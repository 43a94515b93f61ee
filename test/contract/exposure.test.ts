/** One suite for every place of the money at risk: memory, Redis, and a worker's way to its primary. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromWorker, toWorker } from "../../src/instance/workers/messages.ts";
import { answerFrom, askingStores } from "../../src/instance/workers/ownership.ts";
import { createExposureInProcess } from "../../src/ownership/exposure/in-process.ts";
import type { ExposureNote, ExposureStore } from "../../src/ownership/exposure/port.ts";
import { createExposureInRedis } from "../../src/ownership/exposure/redis.ts";
import { createMemoryStores } from "../../src/ownership/stores/in-process.ts";
import { mostAmount } from "../../src/proxy/request/answer/amount.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { createManualTime } from "../support/manual-time.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { addDocumentedUser } from "../support/redis-user.ts";

let redis: RedisServer;
let clients: RedisClient[] = [];

beforeAll(async () => {
  redis = await startRedis();
  const url = await addDocumentedUser(redis);
  clients = [createRedisClient(url), createRedisClient(url)];
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await redis.stop();
});

/** Two instances' views of one place. */
const places: Readonly<Record<string, () => Promise<readonly [ExposureStore, ExposureStore]>>> = {
  async memory() {
    const one = createExposureInProcess(createManualTime());
    return [one, one];
  },
  async redis() {
    await redis.cli("FLUSHALL");
    const [one, other] = clients.map((client) =>
      createExposureInRedis({ client, prefix: "cutover", deadlineMs: 5000 }),
    );
    if (one === undefined || other === undefined) throw new Error("no client");
    return [one, other];
  },
  async workers() {
    const time = createManualTime();
    const primary = createMemoryStores(time);
    const worker = () =>
      askingStores(async (question) => {
        const heard = fromWorker.parse(JSON.parse(JSON.stringify({ type: "ask", seq: 1, question })));
        if (heard.type !== "ask") throw new Error("not a question");
        const reply = await answerFrom(primary, heard.question);
        const told = toWorker.parse(JSON.parse(JSON.stringify({ type: "reply", seq: 1, reply })));
        if (told.type !== "reply") throw new Error("not a reply");
        return told.reply;
      }, time).exposure;
    return [worker(), worker()];
  },
};

const limits = { maxOpenAmount: 1000, forMs: 3_600_000 };
const opened = (id: string, amount: number, agoMs = 0): ExposureNote => ({ id, agoMs, amount });
const closed = (id: string): ExposureNote => ({ id, agoMs: 0 });

describe.each(Object.keys(places))("the money at risk, in %s", (name) => {
  const open = async () => {
    const place = await places[name]?.();
    if (place === undefined) throw new Error(name);
    return place;
  };

  test("is over from the first amount above the cap until it is at most four fifths of it, for all instances", async () => {
    const [one, other] = await open();
    expect(await one.note("checkout", [opened("a", 600), opened("b", 400)], limits)).toEqual({
      openAmount: 1000,
      isOver: false,
    });
    expect(await other.note("checkout", [opened("c", 1)], limits)).toEqual({
      openAmount: 1001,
      isOver: true,
    });
    expect(await one.note("checkout", [closed("c")], limits)).toEqual({ openAmount: 1000, isOver: true });
    expect(await one.note("checkout", [opened("d", 401), closed("a")], limits)).toEqual({
      openAmount: 801,
      isOver: true,
    });
    expect(await other.note("checkout", [closed("d"), opened("e", 400)], limits)).toEqual({
      openAmount: 800,
      isOver: false,
    });
    expect(await one.note("returns", [], limits)).toEqual({ openAmount: 0, isOver: false });
  });

  test("an order that is made on one instance and paid on another counts once, in whatever order that is noted", async () => {
    const [one, other] = await open();
    await other.note("checkout", [closed("quick")], limits);
    expect(await one.note("checkout", [opened("quick", 900)], limits)).toMatchObject({ openAmount: 0 });
    const both = [opened("twice", 900), opened("twice", 900)];
    await one.note("checkout", both, limits);
    expect(await other.note("checkout", both, limits)).toMatchObject({ openAmount: 900 });
    await other.note("checkout", [closed("twice"), closed("twice")], limits);
    expect(await one.note("checkout", both, limits)).toMatchObject({ openAmount: 0 });
  });

  test("an order that nobody pays counts for its time, from when it was made", async () => {
    const [one] = await open();
    const notes = [opened("late", 500, limits.forMs), opened("just", 300, limits.forMs - 60_000)];
    expect(await one.note("checkout", notes, limits)).toMatchObject({ openAmount: 300 });
  });

  test("sums keep every digit", async () => {
    const [one] = await open();
    const cap = { ...limits, maxOpenAmount: Number.MAX_SAFE_INTEGER };
    const large = Array.from({ length: 1000 }, (_, i) => opened(`o${i}`, mostAmount));
    expect(await one.note("checkout", [opened("one", 1), ...large], cap)).toEqual({
      openAmount: 9_000_000_000_000_001,
      isOver: false,
    });
    // What does not fit any more counts for nothing, and takes nothing away when it is closed.
    const more = [opened("more", mostAmount)];
    expect(await one.note("checkout", more, cap)).toMatchObject({ openAmount: Number.MAX_SAFE_INTEGER });
    const paid = [...more, ...large].map(({ id }) => closed(id));
    expect(await one.note("checkout", paid, cap)).toEqual({ openAmount: 1, isOver: false });
  });

  test("any notes in any order leave the sum of what is open", { timeout: 20_000 }, async () => {
    const note = fc.record({
      id: fc.constantFrom("a", "b", "c", "d"),
      amount: fc.option(fc.integer({ min: 1, max: 700 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(note, { maxLength: 4 }), { maxLength: 8 }), async (batches) => {
        const [one, other] = await open();
        const seen = new Map<string, number>();
        let isOver = false;
        for (const [at, batch] of batches.entries()) {
          const notes = batch.map(({ id, amount }) =>
            amount === undefined ? closed(id) : opened(id, amount),
          );
          const told = await (at % 2 === 0 ? one : other).note("checkout", notes, limits);
          for (const { id, amount } of notes) {
            if (amount === undefined) seen.set(id, 0);
            else if (!seen.has(id)) seen.set(id, amount);
          }
          const sum = [...seen.values()].reduce((all, amount) => all + amount, 0);
          isOver = sum > 1000 || (isOver && sum > 800);
          expect(told).toEqual({ openAmount: sum, isOver });
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("nothing is left in Redis once no order counts, and what is left ends by itself", async () => {
  await redis.cli("FLUSHALL");
  const [client] = clients;
  if (client === undefined) throw new Error("no client");
  const store = createExposureInRedis({ client, prefix: "cutover", deadlineMs: 5000 });
  await store.note("checkout", [], limits);
  expect(await redis.cli("KEYS", "*")).toEqual([]);
  await store.note("checkout", [opened("a", 5)], limits);
  for (const key of ["cutover:{checkout}:exposure", "cutover:{checkout}:exposure:until"]) {
    const left = Number(await redis.cli("PTTL", key));
    expect(left).toBeGreaterThan(limits.forMs - 10_000);
    expect(left).toBeLessThanOrEqual(limits.forMs + 1000);
  }
});
