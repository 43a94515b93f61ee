/** A side in maintenance, of an instance with workers: the page that its shoppers are shown, and what is told of it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, expect, test } from "vitest";
import { startServe } from "../support/cutover.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

test("the shop's own page is what stood in its file when the configuration was last read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-maintenance-"));
  endings.push(() => rm(folder, { recursive: true }));
  const sides = await startSides();
  endings.push(() => sides.stop());
  const page = join(folder, "page.html");
  await writeFile(page, "<p>Kembali sebentar lagi");
  const cutover = [...cartsByShopper, `maintenance: { page: '${page}' }`];
  const yaml = serveYaml({ sides, workers: 2, cutover });
  const serve = await startServe({ folder, name: "maintained", yaml });
  endings.push(() => serve.kill());

  /** By as many connections as may meet every worker. */
  const shown = async (accept: string) => {
    const headers = { "x-shopper-id": "a", accept };
    const asked = Array.from({ length: 8 }, async () => {
      // `fetch` says for itself that it opens no page.
      const answer = await request(`${serve.proxy}/cart/1`, { headers, reset: true });
      const text = await answer.body.text();
      const type = String(answer.headers["content-type"]);
      return `${answer.statusCode} ${type} ${type.startsWith("text/html") ? text : ""}`;
    });
    return [...new Set(await Promise.all(asked))];
  };
  const maintained = async () => {
    const metrics = await (await fetch(`${serve.admin}/metrics`)).text();
    return metrics.match(/^cutover_maintenance\{.*$/gm);
  };
  const told = (legacy: number) => [
    `cutover_maintenance{cutover="checkout",side="legacy"} ${legacy}`,
    'cutover_maintenance{cutover="checkout",side="new"} 0',
  ];
  expect(await maintained()).toEqual(told(0));
  const until = new Date(Date.now() + 7_200_000).toISOString();
  const put = await fetch(`${serve.admin}/api/v1/cutovers/checkout/maintenance`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ side: "legacy", until, reason: "database moves", waitMs: 10_000 }),
  });
  expect(put.status).toBe(200);
  expect(await maintained()).toEqual(told(1));
  const first = ["503 text/html; charset=utf-8 <p>Kembali sebentar lagi"];
  expect(await shown("text/html")).toEqual(first);
  expect(await shown("application/json")).toEqual(["503 application/problem+json "]);

  await writeFile(page, "<p>Besok");
  expect(await shown("text/html")).toEqual(first);
  serve.signal("SIGHUP");
  await serve.said("configuration swapped");
  expect(await shown("text/html")).toEqual(["503 text/html; charset=utf-8 <p>Besok"]);

  // What is none changes nothing.
  await writeFile(page, "");
  serve.signal("SIGHUP");
  await serve.said("the configuration was not changed: the one in force stays");
  expect(await shown("text/html")).toEqual(["503 text/html; charset=utf-8 <p>Besok"]);
});
