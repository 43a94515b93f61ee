/** Requests that a side never answered, over every store, with workers and without, by either engine. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { explanation } from "../../src/admin/api/explanation.ts";
import { doubtView } from "../../src/admin/api/past/doubt-view.ts";
import { keyDigest } from "../../src/ownership/past/port.ts";
import { createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { scrape, sumOf } from "../support/scrape.ts";

const isFull = process.env.CUTOVER_BARS === "full";

let folder: string;
let redis: RedisServer;
let shop: Server;
/** Requests that the shop has read whole. */
const read: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-doubt-"));
  redis = await startRedis();
  // It reads the request, and then does what that asks for.
  shop = createServer((asked, answer) => {
    asked.resume().once("end", () => {
      const wanted = String(asked.headers["x-do"]);
      read.push(`${wanted} ${String(asked.headers["idempotency-key"])}`);
      if (wanted === "reset") asked.socket.resetAndDestroy();
      else if (wanted === "die") asked.socket.end();
      else if (wanted !== "hang") answer.writeHead(Number(wanted)).end("{}");
    });
  });
  await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  shop.closeAllConnections();
  await Promise.all([new Promise((resolve) => shop.close(resolve)), redis.stop()]);
  await rm(folder, { recursive: true });
});

interface Shape {
  readonly store: "memory" | "file" | "redis";
  readonly workers: number;
  readonly engine: "undici" | "http-proxy";
}

const shapes: readonly Shape[] = [
  { store: "redis", workers: 2, engine: "undici" },
  ...(isFull
    ? ([
        { store: "file", workers: 1, engine: "http-proxy" },
        { store: "memory", workers: 2, engine: "http-proxy" },
        { store: "redis", workers: 1, engine: "http-proxy" },
      ] as const)
    : []),
];

const nameOf = ({ store, workers }: Shape) => `${store}-${workers}`;

const storeOf = ({ store, workers }: Shape) =>
  store === "redis" ? redis.url : store === "file" ? `file:state-${workers}.json` : "memory:";

const yamlOf = (shape: Shape) => `
listeners: { proxy: { port: 0 }, admin: { port: 0 } }
workers: ${shape.workers}
engine: ${shape.engine}
store: '${storeOf(shape)}'
prefix: '${shape.store}-${shape.workers}'
snapshot: off
spool: spool-${nameOf(shape)}
audit: audit-${shape.store}-${shape.workers}.ndjson
upstreams:
  social-shop: { url: 'http://127.0.0.1:${(shop.address() as AddressInfo).port}' }
  marketplace: { url: 'http://127.0.0.1:1' }
default: social-shop
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ['header:x-shopper-id']
    routes: [{ name: pay, path: '/orders/:orderId/pay', methods: [POST], payment: true }]
    owners:
      - { key: 'header:idempotency-key', ttl: 24h }
      - { key: 'param:orderId', learn: ['json:/orderId'] }
`;

describe.each(shapes)("requests in doubt: $store, $workers workers, $engine", (shape) => {
  let serve: Served;
  let started = 0;
  const start = () => {
    started += 1;
    return startServe({
      folder,
      name: `${shape.store}-${shape.workers}-${started}`,
      yaml: yamlOf(shape),
    });
  };
  beforeAll(async () => {
    serve = await start();
    const api = createAdminApi(serve.admin);
    // What is remarked is remarked on a version.
    await api.set(10);
    await api.set(0);
    await api.close();
  });
  afterAll(() => serve.stop());

  async function pay(key: string, what: string, order = "O1"): Promise<number> {
    const headers = { "idempotency-key": key, "x-do": what, "x-shopper-id": "ann" };
    const answer = await request(`${serve.proxy}/orders/${order}/pay`, {
      method: "POST",
      headers,
      reset: true,
    });
    await answer.body.dump();
    return answer.statusCode;
  }
  const cli = (...words: string[]) => runOnPaper(words, { env: { CUTOVER_ADMIN_URL: serve.admin } });
  const listed = async () => {
    const { stdout, stderr } = await cli("doubt", "checkout", "--json");
    expect(stderr).toBe("");
    return z.array(doubtView).parse(JSON.parse(stdout));
  };
  const digests = async () => (await listed()).map(({ digest }) => digest);
  const patiently = { timeout: 60_000, interval: 100 };

  test("are listed with side, time, route and digest until a retry with the key is answered", async () => {
    expect(await pay("K-reset", "reset", "secret-order")).toBe(502);
    expect(await pay("K-die", "die")).toBe(502);
    await expect.poll(digests, patiently).toHaveLength(2);
    const all = await listed();
    expect(all.map(({ digest }) => digest)).toEqual(["K-reset", "K-die"].map(keyDigest));
    expect(all[0]).toMatchObject({ side: "legacy", route: "pay", others: [keyDigest("secret-order")] });
    expect(Math.abs(Date.parse(all[0]?.sentAt ?? "") - Date.now())).toBeLessThan(60_000);
    expect(JSON.stringify(all)).not.toMatch(/K-|secret-order/);
    await expect
      .poll(async () => sumOf(await scrape(serve.admin), "cutover_requests_in_doubt"), patiently)
      .toBe(2);
    expect((await cli("doubt", "checkout")).stdout).toContain("checkout: in doubt are 2 on legacy, 0 on new");
    const csv = (await cli("doubt", "checkout", "--export", "csv")).stdout.split("\n");
    expect(csv[0]).toBe("side,sentAt,lastSentAt,since,route,outcome,digest,others");
    expect(csv).toHaveLength(4);

    // Neither of these is an answer to what was asked before.
    for (const status of ["503", "409"]) expect(await pay("K-reset", status, "O2")).toBe(Number(status));
    expect(await pay("K-die", "200")).toBe(200);
    await expect.poll(digests, patiently).toEqual([keyDigest("K-reset")]);
    // The order's other requests tell as well: a callback, for one.
    expect(await pay("K-other", "200", "secret-order")).toBe(200);
    await expect.poll(digests, patiently).toEqual([]);
  });

  test("are settled by a person, with a reason that history and audit have", async () => {
    expect(await pay("K-2", "reset", "O3")).toBe(502);
    await expect.poll(digests, patiently).toEqual([keyDigest("K-2")]);
    const settle = (digest: string) =>
      cli("doubt", "checkout", "--settle", digest, "--reason", "charged once");
    expect((await settle(keyDigest("K-2"))).stdout).toBe("checkout: 1 request is settled\n");
    expect((await settle(keyDigest("K-2"))).stdout).toContain("nothing with this key is in doubt");
    expect(await digests()).toEqual([]);
    expect((await cli("history", "checkout")).stdout).toContain("charged once");
    const audit = () => readFile(join(folder, `audit-${shape.store}-${shape.workers}.ndjson`), "utf8");
    await expect.poll(audit, patiently).toContain('"kind":"doubt"');
  });

  test("and answered ones are explained later, as they were decided then", async () => {
    expect(await pay("K-past", "200", "O4")).toBe(200);
    const ask = async (at: string) => {
      const { stdout } = await cli("explain", "checkout", "--order", "K-past", "--at", at, "--json");
      return explanation.parse(JSON.parse(stdout)).past;
    };
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    await expect.poll(async () => (await ask(inAnHour))?.decided?.side, patiently).toBe("legacy");
    expect((await ask(inAnHour))?.decisions).toMatchObject([{ reason: "bucket", version: 2, route: "pay" }]);
    expect(await ask("1h")).toMatchObject({ decided: null, answered: { new: null } });
    const shown = (await cli("explain", "checkout", "--order", "K-past", "--at", "1h")).stdout;
    expect(shown).toContain("Nothing is recorded of requests with the key before then");
    expect((await cli("explain", "checkout", "--order", "never")).stdout).toContain("Nothing is recorded of");
  });

  /** The shop has it; nothing of it is noted in the store before a second has passed. */
  async function underWay(key: string, order: string): Promise<void> {
    pay(key, "hang", order).catch(() => undefined);
    await expect.poll(() => read.includes(`hang ${key}`), { timeout: 10_000, interval: 1 }).toBe(true);
  }
  const outcomes = async () => (await listed()).map(({ digest, outcome }) => `${digest} ${outcome}`).sort();
  const settled = async (keys: readonly (readonly [string, string])[]) => {
    for (const [key, order] of keys) expect(await pay(key, "200", order)).toBe(200);
    await expect.poll(digests, patiently).toEqual([]);
  };

  test("are known of a process that was killed as it had sent them, as soon as another takes its place", async () => {
    const key = `K-hang-${nameOf(shape)}`;
    expect(await pay("K-kept", "reset", "O6")).toBe(502);
    await expect.poll(digests, patiently).toEqual([keyDigest("K-kept")]);
    await underWay(key, "O5");
    const [worker] = shape.workers > 1 ? await serve.workers() : [];
    if (worker === undefined) {
      await serve.kill();
      serve = await start();
    } else {
      // Either of them may have it.
      for (const each of await serve.workers()) process.kill(each, "SIGKILL");
    }
    const kept = shape.store === "memory" && worker === undefined ? [] : [`${keyDigest("K-kept")} reset`];
    await expect.poll(outcomes, patiently).toEqual([`${keyDigest(key)} instance_gone`, ...kept].sort());
    await settled([
      [key, "O5"],
      ["K-kept", "O6"],
    ]);
  });

  test.runIf(shape.store === "redis")(
    "as it was killed while the store was away they were lost: the next process hands them in",
    async () => {
      redis.freeze();
      const late = `K-late-${nameOf(shape)}`;
      expect(await pay("K-away", "reset", "O7")).toBe(502);
      await underWay(late, "O8");
      // A note that waits for the store for so long is on the disk by then, and one that does not in its place.
      await serve.kill();
      redis.thaw();
      serve = await start();
      await expect.poll(outcomes, patiently).toHaveLength(2);
      expect(await digests()).toEqual(expect.arrayContaining(["K-away", late].map(keyDigest)));
      await settled([
        ["K-away", "O7"],
        [late, "O8"],
      ]);
    },
  );
});
