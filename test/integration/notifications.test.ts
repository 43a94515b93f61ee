/** A fleet of real processes tells each change once, in the words that it signs. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { startServe } from "../support/cutover.ts";
import { startRedis } from "../support/redis.ts";
import { scrape } from "../support/scrape.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

test("two instances, one with workers, tell a raise and a rollback once, whichever of them it was asked of", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-notifications-"));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const taken: string[] = [];
  const receiver = createServer((request, response) => {
    if (request.url === "/hook") taken.push(`${request.headers["webhook-id"]}`);
    request.resume().on("end", () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  endings.push(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  const redis = await startRedis();
  endings.push(() => redis.stop());
  const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  const launch = async (name: string, workers: number) => {
    const yaml = serveYaml({
      sides: { legacy: url, new: url },
      store: `redis://127.0.0.1:${redis.port}`,
      workers,
      cutover: cartsByShopper,
      more: ["audit: off", `webhooks: [{ url: '${url}/hook', secret: '${secret}' }]`],
    });
    const served = await startServe({ folder, name, yaml });
    const api = createAdminApi(served.admin);
    endings.push(() => Promise.all([api.close(), served.kill()]));
    return { served, api };
  };
  const all = [await launch("one", 1), await launch("other", 2)];
  const [one, other] = all;
  if (one === undefined || other === undefined) throw new Error("no instances");
  const raised = accepted(await one.api.set(10, { waitMs: 10_000 })).version;
  const rolledBack = accepted(await other.api.call("rollback")).version;
  await eventually("told", async () => taken.length >= 2, 10_000);
  const delivered = async () => {
    const pages = await Promise.all(all.map(({ served }) => scrape(served.admin)));
    const name = `cutover_webhooks_total{webhook="${new URL(url).host}",outcome="delivered"}`;
    return pages.reduce((sum, page) => sum + (page.get(name) ?? 0), 0);
  };
  await eventually("counted", async () => (await delivered()) === 2, 5000);
  expect(taken).toEqual([`cutover_checkout_${raised}_raise`, `cutover_checkout_${rolledBack}_rollback`]);
}, 120_000);
