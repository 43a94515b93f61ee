/** Putting an owner right by hand: on every instance and in every worker at once, never under a request, never unseen. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { ownerView } from "../../src/admin/api/owner-view.ts";
import { createAdminApi } from "../support/admin-api.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { runOnPaper } from "../support/paper-terminal.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { scrape, sumOf } from "../support/scrape.ts";
import { type Sides, startSides } from "../support/sides.ts";

let folder: string;
let sides: Sides;
let redis: RedisServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-owner-"));
  [sides, redis] = await Promise.all([startSides(), startRedis()]);
});
afterAll(async () => {
  await Promise.all([sides.stop(), redis.stop()]);
  await rm(folder, { recursive: true });
});

const yamlOf = (store: string, workers: number, more = "") => `
listeners: { proxy: { port: 0 }, admin: { port: 0 } }
workers: ${workers}
store: '${store}'
snapshot: off
audit: audit.ndjson
spool: off
upstreams: { social-shop: { url: '${sides.legacy}' }, marketplace: { url: '${sides.new}' } }
default: social-shop
${more}
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ['header:x-shopper-id']
    routes: [{ name: cart, path: '/cart/*' }]
    owners: [{ key: 'header:idempotency-key', ttl: 24h }]
    ${more === "" ? "" : "approval: { over: 25 }"}
`;

/** Over connections of their own, so that every worker has some. @returns the sides that answered */
async function sidesOf(serve: Served, key: string, times = 12): Promise<ReadonlySet<unknown>> {
  const headers = { "idempotency-key": key, "x-shopper-id": "ann" };
  const ask = async () => {
    const answer = await request(`${serve.proxy}/cart/1`, { method: "POST", headers, reset: true });
    await answer.body.dump();
    return answer.headers["x-side"];
  };
  return new Set(await Promise.all(Array.from({ length: times }, ask)));
}

const cli = (serve: Served, words: readonly string[], token?: string) =>
  runOnPaper(words, {
    env: { CUTOVER_ADMIN_URL: serve.admin, ...(token === undefined ? {} : { CUTOVER_TOKEN: token }) },
  });
const shown = async (serve: Served, key: string) => {
  const { stdout } = await cli(serve, ["owner", "checkout", key, "--json"]);
  return ownerView.parse(JSON.parse(stdout));
};

describe.each([
  ["memory, two workers", "memory:", [2]],
  ["Redis, an instance of two workers and one of one process", "redis", [2, 1]],
] as const)("an owner put right: %s", (_, store, sizes) => {
  let fleet: Served[] = [];
  const first = () => {
    const [serve] = fleet;
    if (serve === undefined) throw new Error("no instance");
    return serve;
  };

  beforeAll(async () => {
    fleet = await Promise.all(
      sizes.map((workers, i) =>
        startServe({
          folder,
          name: `${store.replace(":", "")}-${i}`,
          yaml: yamlOf(store === "redis" ? redis.url : store, workers),
        }),
      ),
    );
    const api = createAdminApi(first().admin);
    // What is remarked is remarked on a version.
    await api.set(10);
    await api.set(0);
    await api.close();
  });
  afterAll(() => Promise.all(fleet.map((serve) => serve.stop())));

  test("is seen with when it was made, and set on every instance and in every worker at once", async () => {
    for (const serve of fleet) expect(await sidesOf(serve, "K-1")).toEqual(new Set(["legacy"]));
    const before = await shown(first(), "K-1");
    expect(before).toMatchObject({ side: "legacy", by: "claim", agree: true });
    expect(Math.abs(Date.parse(before.since ?? "") - Date.now())).toBeLessThan(60_000);
    expect(before.instances.map(({ claim }) => claim)).toEqual(fleet.map(() => "legacy"));

    const set = await cli(first(), ["owner", "checkout", "K-1", "--set", "new", "--reason", "it is in new"]);
    expect(set.stderr).toBe("");
    expect(set.stdout).toContain(`changed, on ${fleet.length} of ${fleet.length} instances`);
    for (const serve of fleet) expect(await sidesOf(serve, "K-1")).toEqual(new Set(["new"]));
    const history = await cli(first(), ["history", "checkout", "--json"]);
    expect(history.stdout).toContain('owner of \\"K-1\\" set to new (was legacy): it is in new');
    const again = await cli(first(), ["owner", "checkout", "K-1", "--set", "new", "--reason", "again"]);
    expect(again.stdout).toContain("unchanged");
  });

  test("is released everywhere: the next request goes by the bucket and claims it anew", async () => {
    const released = await cli(first(), ["owner", "checkout", "K-1", "--release", "--reason", "lost"]);
    expect(released.code).toBe(0);
    expect(await shown(first(), "K-1")).toMatchObject({ side: null, by: "nobody" });
    for (const serve of fleet) expect(await sidesOf(serve, "K-1")).toEqual(new Set(["legacy"]));
    expect(await readFile(join(folder, "audit.ndjson"), "utf8")).toContain('"kind":"owner"');
  });

  test("is not changed under a request with the key, but by force", async () => {
    const last = fleet.at(-1) ?? first();
    const headers = { "idempotency-key": "K-2", "x-shopper-id": "ann" };
    const slow = request(`${last.proxy}/cart/1?ms=3000`, { method: "POST", headers });
    await expect.poll(async () => sumOf(await scrape(last.admin), "cutover_inflight_requests")).toBe(1);
    const words = ["owner", "checkout", "K-2", "--set", "new", "--reason", "now"];
    const refused = await cli(first(), words);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("refused (under_way)");
    expect((await cli(first(), [...words, "--force"])).code).toBe(0);
    await (await slow).body.dump();
    expect(await sidesOf(last, "K-2")).toEqual(new Set(["new"]));
  });

  test("a request that nobody waited for leaves its key in doubt", async () => {
    const headers = { "idempotency-key": "K-3" };
    const signal = AbortSignal.timeout(300);
    const left = request(`${first().proxy}/cart/1?ms=60000`, { method: "POST", headers, signal });
    await expect(left).rejects.toThrow();
    await expect
      .poll(async () => (await shown(first(), "K-3")).instances.some(({ inDoubt }) => inDoubt))
      .toBe(true);
    const refused = await cli(first(), ["owner", "checkout", "K-3", "--release", "--reason", "left"]);
    expect(refused.stderr).toContain("was not answered");
  });

  test("a worker that hangs is not taken for one that goes by what was put right", async () => {
    expect(await sidesOf(first(), "K-5")).toEqual(new Set(["legacy"]));
    const [worker] = await first().workers();
    if (worker === undefined) throw new Error("no worker");
    process.kill(worker, "SIGSTOP");
    try {
      const words = ["owner", "checkout", "K-5", "--set", "new", "--reason", "it is in new"];
      const refused = await cli(first(), words);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("does not say whether") });
      const forced = await cli(first(), [...words, "--force"]);
      expect(forced.stdout).toContain(`changed, on ${fleet.length - 1} of ${fleet.length} instance`);
      expect(forced.code).toBe(4);
    } finally {
      process.kill(worker, "SIGCONT");
    }
    // What it was told waits for it.
    await expect.poll(() => sidesOf(first(), "K-5")).toEqual(new Set(["new"]));
  });

  if (store !== "redis") return;
  test("a hand edit in Redis that nobody follows is seen, and one command has everybody follow it", async () => {
    for (const serve of fleet) await sidesOf(serve, "K-4");
    await redis.cli("SET", "cutover:{checkout}:owner:K-4", "new");
    await redis.cli("SET", "cutover:{checkout}:claim:K-4", "new");
    expect(await shown(first(), "K-4")).toMatchObject({ agree: false, store: { claim: { side: "new" } } });
    const { stdout } = await cli(first(), ["owner", "checkout", "K-4"]);
    expect(stdout).toContain("not all go by what stands in the store");
    await cli(first(), ["owner", "checkout", "K-4", "--set", "new", "--reason", "as in Redis"]);
    for (const serve of fleet) expect(await sidesOf(serve, "K-4")).toEqual(new Set(["new"]));
  });
});

test("where raises need two persons, so does an owner; a viewer changes none, and a reason is required", async () => {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const token = (name: string, role: string) => `{ name: ${name}, role: ${role}, sha256: ${sha256(name)} }`;
  const people = [token("ana", "operator"), token("ben", "operator"), token("vic", "viewer")].join(", ");
  const yaml = yamlOf("memory:", 1, `auth: { tokens: [${people}] }`);
  const serve = await startServe({ folder, name: "two-persons", yaml });
  try {
    const words = ["owner", "checkout", "K-5", "--set", "new", "--reason", "moved"];
    expect((await cli(serve, words, "vic")).stderr).toContain("refused (forbidden)");
    expect((await cli(serve, ["owner", "checkout", "K-5"], "vic")).stdout).toContain("is nobody's");
    expect((await cli(serve, words.slice(0, 5), "ana")).code).toBe(2);
    const proposed = await cli(serve, words, "ana");
    expect([proposed.code, proposed.stdout]).toEqual([4, expect.stringContaining("proposed")]);
    // The same person again is no second one.
    expect((await cli(serve, words, "ana")).code).toBe(4);
    expect((await cli(serve, ["owner", "checkout", "K-5"], "ben")).stdout).toContain("ana asks to set it");
    const made = await cli(serve, words, "ben");
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(await sidesOf(serve, "K-5")).toEqual(new Set(["new"]));
  } finally {
    await serve.stop();
  }
});

const cartYaml = (store: string, workers: number) => `
listeners: { proxy: { port: 0 }, admin: { port: 0 } }
workers: ${workers}
store: '${store}'
prefix: carts
snapshot: off
spool: off
upstreams: { social-shop: { url: '${sides.legacy}' }, marketplace: { url: '${sides.new}' } }
default: social-shop
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ['header:x-shopper-id']
    routes:
      - { name: make, path: /checkout, methods: [POST], learns: true }
      - { name: begin, path: /begin, methods: [POST], journey: start }
      - { name: pay, path: /pay, methods: [POST], journey: end, payment: true }
      - { name: cart, path: '/cart/*' }
    journey: { ttl: 30m }
    owners: [{ key: 'header:x-cart', learn: ['json:/orderId'], what: cart }]
`;

test.each([
  ["memory, two workers", "memory:", [2]],
  ["Redis, an instance of two workers and one of one process", "redis", [2, 1]],
] as const)(
  "a cart that is paid is nobody's on every instance and in every worker: %s",
  async (_, store, sizes) => {
    const at = store === "redis" ? redis.url : store;
    const fleet = await Promise.all(
      sizes.map((workers, i) =>
        startServe({ folder, name: `carts-${store.replace(":", "")}-${i}`, yaml: cartYaml(at, workers) }),
      ),
    );
    try {
      const [first] = fleet;
      if (first === undefined) throw new Error("no instance");
      const post = async (serve: Served, path: string, more: Readonly<Record<string, string>>) => {
        const headers = { "x-shopper-id": "ann", cookie: "a=b", ...more };
        return request(`${serve.proxy}${path}`, { method: "POST", headers, reset: true });
      };
      const make = async () => {
        const { body } = await post(first, "/checkout", {});
        return z.object({ orderId: z.string() }).parse(await body.json()).orderId;
      };
      const [paid, kept] = [await make(), await make()];
      const seen = async (cart: string) => {
        const answers = fleet.flatMap((serve) =>
          Array.from({ length: 8 }, async () => {
            const { body, headers } = await post(serve, "/cart/1", { "x-cart": cart });
            await body.dump();
            return headers["x-side"];
          }),
        );
        return [...new Set(await Promise.all(answers))];
      };
      // Each process remembers both.
      expect([await seen(paid), await seen(kept)]).toEqual([["legacy"], ["legacy"]]);
      const api = createAdminApi(first.admin);
      await api.set(100);
      await api.close();
      expect(await seen(paid)).toEqual(["legacy"]);
      const answer = await post(fleet.at(-1) ?? first, "/pay", { "x-cart": paid });
      await answer.body.dump();
      expect([answer.statusCode, answer.headers["x-side"]]).toEqual([200, "legacy"]);
      await expect.poll(() => seen(paid), { timeout: 5000 }).toEqual(["new"]);
      expect(await seen(kept)).toEqual(["legacy"]);
    } finally {
      await Promise.all(fleet.map((serve) => serve.stop()));
    }
  },
);
