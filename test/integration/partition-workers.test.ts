/**
 * An instance with two workers, cut off from the store: neither worker sees the store, both keep to the lease that the
 * instance has in it. Each connection stays with one worker, so many are asked by.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { createShop } from "../support/traffic.ts";
import { eventually } from "../support/until.ts";

const connections = 16;
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    hasLinks: true,
    shape: (name) => ({
      snapshot: `${name}.json`,
      staleAfter: "4000ms",
      onStale: "legacy",
      workers: name === "c" ? 2 : 1,
    }),
  });
}, 120_000);
afterAll(() => fleet.stop());

test("from the end of its lease on, no worker of an instance that is cut off starts a journey on new", async () => {
  const [first, , cutOff] = fleet.members;
  await eventually("all to be live", async () => (await first.api.view()).instances.live === 3, 10_000);
  const raised = await first.api.set(100, { waitMs: 10_000 });
  expect(raised.answer?.applied).toMatchObject({ instances: 3, of: 3, complete: true });
  const shops = Array.from({ length: connections }, () => createShop(cutOff.served.proxy, 1));
  const opened = await Promise.all(shops.map((shop) => shop.visit("first")));
  expect(opened.map(({ side }) => side)).toEqual(shops.map(() => "new"));

  cutOff.link.cut();
  const { answer } = await first.api.call("rollback", { waitMs: 0 });
  const named = answer?.applied.lagging.find(({ id }) => id === cutOff.served.id);
  if (named?.leaseEndsAt == null) throw new Error("no end of its lease");
  const end = Date.parse(named.leaseEndsAt);

  const seen = await Promise.all(
    shops.map(async (shop, connection) => {
      const visits = [];
      for (let at = Date.now(); at < end + 1000; at = Date.now()) {
        visits.push({ at, ...(await shop.visit(`shopper-${connection}-${visits.length}`)) });
        await sleep(10);
      }
      return visits;
    }),
  );
  const all = seen.flat();
  const after = all.filter(({ at }) => at >= end);
  const last = Math.max(...all.filter(({ side }) => side === "new").map(({ at }) => at));
  process.stdout.write(
    `two workers: ${all.length} visits over ${connections} connections, the last begun on new ${end - last} ms before ` +
      `the end of the lease; ${after.length} after it, on new: ${after.filter(({ side }) => side === "new").length}\n`,
  );
  expect(all.filter(({ fault }) => fault !== undefined)).toEqual([]);
  for (const visits of seen) expect(visits.some(({ at }) => at >= end)).toBe(true);
  expect(new Set(after.map(({ side, reason }) => `${side} ${reason}`))).toEqual(new Set(["legacy stale"]));
  // Both live; which of them a connection went to is not told.
  const workers = new Set(
    Array.from((await cutOff.served.log()).matchAll(/"worker":(\d+)/g), ([, worker]) => worker),
  );
  expect(workers.size).toBe(2);
  await Promise.all(shops.map((shop) => shop.close()));
}, 120_000);
