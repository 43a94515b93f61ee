/** The built program reads GraphQL documents: from its start, in workers, and once a reload asks for it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCutover, type Served, startServe } from "../support/cutover.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { type Sides, startSides } from "../support/sides.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const endings: (() => unknown)[] = [];
let folder = "";
let sides: Sides;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-shared-paths-"));
  endings.push(() => rm(folder, { recursive: true }));
  sides = await startSides();
  endings.push(() => sides.stop());
  await writeFile(join(folder, "manifest.json"), '{"pay-1":"mutation { addPaymentToOrder { id } }"}');
}, 60_000);
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const whole = "routes: [{ name: rest, path: /cart/graphql }]";
const split =
  "routes: [{ name: rest, path: /cart/graphql }, { name: pay, path: /cart/graphql, when: { graphql: addPaymentToOrder } }]";

const yamlOf = (routes: string, workers: number) =>
  serveYaml({
    sides,
    workers,
    cutover: ["shopper: ['header:x-shopper-id']", routes],
    more: ["audit: off", `graphql: { manifests: ['${join(folder, "manifest.json")}'] }`],
  });

async function start(name: string, routes: string, workers: number): Promise<Served> {
  const served = await startServe({ folder, name, yaml: yamlOf(routes, workers) });
  endings.push(() => served.kill());
  return served;
}

const ask = (served: Served, body: object) =>
  fetch(`${served.proxy}/cart/graphql`, {
    method: "POST",
    headers: { "x-shopper-id": "a", "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** How many requests were on the route. */
async function countOf({ admin }: Served, route: string): Promise<number> {
  const page = await (await fetch(`${admin}/metrics`)).text();
  return page
    .split("\n")
    .filter((line) => line.startsWith("cutover_requests_total{") && line.includes(`route="${route}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

async function comesTo(served: Served, route: string, count: number): Promise<void> {
  await expect.poll(() => countOf(served, route), { timeout: 10_000, interval: 50 }).toBe(count);
}

const pay = "mutation { p: addPaymentToOrder(input: { method: 1 }) { id } }";

test.each(isFull ? [1, 2] : [2])(
  "with %i workers a document, a manifest's id and no known hash go where they should",
  async (workers) => {
    const served = await start(`w${workers}`, split, workers);
    expect((await ask(served, { query: pay })).status).toBe(200);
    expect((await ask(served, { documentId: "pay-1" })).status).toBe(200);
    await comesTo(served, "pay", 2);
    expect((await ask(served, { query: "{ cart { id } }" })).status).toBe(200);
    await comesTo(served, "rest", 1);
    const sha256Hash = "0".repeat(64);
    const unknown = await ask(served, { extensions: { persistedQuery: { version: 1, sha256Hash } } });
    expect(await unknown.json()).toMatchObject({ errors: [{ message: "PersistedQueryNotFound" }] });
    const told = await runCutover(
      ["explain", "checkout", "--shopper", "a", "--path", "/cart/graphql", "--method", "POST"],
      { env: { CUTOVER_ADMIN_URL: served.admin } },
    );
    expect(told.stdout).toContain("  1. route pay of checkout, when graphql addPaymentToOrder\n");
    expect(told.stdout).toContain("  2. route rest of checkout, else\n");
  },
  60_000,
);

test("a reload that asks for documents first loads what reads them", async () => {
  const served = await start("reload", whole, 1);
  expect((await ask(served, { query: pay })).status).toBe(200);
  await comesTo(served, "rest", 1);
  await served.rewrite(yamlOf(split, 1));
  served.signal("SIGHUP");
  await served.said("configuration swapped");
  expect((await ask(served, { query: pay })).status).toBe(200);
  await comesTo(served, "pay", 1);
}, 60_000);
