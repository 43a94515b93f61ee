import { afterEach, describe, expect, test, vi } from "vitest";
import { createRandom } from "../../../../src/demo/shoppers/random.ts";
import {
  createShoppers,
  type Shoppers,
  type ShoppersOptions,
} from "../../../../src/demo/shoppers/shoppers.ts";
import { anomaliesOf } from "../../../../src/demo/shoppers/tally.ts";
import { planVisit, usualHabits } from "../../../../src/demo/shoppers/visit.ts";
import { createShop, type Shop } from "../../../../src/demo/shops/shop.ts";
import { startRelay } from "../../../support/relay.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const provider = { callbackUrl: "http://127.0.0.1:9/", delayMs: 600_000 };
const hasty = { thinkMs: [0, 2], leaveAfterCart: 0, leaveAfterCheckout: 0, payAgain: 0 } as const;

async function twoShops(random?: () => number): Promise<{ old: Shop; next: Shop }> {
  const make = (name: string, orderFormat: "SS" | "INV") =>
    createShop({ name, orderFormat, port: 0, controlPort: 0, provider, ...(random ? { random } : {}) });
  const [old, next] = await Promise.all([make("social-shop", "SS"), make("marketplace", "INV")]);
  closers.push(
    () => old.close(),
    () => next.close(),
  );
  return { old, next };
}

async function relay(...parameters: Parameters<typeof startRelay>) {
  const started = await startRelay(...parameters);
  closers.push(() => started.close());
  return started;
}

function shoppersAt(proxyUrl: string, more: Partial<ShoppersOptions> = {}): Shoppers {
  const made = createShoppers({
    proxyUrl,
    rate: 200,
    seed: 11,
    maxConcurrent: 20,
    habits: hasty,
    retryDelaysMs: [1, 1, 1],
    ...more,
  });
  closers.push(() => made.stop());
  return made;
}

const soon = { timeout: 10_000, interval: 10 };
const fault = (shop: Shop, faults: object) =>
  fetch(`${shop.controlUrl}/faults`, { method: "POST", body: JSON.stringify(faults) });

describe("sample shoppers", () => {
  test("make orders at a shop, and stop with nobody under way and no connection open", async () => {
    const { old } = await twoShops();
    const shoppers = shoppersAt(old.url);
    await vi.waitFor(() => expect(shoppers.tally().visits.paid).toBeGreaterThanOrEqual(20), soon);
    await shoppers.stop();
    const tally = shoppers.tally();
    expect(shoppers.underWay()).toBe(0);
    expect(tally.requests.failed).toBe(0);
    expect(anomaliesOf(tally)).toBe(0);
    expect(tally.orders).toEqual({ "social-shop": expect.any(Number) });
    // The last of them may have been cut between the shop's act and the shopper's count.
    expect(old.summary().orders).toBeGreaterThanOrEqual(tally.orders["social-shop"] ?? 0);
    expect(old.summary().orders - (tally.orders["social-shop"] ?? 0)).toBeLessThanOrEqual(20);
    expect(old.summary().anomalies).toBe(0);
  });

  test("leave and pay again at the share they are told", async () => {
    const { old } = await twoShops();
    const shoppers = shoppersAt(old.url, { habits: { ...hasty, leaveAfterCart: 0.5, payAgain: 1 } });
    await vi.waitFor(() => expect(shoppers.tally().visits.paid).toBeGreaterThanOrEqual(15), soon);
    await shoppers.stop();
    const { visits, repeatedPayments } = shoppers.tally();
    expect(visits.left).toBeGreaterThan(0);
    expect(repeatedPayments).toBeGreaterThanOrEqual(visits.paid);
    expect(old.summary().paidTwice).toBe(0);
  });

  test("send a failed payment again with the same key", async () => {
    const draws = createRandom(5);
    const { old } = await twoShops(() => draws.next());
    await fault(old, { failRate: 0.3 });
    const shoppers = shoppersAt(old.url);
    await vi.waitFor(() => expect(shoppers.tally().repeatedPayments).toBeGreaterThanOrEqual(5), soon);
    await vi.waitFor(() => expect(shoppers.tally().visits.paid).toBeGreaterThanOrEqual(5), soon);
    await shoppers.stop();
    const tally = shoppers.tally();
    expect(tally.requests.failed).toBeGreaterThanOrEqual(5);
    expect(tally.visits.failed).toBeGreaterThan(0);
    expect(old.summary().anomalies).toBe(0);
  });

  test("of a hanging shop are at most as many as allowed, and end at once", async () => {
    const { old } = await twoShops();
    await fault(old, { hang: true });
    const shoppers = shoppersAt(old.url, { maxConcurrent: 7 });
    await vi.waitFor(() => expect(shoppers.tally().visits.skipped).toBeGreaterThan(5), soon);
    expect(shoppers.underWay()).toBe(7);
    const begun = performance.now();
    await shoppers.stop();
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(shoppers.underWay()).toBe(0);
    expect(shoppers.tally().requests).toEqual({ ok: 0, failed: 0 });
  });

  test("count a request that nobody answers as failed", async () => {
    const gone = await startRelay(() => "http://127.0.0.1:9/");
    await gone.close();
    const shoppers = shoppersAt(gone.url);
    await vi.waitFor(() => expect(shoppers.tally().visits.failed).toBeGreaterThanOrEqual(3), soon);
    expect(shoppers.tally().requests.ok).toBe(0);
  });

  test("keep the cookies they are given", async () => {
    const { old } = await twoShops();
    const seen = new Map<string, Set<string>>();
    const proxy = await relay((request) => {
      const shopper = String(request.headers["x-shopper-id"]);
      const cookies = seen.get(shopper) ?? new Set();
      seen.set(shopper, cookies.add(request.headers.cookie ?? "none"));
      return old.url;
    });
    const shoppers = shoppersAt(proxy.url);
    await vi.waitFor(() => expect(shoppers.tally().visits.paid).toBeGreaterThanOrEqual(5), soon);
    await shoppers.stop();
    for (const cookies of seen.values()) {
      // Nothing at first, and then one session for the rest of the visit.
      expect(cookies.size).toBeLessThanOrEqual(2);
      expect([...cookies][0]).toBe("none");
      if (cookies.size === 2) expect([...cookies][1]).toMatch(/^sid=[\w-]+$/);
    }
  });
});

test("many shoppers and many pending payments raise no warning of a leak", async () => {
  const warnings: string[] = [];
  const listener = (warning: Error) => warnings.push(warning.message);
  process.on("warning", listener);
  closers.push(async () => process.off("warning", listener));
  const { old } = await twoShops();
  const shoppers = shoppersAt(old.url, { maxConcurrent: 40 });
  await vi.waitFor(() => expect(old.summary().callbacks.pending).toBeGreaterThanOrEqual(15), soon);
  await fault(old, { hang: true });
  await vi.waitFor(() => expect(shoppers.underWay()).toBe(40), soon);
  await shoppers.stop();
  expect(warnings).toEqual([]);
});

describe("behind a proxy", () => {
  test("that moves shoppers before the checkout only, nothing is an anomaly", async () => {
    const { old, next } = await twoShops();
    const proxy = await relay(({ url = "" }) => (url.startsWith("/cart") ? old.url : next.url));
    const shoppers = shoppersAt(proxy.url);
    await vi.waitFor(() => expect(shoppers.tally().visits.paid).toBeGreaterThanOrEqual(10), soon);
    const tally = shoppers.tally();
    expect(tally.movedBeforeCheckout).toBeGreaterThanOrEqual(10);
    expect(Object.keys(tally.orders)).toEqual(["marketplace"]);
    expect(anomaliesOf(tally) + old.summary().anomalies + next.summary().anomalies).toBe(0);
  });

  test("that forgets who took an order, both the shoppers and the shop notice", async () => {
    const { old, next } = await twoShops();
    const proxy = await relay(({ url = "" }) => (url.startsWith("/orders/") ? next.url : old.url));
    const shoppers = shoppersAt(proxy.url);
    await vi.waitFor(() => expect(shoppers.tally().anomalies.changedShop).toBeGreaterThanOrEqual(5), soon);
    expect(next.summary().unknownOrder).toBeGreaterThanOrEqual(5);
    expect(shoppers.tally().visits.paid).toBe(0);
  });

  test("that loses the idempotency key, both the shoppers and the shop notice", async () => {
    const { old } = await twoShops();
    const proxy = await relay((request) => {
      delete request.headers["idempotency-key"];
      return old.url;
    });
    const shoppers = shoppersAt(proxy.url, { habits: { ...hasty, payAgain: 1 } });
    await vi.waitFor(() => expect(shoppers.tally().anomalies.paidTwice).toBeGreaterThanOrEqual(5), soon);
    expect(old.summary().paidTwice).toBeGreaterThanOrEqual(5);
  });

  test("that sends an order to a shop of the same name which lost it, the shoppers notice", async () => {
    const { old } = await twoShops();
    const [first, second] = [await twoShops(), old];
    const proxy = await relay(({ url = "" }) => (url.startsWith("/orders/") ? second.url : first.old.url));
    const shoppers = shoppersAt(proxy.url);
    await vi.waitFor(() => expect(shoppers.tally().anomalies.orderUnknown).toBeGreaterThanOrEqual(5), soon);
  });
});

describe("the plans of the shoppers", () => {
  const plans = (seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: 50 }, () => planVisit(random.fork(), usualHabits));
  };

  test("are the same for one seed and others for another", () => {
    expect(plans(1)).toEqual(plans(1));
    expect(plans(1)).not.toEqual(plans(2));
  });

  test("are followed by the same shoppers, however long the answers take", async () => {
    const arrivals = async (slowMs: number) => {
      const { old } = await twoShops();
      await fault(old, { slowMs });
      const seen = new Set<string>();
      const proxy = await relay((request) => {
        seen.add(String(request.headers["x-shopper-id"]));
        return old.url;
      });
      const shoppers = shoppersAt(proxy.url, { seed: 99, maxConcurrent: 200 });
      await vi.waitFor(() => expect(seen.size).toBeGreaterThanOrEqual(40), soon);
      await shoppers.stop();
      return [...seen];
    };
    const [quick, slow] = [await arrivals(0), await arrivals(30)];
    // Neighbours may overtake each other on their connections; nobody is late by thirty places.
    expect(slow).toEqual(expect.arrayContaining(quick.slice(0, 10)));
    expect(quick).toEqual(expect.arrayContaining(slow.slice(0, 10)));
  });

  test("include every kind of shopper", () => {
    const drawn = plans(3);
    expect(new Set(drawn.map(({ leaves }) => leaves))).toEqual(
      new Set(["after_cart", "after_checkout", "never"]),
    );
    expect(new Set(drawn.map(({ paysAgain }) => paysAgain))).toEqual(new Set([true, false]));
    expect(new Set(drawn.map(({ shopper }) => shopper)).size).toBe(50);
    for (const { items, thinkMs } of drawn) {
      expect(thinkMs.items).toHaveLength(items.length);
      for (const pause of [...thinkMs.items, thinkMs.payment]) {
        expect(pause).toBeGreaterThanOrEqual(usualHabits.thinkMs[0]);
        expect(pause).toBeLessThanOrEqual(usualHabits.thinkMs[1]);
      }
    }
  });
});
