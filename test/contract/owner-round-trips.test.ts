/** What owners and journeys ask of Redis for a request, counted by Redis itself (MONITOR): a command is a round trip. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type PinNews, pinDigest } from "../../src/ownership/stores/port.ts";
import { createRedisStores } from "../../src/ownership/stores/redis.ts";
import { createRedisClient, type RedisClient } from "../../src/redis/client.ts";
import { answer, createFixture } from "../support/exchange-fixture.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

let redis: RedisServer;
let client: RedisClient;
let monitor: Socket;
let monitored = "";
let marks = 0;

beforeAll(async () => {
  redis = await startRedis();
  client = createRedisClient(redis.url);
  await knowScripts();
  monitor = connect(Number(new URL(redis.url).port), "127.0.0.1").setEncoding("latin1");
  monitor.on("data", (text) => {
    monitored += text;
  });
  await once(monitor, "connect");
  monitor.write("MONITOR\r\n");
  await until("Redis tells what it is asked", () => monitored.startsWith("+OK"));
});
afterAll(async () => {
  monitor.destroy();
  await client.close();
  await redis.stop();
});
const leaving: (() => void)[] = [];
beforeEach(async () => void (await redis.cli("FLUSHALL")));
afterEach(() => {
  for (const leave of leaving.splice(0)) leave();
});

/** A script is sent whole when the server meets it first: that is one trip more, once in the server's life. */
async function knowScripts(): Promise<void> {
  const { owners, pinNews } = createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 });
  await pinNews.list("another", 1, () => undefined);
  await owners.record("another", { key: "a", claimed: true }, "new", 1000);
}

/** What is asked of Redis and not waited for has its answer, too. */
let settled: () => Promise<void> = async () => undefined;

/** The commands for this cutover since the last time, by name; those of scripts are no round trips. */
async function asked(): Promise<string[]> {
  await settled();
  const mark = `mark-${marks++}`;
  await redis.cli("ECHO", mark);
  await until("all is told", () => monitored.includes(mark));
  const lines = monitored.split("\r\n");
  monitored = "";
  return lines.flatMap((line) => {
    const [, from, name] = /^\+\S+ \[\d+ (\S+)\] "(\w+)"/.exec(line) ?? [];
    return from === undefined || name === undefined || from === "lua" || !line.includes("{checkout}")
      ? []
      : [name.toLowerCase().replace("evalsha", "eval")];
  });
}

/** An instance, which has loaded its filter of pins. */
async function open(changedAgoMs: number) {
  const { owners, pins, pinNews, close } = createRedisStores({ client, prefix: "cutover", deadlineMs: 5000 });
  settled = close;
  const updatedAt = new Date(1_700_000_000_000 - changedAgoMs).toISOString();
  let isLoaded = false;
  const news: PinNews = {
    ...pinNews,
    async list(...args) {
      const from = await pinNews.list(...args);
      isLoaded = true;
      return from;
    },
    watch(...args) {
      const leave = pinNews.watch(...args);
      leaving.push(leave);
      return leave;
    },
  };
  const state = { percentThousandths: 50_000, updatedAt };
  // How full the store is, is asked once in a while, and no request waits for it.
  const { lookup, record, settle, release } = owners;
  const fixture = createFixture({ state, owners: { lookup, record, settle, release }, pins, pinNews: news });
  await until("the filter of pins is loaded", () => isLoaded);
  await asked();
  const send = async (method: string, target: string, fields: string[], body?: string, says = "{}") => {
    const sent = fixture.attempts.length;
    const to = fixture.send({ method, target, fields: ["Host", "shop", ...fields] }, body);
    await until("it is forwarded", () => fixture.attempts.length > sent);
    answer(fixture.attempts.at(-1), 200, ["Content-Type", "application/json"], says);
    await until("it is answered", () => to.ended());
    return to;
  };
  return { fixture, send };
}

const dayMs = 86_400_000;
const app = ["X-Shopper-Id", "ann"];
const browser = [...app, "Cookie", "sid=1"];

test("browsing just after the percent has changed, with cookies or without: none", async () => {
  const { send } = await open(0);
  await send("GET", "/cart/1", app);
  await send("GET", "/cart/1", browser);
  expect(await asked()).toEqual([]);
});

test.each([
  ["without cookies", app],
  ["with cookies, none of a journey among them", browser],
])(
  "a start of a journey %s: one before it is sent, one when it is answered; its later requests none, while each pin equals its bucket",
  async (_, who) => {
    const { send } = await open(dayMs);
    await send("POST", "/checkout", who, "{}");
    expect(await asked()).toEqual(["eval", "eval"]);
    await send("GET", "/cart/1", who);
    expect(await asked()).toEqual([]);
  },
);

test("a journey whose cookie is shown: one that nobody waits for when it first is, and then none", async () => {
  const { fixture, send } = await open(0);
  const sent = await send("POST", "/checkout", browser, "{}");
  expect(await asked()).toEqual(["eval", "eval"]);
  const cookie = cookieIn(sent.heads[0]?.fields ?? []);
  const kept = [...app, "Cookie", `sid=1; ${cookie}`];
  fixture.time.ms += 1000;
  const next = await send("GET", "/cart/1", kept);
  expect(await asked()).toEqual(["eval"]);
  expect(await redis.cli("TTL", `cutover:{checkout}:pin:${pinDigest("ann")}`)).toBeLessThanOrEqual(1800);
  await asked();
  fixture.time.ms += 1000;
  await send("GET", "/cart/1", [...app, "Cookie", cookieIn(next.heads[0]?.fields ?? [])]);
  expect(await asked()).toEqual([]);
});

test("a journey of an app soon after the percent has changed: one, and then it is remembered", async () => {
  const first = await open(0);
  const other = await open(0);
  await first.send("POST", "/checkout", app, "{}");
  expect(await asked()).toEqual(["eval", "eval"]);
  await other.send("GET", "/cart/1", app);
  expect(await asked()).toEqual(["mget"]);
  await other.send("GET", "/cart/1", app);
  expect(await asked()).toEqual([]);
});

test("the first use of an idempotency key: one, and one that nobody waits for once it is answered; a retry none; the first retry elsewhere one", async () => {
  const keyed = [...browser, "Idempotency-Key", "K1"];
  const { send } = await open(0);
  await send("POST", "/cart/1", keyed, "{}");
  expect(await asked()).toEqual(["eval", "eval"]);
  await send("POST", "/cart/1", keyed, "{}");
  expect(await asked()).toEqual([]);
  await (await open(0)).send("POST", "/cart/1", keyed, "{}");
  expect(await asked()).toEqual(["eval"]);
});

test("an order that is made outside a journey: one; its callback none, elsewhere one, with a key of its own one more", async () => {
  const { send } = await open(0);
  await send("POST", "/checkout", [], "{}", '{"orderId":"O1"}');
  expect(await asked()).toEqual(["eval"]);
  await send("POST", "/callbacks/payment", [], '{"order_id":"O1"}');
  expect(await asked()).toEqual([]);
  await (await open(0)).send("POST", "/callbacks/payment", [], '{"order_id":"O1"}');
  expect(await asked()).toEqual(["mget"]);
  const keyed = ["Idempotency-Key", "K2"];
  await (await open(0)).send("POST", "/callbacks/payment", keyed, '{"order_id":"O1"}');
  expect(await asked()).toEqual(["mget", "eval", "eval"]);
});

test("an order that a journey's start has made: one, also where anybody may name the shopper", async () => {
  const { send } = await open(0);
  await send("POST", "/checkout", app, "{}", '{"orderId":"O1"}');
  expect(await asked()).toEqual(["eval", "eval", "eval"]);
  await send("POST", "/checkout", ["Cookie", "sid=2"], "{}", '{"orderId":"O2"}');
  expect(await asked()).toEqual(["eval", "eval", "eval"]);
});

test("many requests in one turn of the event loop: together as many as one of them", async () => {
  const { fixture, send } = await open(0);
  await send("POST", "/checkout", ["Cookie", "sid=0"], "{}", '{"orderId":"O0"}');
  expect(await asked()).toEqual(["eval", "eval", "eval"]);
  const buyers = Array.from({ length: 20 }, (_, i) => i + 1);
  const before = fixture.attempts.length;
  const sent = buyers.map((i) => {
    const fields = ["Host", "shop", "Cookie", `sid=${i}`];
    return fixture.send({ method: "POST", target: "/checkout", fields }, "{}");
  });
  await until("all are forwarded", () => fixture.attempts.length === before + buyers.length);
  expect(await asked()).toEqual(["eval"]);
  for (const i of buyers)
    answer(
      fixture.attempts[before + i - 1],
      200,
      ["Content-Type", "application/json"],
      `{"orderId":"O${i}"}`,
    );
  await until("all are answered", () => sent.every((one) => one.ended()));
  expect(await asked()).toEqual(["eval", "eval"]);
  const owners = buyers.map((i) => `cutover:{checkout}:owner:O${i}`);
  expect(await redis.cli("EXISTS", ...owners)).toBe(buyers.length);
});

function cookieIn(fields: readonly string[]): string {
  return fields.find((value) => value.startsWith("cutover_journey="))?.split(";")[0] ?? "";
}
