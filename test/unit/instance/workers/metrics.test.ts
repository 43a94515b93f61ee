import { Counter, Gauge, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { createRoomMetricsTaker, joinRoomMetrics } from "../../../../src/instance/workers/metrics.ts";

function worker() {
  const registry = new Registry();
  const registers = [registry];
  const seen = new Counter({ name: "seen_total", help: "Seen.", labelNames: ["cutover"], registers });
  const waiting = new Gauge({ name: "waiting", help: "Waiting.", registers });
  seen.inc({ cutover: "checkout" }, 0);
  return { seen, waiting, take: createRoomMetricsTaker(registry) };
}

async function page(registry: Registry): Promise<string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("metrics handed over by workers", () => {
  test("exist at 0 from the start, add up, and keep a dead worker's counters but not its gauges", async () => {
    const registry = new Registry();
    const [one, two] = [worker(), worker()];
    const [from, fromTwo] = [joinRoomMetrics(registry), joinRoomMetrics(registry)];
    from.add(await one.take());
    expect(await page(registry)).toEqual(['seen_total{cutover="checkout"} 0', "waiting 0"]);

    one.seen.inc({ cutover: "checkout" }, 2);
    one.waiting.set(5);
    two.seen.inc({ cutover: "checkout" }, 3);
    two.waiting.set(1);
    from.add(await one.take());
    fromTwo.add(await two.take());
    expect(await page(registry)).toEqual(['seen_total{cutover="checkout"} 5', "waiting 6"]);

    one.waiting.set(2);
    from.add(await one.take());
    from.add(await one.take());
    expect(await page(registry)).toEqual(['seen_total{cutover="checkout"} 5', "waiting 3"]);

    from.end();
    from.end();
    expect(await page(registry)).toEqual(['seen_total{cutover="checkout"} 5', "waiting 1"]);
  });

  test("leave out what did not move", async () => {
    const { seen, take } = worker();
    await take();
    expect((await take()).filter(({ type }) => type === "counter")).toEqual([]);
    seen.inc({ cutover: "search" });
    const [moved] = await take();
    expect(moved?.samples).toEqual([[{ cutover: "search" }, 1]]);
  });
});
