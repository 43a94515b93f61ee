/** The cap on what is unpaid on new, over real sockets: one sum for instances with and without workers, and for all stores. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { runCutover, startServe } from "../support/cutover.ts";
import { startRedis } from "../support/redis.ts";
import { scrape } from "../support/scrape.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** Makes orders of 300.00 each, and takes every payment. */
async function startShop(name: string) {
  let orders = 0;
  const server = createServer((request, response) => {
    const isOrder = request.url === "/checkout";
    if (isOrder) orders += 1;
    const body = isOrder ? `{"orderId":"${name}-${orders}","total":300.00}` : "{}";
    request
      .resume()
      .on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const cutover = [
  "shopper: ['header:x-shopper-id']",
  "journey: {}",
  "routes:",
  "  - { name: checkout, path: /checkout, methods: [POST], journey: start }",
  "  - { name: pay, path: '/orders/:orderId/pay', methods: [POST], journey: end, payment: true }",
  "owners: [{ key: 'param:orderId', learn: ['json:/orderId'] }]",
  "exposure: { maxOpenAmount: 100000, currency: IDR, amount: 'json:/total', decimals: 2 }",
];

async function create(store: string) {
  const folder = await mkdtemp(join(tmpdir(), "cutover-exposure-"));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const sides = { legacy: await startShop("L"), new: await startShop("N") };
  async function launch(name: string, workers: number, engine: string) {
    const more = [`engine: ${engine}`, "audit: off"];
    const yaml = serveYaml({ sides, store, workers, cutover, more });
    const served = await startServe({ folder, name, yaml });
    const api = createAdminApi(served.admin);
    endings.push(() => Promise.all([api.close(), served.kill()]));
    return { served, api };
  }
  return launch;
}

type Instance = Awaited<ReturnType<Awaited<ReturnType<typeof create>>>>;

let shoppers = 0;

async function post({ served }: Instance, path: string): Promise<{ decided: string; orderId: string }> {
  shoppers += 1;
  const response = await fetch(`${served.proxy}${path}`, {
    method: "POST",
    headers: { "x-shopper-id": `s${shoppers}`, "content-type": "application/json" },
    body: "{}",
  });
  const [, decided = ""] =
    /(side=\w+; reason=\w+)/.exec(response.headers.get("x-cutover-decision") ?? "") ?? [];
  const { orderId = "" } = (await response.json()) as { orderId?: string };
  return { decided, orderId };
}

const begins = async (instance: Instance) => (await post(instance, "/checkout")).decided;
const toNew = "side=new; reason=bucket";
const exposed = "side=legacy; reason=exposure";

async function isOver(instance: Instance): Promise<boolean | undefined> {
  return (await instance.api.view()).exposure?.over;
}

/** Orders more until it is told to go to legacy. @param made takes the orders that new has made */
async function untilOver(instance: Instance, made: string[]): Promise<void> {
  await eventually(
    "over",
    async () => {
      const { decided, orderId } = await post(instance, "/checkout");
      if (decided === toNew) made.push(orderId);
      return decided === exposed;
    },
    10_000,
  );
}

test("instances with and without workers, of both engines, stop and reopen by one sum, which outlives each of them", async () => {
  const redis = await startRedis();
  endings.push(() => redis.stop());
  const launch = await create(`redis://127.0.0.1:${redis.port}`);
  const [one, other] = [await launch("one", 2, "undici"), await launch("other", 1, "http-proxy")];
  accepted(await one.api.set(100, { waitMs: 10_000 }));
  const made: string[] = [];
  await untilOver(one, made);
  expect(made.length).toBeGreaterThanOrEqual(4);
  // What is made elsewhere before that is heard of is the overshoot.
  await untilOver(other, made);
  const openAmount = 30_000 * made.length;
  await eventually(
    "the page shows all",
    async () => {
      const views = await Promise.all([one, other].map(({ api }) => api.view()));
      return views.every(({ exposure }) => exposure?.openAmount === openAmount);
    },
    5000,
  );
  const { exposure, warnings, stillLegacy } = await other.api.view();
  expect(exposure).toEqual({
    openAmount,
    maxOpenAmount: 100_000,
    reopensAt: 80_000,
    currency: "IDR",
    decimals: 2,
    over: true,
  });
  const text = `unpaid on new are ${openAmount} of at most 100000 minor units of IDR: journeys and visits begin on legacy until it is 80000`;
  expect(warnings).toContainEqual({ code: "exposure_over", text });
  expect(stillLegacy.map(({ reason }) => reason)).toContain("exposure");
  const env = { CUTOVER_ADMIN_URL: other.served.admin };
  const [status, explained] = await Promise.all([
    runCutover(["status", "checkout"], { env }),
    runCutover(["explain", "checkout", "--shopper", "ann", "--path", "/checkout", "--method", "POST"], {
      env,
    }),
  ]);
  expect(status.stdout.replaceAll(/\s+/g, " ")).toContain(
    `! unpaid on new are ${openAmount} of at most 100000`,
  );
  expect(explained.stdout).toContain("more than its cap is unpaid on new");
  const series = await scrape(one.served.admin);
  expect(series.get('cutover_exposure_open_amount{cutover="checkout"}')).toBe(openAmount);
  expect(series.get('cutover_exposure_over{cutover="checkout"}')).toBe(1);
  expect(
    series.get('cutover_decisions_total{cutover="checkout",side="legacy",reason="exposure"}'),
  ).toBeGreaterThan(0);

  await one.served.kill();
  const again = await launch("one", 2, "undici");
  expect(await begins(again)).toBe(exposed);

  const [first = "", , , ...rest] = made;
  expect((await post(other, `/orders/${first}/pay`)).decided).toBe("side=new; reason=owner");
  for (const order of rest) await post(again, `/orders/${order}/pay`);
  await eventually("open again", async () => (await begins(other)) === toNew, 5000);
  await eventually("open again", async () => (await begins(again)) === toNew, 5000);
}, 120_000);

test("the workers of an embedded store have one sum", async () => {
  const launch = await create("memory:");
  const one = await launch("one", 2, "undici");
  accepted(await one.api.set(100, { waitMs: 10_000 }));
  expect(await isOver(one)).toBe(false);
  const made: string[] = [];
  await untilOver(one, made);
  for (const order of made) await post(one, `/orders/${order}/pay`);
  await eventually("open again", async () => (await begins(one)) === toNew, 5000);
}, 120_000);
