import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createUpstreamMetrics, type UpstreamReading } from "../../../../src/proxy/upstream/metrics.ts";

const reading = (over: Partial<UpstreamReading> = {}): UpstreamReading => ({
  inFlight: 0,
  queued: 0,
  breaker: undefined,
  healthy: undefined,
  ...over,
});

async function page(registry: Registry): Promise<readonly string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("the page shows what an upstream has as it stands at the scrape, and only what is configured", async () => {
  const registry = new Registry();
  let now = reading({ inFlight: 3, queued: 2 });
  createUpstreamMetrics(registry).watch("shop", () => now);
  expect(await page(registry)).toEqual([
    'cutover_upstream_inflight_requests{upstream="shop"} 3',
    'cutover_upstream_queued_requests{upstream="shop"} 2',
    'cutover_upstream_shed_total{upstream="shop",reason="queue_full"} 0',
    'cutover_upstream_shed_total{upstream="shop",reason="queue_timeout"} 0',
    'cutover_upstream_shed_total{upstream="shop",reason="breaker_open"} 0',
    'cutover_upstream_retries_total{upstream="shop"} 0',
  ]);
  now = reading({ breaker: "half_open", healthy: false });
  const lines = await page(registry);
  expect(lines).toContain('cutover_upstream_healthy{upstream="shop"} 0');
  expect(lines.filter((line) => line.startsWith("cutover_upstream_breaker_state"))).toEqual([
    'cutover_upstream_breaker_state{upstream="shop",state="closed"} 0',
    'cutover_upstream_breaker_state{upstream="shop",state="open"} 0',
    'cutover_upstream_breaker_state{upstream="shop",state="half_open"} 1',
  ]);
});

test("the page adds up two of one name, and shows the closed one no more but for what it counted", async () => {
  const registry = new Registry();
  const metrics = createUpstreamMetrics(registry);
  const before = metrics.watch("shop", () => reading({ inFlight: 1, breaker: "open" }));
  const after = metrics.watch("shop", () => reading({ inFlight: 2 }));
  before.shed("queue_full");
  after.shed("queue_full");
  after.repeated();
  expect(await page(registry)).toContain('cutover_upstream_inflight_requests{upstream="shop"} 3');
  before.end();
  const lines = await page(registry);
  expect(lines).toContain('cutover_upstream_inflight_requests{upstream="shop"} 2');
  expect(lines.filter((line) => line.includes("breaker_state"))).toEqual([]);
  expect(lines).toContain('cutover_upstream_shed_total{upstream="shop",reason="queue_full"} 2');
  expect(lines).toContain('cutover_upstream_retries_total{upstream="shop"} 1');
  after.end();
  expect((await page(registry)).filter((line) => !/shed|retries/.test(line))).toEqual([]);
});

test("the counters of upstreams that nobody here watches exist", async () => {
  const registry = new Registry();
  createUpstreamMetrics(registry).configure(["shop"]);
  expect(await page(registry)).toHaveLength(4);
});
