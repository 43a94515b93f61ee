/** The guard by a metric of the owner's own, of a real Prometheus that is also slow and gone. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { accepted, createAdminApi } from "../support/admin-api.ts";
import { runCutover, startServe } from "../support/cutover.ts";
import { guardOf, startToldShop } from "../support/guarded-shops.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { cartsByShopper, serveYaml } from "../support/serve-yaml.ts";
import { startTcpRelay } from "../support/tcp-relay.ts";
import { eventually } from "../support/until.ts";

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** That one is slow takes half of the time: elsewhere a server of the test's own is (test/unit/guard/metrics). */
const isFull = process.env.CUTOVER_BARS === "full";

/** A program that tells Prometheus how many cards each side's payment provider refuses. */
async function startProvider() {
  const refused = { legacy: 2, new: 2 };
  const server = createServer((_, response) => {
    const lines = Object.entries(refused).map(([side, value]) => `cards_refused{side="${side}"} ${value}`);
    response.writeHead(200, { "content-type": "text/plain" }).end(`${lines.join("\n")}\n`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { refused, target: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("a metric that is worse for its time holds the cutover; while Prometheus is slow or gone nothing follows from it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cutover-guard-metrics-"));
  endings.push(() => rm(folder, { recursive: true }));
  const { refused, target } = await startProvider();
  const prometheus = await startPrometheus({ folder, targets: [target], everyMs: 200 });
  endings.push(() => prometheus.stop());
  const relay = await startTcpRelay(Number(new URL(prometheus.url).port));
  endings.push(() => relay.close());
  const [legacy, fresh] = [await startToldShop(), await startToldShop()];
  endings.push(legacy.stop, fresh.stop);
  const query = `sum(cards_refused{side="$side"})`;
  const metric = `{ name: refusals, query: '${query}', worse: above, by: 2, than: legacy, for: 5s }`;
  const serve = await startServe({
    ...{ folder, name: "measured" },
    yaml: serveYaml({
      sides: { legacy: legacy.url, new: fresh.url },
      cutover: [...cartsByShopper, `guard: { block: 1s, metrics: [${metric}] }`],
      more: ["audit: off", `prometheus: 'http://127.0.0.1:${relay.port}'`],
    }),
  });
  endings.push(() => serve.kill());
  const admin = createAdminApi(serve.admin);
  endings.push(() => admin.close());
  const found = async () => (await guardOf(serve.admin)).metrics[0];
  const becomes = (state: string) =>
    eventually(`the metric ${state}`, async () => (await found())?.state === state, 30_000);

  accepted(await admin.set(50, { waitMs: 10_000 }));
  await becomes("fine");
  expect((await found())?.sentence).toBe(
    "refusals: new 2, not above 2 times legacy's 2 (a ratio, with no odds)",
  );

  if (isFull) {
    const held = relay.holdBack("api/v1/query");
    await becomes("no data");
    expect((await found())?.sentence).toContain("no answer in time");
    (await held)();
    await becomes("fine");
  }

  refused.new = 9;
  const isHeld = async () => (await admin.view()).state === "held";
  await eventually("the cutover held", isHeld, 30_000);
  const [entry] = await (await fetch(`${serve.admin}/api/v1/cutovers/checkout/history`)).json();
  expect(entry).toMatchObject({ action: "hold", by: "guard", to: { percent: 50, state: "held" } });
  const facts = "refusals: new 9, above 2 times legacy's 2 for 5 s (a ratio, with no odds): worse, held";
  expect(entry.reason).toContain(facts);
  const told = await runCutover(["guard", "checkout"], { env: { CUTOVER_ADMIN_URL: serve.admin } });
  expect(told.stdout).toContain("\n  refusals: new 9, above 2 times legacy's 2 for 5 s");
  const gauges = await (await fetch(`${serve.admin}/metrics`)).text();
  expect(gauges).toContain('cutover_guard_metric{cutover="checkout",metric="refusals",state="worse"} 1');

  await prometheus.stop();
  await becomes("no data");
  expect((await admin.view()).state).toBe("held");
});
