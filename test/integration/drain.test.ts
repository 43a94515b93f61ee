/**
 * Two real instances on one Redis: what is open on each side is the same on both, whoever has seen it, from start to
 * end or expiry, and new drains to 0 after a rollback.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { cutoverView } from "../../src/admin/api/cutover-view.ts";
import { statusView } from "../../src/cli/screen/status-view.ts";
import { plainStyle } from "../../src/cli/screen/terminal.ts";
import { configSchema } from "../../src/config/schema.ts";
import { composeInstance, type Instance } from "../../src/instance/instance.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const endings: (() => Promise<unknown>)[] = [];
const instances: Instance[] = [];
let redis: RedisServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-drain-"));
  endings.push(() => rm(folder, { recursive: true }));
  redis = await startRedis();
  endings.push(() => redis.stop());
  const [legacy, fresh] = [await startShop("L"), await startShop("N")];
  for (const name of ["one", "two"]) {
    const instance = await composeInstance(configFor(legacy, fresh), {
      logPath: join(folder, `${name}.log`),
      accessLog: false,
      version: "test",
    });
    endings.push(() => instance.close());
    instances.push(instance);
  }
});
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function configFor(legacy: string, fresh: string) {
  const cutover = (at: string, ttl: string) => ({
    legacy: "social-shop",
    new: "marketplace",
    shopper: ["header:x-shopper-id", "cookie:sid"],
    routes: [
      { name: "cart", path: `${at}/cart` },
      { name: "checkout", path: `${at}/checkout`, methods: ["POST"], journey: "start" },
      { name: "pay", path: `${at}/orders/:orderId/pay`, methods: ["POST"], journey: "end", payment: true },
    ],
    journey: { cookie: `journey${at.replace("/", "_")}`, ttl, maxTtl: "4h" },
    owners: [{ key: "param:orderId", learn: ["json:/orderId"] }],
  });
  return configSchema.parse({
    listeners: { proxy: { port: 0 }, admin: { port: 0 } },
    store: redis.url,
    snapshot: "off",
    audit: "off",
    spool: "off",
    upstreams: { "social-shop": { url: legacy }, marketplace: { url: fresh } },
    default: "social-shop",
    cutovers: {
      checkout: cutover("", "30m"),
      brief: cutover("/brief", "6s"),
      plain: {
        legacy: "social-shop",
        new: "marketplace",
        shopper: ["cookie:sid"],
        routes: [{ name: "search", path: "/search" }],
      },
    },
  });
}

/** Makes an order at each checkout, and says of all else that it is done. */
async function startShop(letter: string): Promise<string> {
  let orders = 0;
  const server = createServer((request, response) => {
    request.resume();
    const isCheckout = request.url?.endsWith("/checkout") === true;
    response.writeHead(isCheckout ? 201 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(isCheckout ? { orderId: `${letter}-${++orders}` } : { done: true }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  endings.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

interface Client {
  readonly headers: Record<string, string>;
  order: string;
}

const made = z.object({ orderId: z.string() });

const at = (number: number): Instance => {
  const instance = instances[number % instances.length];
  if (instance === undefined) throw new Error("no instance");
  return instance;
};

async function send(on: number, client: Client, method: string, path: string): Promise<Response> {
  const answer = await fetch(new URL(path, at(on).proxy.url), { method, headers: client.headers });
  const cookie = answer.headers.get("set-cookie")?.split(";")[0];
  if (cookie !== undefined && client.headers.cookie !== undefined) {
    client.headers.cookie = `sid=x; ${cookie}`;
  }
  return answer;
}

async function begin(on: number, kind: "browser" | "app" = "browser", path = ""): Promise<Client> {
  const id = Math.random().toString(36);
  const headers: Record<string, string> =
    kind === "browser" ? { cookie: `sid=${id}` } : { "x-shopper-id": id };
  const client: Client = { headers, order: "" };
  const answer = await send(on, client, "POST", `${path}/checkout`);
  client.order = made.parse(await answer.json()).orderId;
  return client;
}

const pay = async (on: number, client: Client) =>
  void (await (await send(on, client, "POST", `/orders/${client.order}/pay`)).text());

async function view(on: number, name = "checkout") {
  const answer = await fetch(new URL(`/api/v1/cutovers/${name}`, at(on).admin.url));
  return cutoverView.parse(await answer.json());
}

function ask(on: number, action: string, body: object, name = "checkout"): Promise<Response> {
  return fetch(new URL(`/api/v1/cutovers/${name}/${action}`, at(on).admin.url), {
    method: action === "percent" ? "PUT" : "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reason: "a test", ...body }),
  });
}

async function change(on: number, action: string, body: object, name = "checkout"): Promise<void> {
  expect((await ask(on, action, body, name)).status).toBe(200);
}

/** `journeys on legacy, on new | unfinished orders on legacy, on new`, as both instances tell it. */
async function told(name = "checkout"): Promise<string[]> {
  const views = await Promise.all([view(0, name), view(1, name)]);
  return views.map(({ journeys, unfinished }) => {
    const text = (of: typeof journeys) => (of === null ? "unknown" : `${of.legacy.open}, ${of.new.open}`);
    return `${text(journeys)} | ${text(unfinished)}`;
  });
}

const settles = (expected: string, name?: string) =>
  expect.poll(() => told(name), { timeout: 15_000, interval: 100 }).toEqual([expected, expected]);

async function metric(on: number, series: string): Promise<number | undefined> {
  const page = await (await fetch(new URL("/metrics", at(on).admin.url))).text();
  const line = page.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const status = async () =>
  statusView([await view(1)], { columns: 80, style: plainStyle, now: Date.now() }).join("\n");

test("open counts go from start to end, the same on both instances, and new drains to 0 after a rollback", async () => {
  await settles("0, 0 | 0, 0");
  const onLegacy = await Promise.all([begin(0), begin(1), begin(0, "app")]);
  await change(0, "percent", { percent: 100 });
  const onNew = await Promise.all([begin(0), begin(1), begin(0), begin(1, "app"), begin(0, "app")]);
  await settles("3, 5 | 3, 5");

  // Seen again, on whichever instance, it is the same journey.
  for (const client of [...onLegacy, ...onNew]) {
    for (const on of [0, 1]) await (await send(on, client, "GET", "/cart")).text();
  }
  const [first, second, ...rest] = onNew;
  if (first === undefined || second === undefined) throw new Error("no journeys");
  await Promise.all([pay(1, first), pay(0, second)]);
  await settles("3, 3 | 3, 3");

  await change(1, "rollback", {});
  await settles("3, 3 | 3, 3");
  const draining = await status();
  expect(draining).toMatch(/draining: 3 journeys on new, oldest \d+ s/);
  expect(draining).toMatch(
    /legacy {2}.*\n? *journeys under way 3, oldest \d+ s · unfinished orders 3, oldest \d+ s/,
  );

  for (const [number, client] of rest.entries()) await pay(number, client);
  await settles("3, 0 | 3, 0");
  expect(await status()).toContain("Drained: no journey is under way on new.");
  // The confirmation page after the end opens nothing again.
  for (const client of onNew) {
    for (const on of [0, 1]) await (await send(on, client, "GET", "/cart")).text();
  }
  // Told with what came before it, or after.
  const last = await Promise.all([begin(0), begin(1)]);
  await settles("5, 0 | 5, 0");
  for (const client of last) await pay(1, client);
  await settles("3, 0 | 3, 0");
});

test("a hard rollback voids what is open on new, at once, and its orders stay there", async () => {
  await change(0, "resume", {});
  await change(0, "percent", { percent: 100 });
  // Whom legacy has is not closed out, on whichever instance it is asked.
  for (const on of [0, 1]) {
    const refused = await ask(on, "close", {});
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: "under_way",
      underWay: { journeys: { open: 3 }, unfinished: { open: 3 } },
    });
  }
  const before = (await view(0)).pinEpoch;
  const client = await begin(1);
  await settles("3, 1 | 3, 1");
  await change(1, "rollback", { hard: true });
  expect((await view(1)).pinEpoch).toBe(before + 1);
  expect(await told()).toEqual(["3, 0 | 3, 1", "3, 0 | 3, 1"]);
  await pay(0, client);
  await settles("3, 0 | 3, 0");
});

test("what is not seen again expires", async () => {
  await begin(0, "browser", "/brief");
  await settles("1, 0 | 1, 0", "brief");
  await settles("0, 0 | 1, 0", "brief");
});

test("a cutover without journeys and orders says so", async () => {
  expect(await told("plain")).toEqual(["unknown | unknown", "unknown | unknown"]);
  await change(0, "percent", { percent: 100 }, "plain");
  await change(1, "close", {}, "plain");
});

test("metrics tell the fleet's figures on every instance; with the store away there are none", async () => {
  const series = (name: string, side: string) => `${name}{cutover="checkout",side="${side}"}`;
  for (const on of [0, 1]) {
    expect(await metric(on, series("cutover_open_journeys", "legacy"))).toBe(3);
    expect(await metric(on, series("cutover_open_journeys", "new"))).toBe(0);
    expect(await metric(on, series("cutover_oldest_journey_seconds", "legacy"))).toBeGreaterThan(0);
    expect(await metric(on, series("cutover_oldest_journey_seconds", "new"))).toBe(0);
    expect(await metric(on, series("cutover_unfinished_orders", "legacy"))).toBe(3);
    expect(await metric(on, series("cutover_oldest_unfinished_order_seconds", "legacy"))).toBeGreaterThan(0);
    expect(await metric(on, 'cutover_open_journeys{cutover="plain",side="new"}')).toBeUndefined();
  }
  await redis.kill();
  expect(await told()).toEqual(["unknown | unknown", "unknown | unknown"]);
  for (const on of [0, 1]) {
    expect(await metric(on, series("cutover_open_journeys", "legacy"))).toBeUndefined();
  }
  expect(await status()).not.toContain("journeys under way");
  // It comes back with nothing in it: what is seen from now on counts, and what was noted meanwhile.
  const client = await begin(0);
  await redis.restart();
  await expect.poll(() => told(), { timeout: 15_000 }).toEqual(["1, 0 | 1, 0", "1, 0 | 1, 0"]);
  await pay(1, client);
  await settles("0, 0 | 0, 0");
});
