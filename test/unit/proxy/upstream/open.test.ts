import { Registry } from "prom-client";
import { afterEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../../../src/base/clock.ts";
import { configSchema } from "../../../../src/config/schema.ts";
import type { Way } from "../../../../src/proxy/upstream/admission.ts";
import { createUpstreamMetrics } from "../../../../src/proxy/upstream/metrics.ts";
import { createUpstreamPool, unreachableWays } from "../../../../src/proxy/upstream/open.ts";
import { type RawConnection, startRawUpstream } from "../../../support/raw-upstream.ts";
import { recordingSink } from "../../../support/recording-sink.ts";
import { turn, until } from "../../../support/until.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function createFixture() {
  const asked: RawConnection[] = [];
  const raw = await startRawUpstream((connection) => connection.onRequest(() => asked.push(connection)));
  cleanups.push(() => raw.close());
  const registry = new Registry();
  const faults: unknown[] = [];
  const surroundings = {
    metrics: createUpstreamMetrics(registry),
    clock: systemClock,
    timers: systemTimers,
    log: { info: () => {}, warn: () => {}, error: () => {} },
  };
  const pool = createUpstreamPool(surroundings, (error) => faults.push(error));
  const config = (concurrency: { max: number; queue: number }) =>
    configSchema.parse({
      upstreams: { shop: { url: raw.url.origin, concurrency: { ...concurrency, wait: "5s" } } },
      default: "shop",
    });
  return { raw, asked, registry, faults, pool, config };
}

function wayOf(ways: ReadonlyMap<string, Way>): Way {
  const way = ways.get("shop");
  if (way === undefined) throw new Error("no way to the shop");
  return way;
}

const request = { method: "GET", target: "/", fields: ["Host", "h"], body: { kind: "none" } } as const;

test("two configurations that say the same of an upstream share its way and its connections", async () => {
  const { pool, config, faults } = await createFixture();
  const first = pool.lease(config({ max: 5, queue: 5 }));
  const second = pool.lease(config({ max: 5, queue: 5 }));
  const other = pool.lease(config({ max: 6, queue: 5 }));
  expect(wayOf(second.ways)).toBe(wayOf(first.ways));
  expect(wayOf(other.ways)).not.toBe(wayOf(first.ways));
  for (const { release } of [first, second, other]) release();
  await pool.settled();
  expect(faults).toEqual([]);
});

test("an upstream that is given back is closed once nobody waits for it and its last answer is whole", async () => {
  const { pool, config, asked, registry } = await createFixture();
  const lease = pool.lease(config({ max: 1, queue: 1 }));
  const { admission, engine } = wayOf(lease.ways);
  const sink = recordingSink();
  const waiting = recordingSink();
  admission.enter({ place: undefined, granted: () => {}, expired: () => {} });
  engine.forward({ ...request, fields: [...request.fields] }, sink);
  admission.enter({
    place: undefined,
    granted: () => void engine.forward({ ...request, fields: [...request.fields] }, waiting),
    expired: () => {},
  });
  await until("the request arrives", () => asked.length === 1);
  lease.release();
  let isClosed = false;
  const settled = pool.settled().then(() => {
    isClosed = true;
  });
  asked[0]?.write(ok);
  await sink.over;
  expect(isClosed).toBe(false);
  admission.leave(undefined, "made");
  await until("the one that waited arrives", () => asked.length === 2);
  await turn();
  expect(isClosed).toBe(false);
  asked[1]?.write(ok);
  await settled;
  expect(waiting.heads[0]?.status).toBe(200);
  expect(await registry.metrics()).not.toContain("cutover_upstream_inflight_requests{");
});

test("ways that lead nowhere let no request in", () => {
  const config = configSchema.parse({ upstreams: { shop: { url: "http://127.0.0.1:1" } }, default: "shop" });
  const { admission } = wayOf(unreachableWays(config));
  expect(() => admission.enter({ place: undefined, granted: () => {}, expired: () => {} })).toThrow(
    "no request goes to shop from here",
  );
});
