import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createBank } from "../../../../src/demo/storefronts/bank.ts";
import { createBrowserJar } from "../../../../src/demo/storefronts/browser-jar.ts";
import { createSessions } from "../../../../src/demo/storefronts/sessions.ts";
import { createStorefrontShopper, stretches } from "../../../../src/demo/storefronts/shopper.ts";
import {
  createStorefront,
  dialects,
  type Storefront,
  type StorefrontOptions,
} from "../../../../src/demo/storefronts/storefront.ts";

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

async function open(change: Partial<StorefrontOptions> = {}): Promise<Storefront> {
  const options = { name: "shop", dialect: "forms", release: "r1", base: "", orderFormat: "SS" } as const;
  const shop = await createStorefront({ ...options, port: 0, ...change });
  endings.push(() => shop.close());
  return shop;
}

describe.each(dialects)("a shop of %s", (dialect) => {
  test("sells to who keeps his cookies, from the first page to the confirmation", async () => {
    const shop = await open({ dialect });
    const shopper = createStorefrontShopper({ origin: shop.url, dialect });
    for (const stretch of stretches) await shopper.go(stretch);
    expect(shopper.troubles).toEqual([]);
    expect(shopper.orderId()).toMatch(/^SS-\d{10}$/);
    expect(shop.counts()).toMatchObject({ orders: 1, paid: 1, paidTwice: 0, emptyCheckouts: 0 });
    expect(shop.counts().assets).toBeGreaterThanOrEqual(2);
  });

  test("keeps the cart of who signs in, under another session", async () => {
    const shop = await open({ dialect });
    const shopper = createStorefrontShopper({ origin: shop.url, dialect });
    await shopper.go("arrive");
    await shopper.go("fill");
    await shopper.login("ann");
    for (const stretch of ["order", "pay", "confirm"] as const) await shopper.go(stretch);
    expect(shopper.troubles).toEqual([]);
    expect(shop.counts()).toMatchObject({ orders: 1, paid: 1 });
  });
});

test("a session of another shop is replaced under the same cookie, and an order from it is counted as lost", async () => {
  const shop = await open();
  const jar = createBrowserJar();
  const foreign = await jar.request(shop.url, { headers: { cookie: "sid=abcdef" } });
  expect(foreign.headers.getSetCookie()).toEqual([
    expect.stringMatching(/^sid=[0-9a-f]{26}; Path=\/; HttpOnly; SameSite=Lax$/),
  ]);
  const order = await jar.request(`${shop.url}/?route=checkout/confirm`, { method: "POST" });
  expect(order.status).toBe(409);
  expect(shop.counts()).toMatchObject({ emptyCheckouts: 1, orders: 0 });
});

test("styles of another release are not there, and it is counted that somebody asked for them", async () => {
  const shop = await open();
  expect((await fetch(`${shop.url}/assets/r2/app.css`)).status).toBe(404);
  expect((await fetch(`${shop.url}/assets/r1/app.css`)).status).toBe(200);
  expect(shop.counts()).toMatchObject({ strangeAssets: 1, assets: 1 });
});

test("it lives below a path, which its pages do not name and its redirects do", async () => {
  const shop = await open({ base: "/store" });
  expect((await fetch(`${shop.url}/`)).status).toBe(404);
  const page = await fetch(`${shop.url}/store/`);
  expect(await page.text()).toContain(`href="/assets/r1/app.css"`);
  const added = await fetch(`${shop.url}/store/?route=checkout/cart.add`, {
    method: "POST",
    body: new URLSearchParams({ product_id: "1", quantity: "2" }),
    redirect: "manual",
  });
  expect(added.headers.get("location")).toBe(`${shop.url}/store/?route=checkout/cart`);
});

test("an order that was paid is not paid again, and one that is not its own is counted", async () => {
  const shop = await open();
  const shopper = createStorefrontShopper({ origin: shop.url, dialect: "forms" });
  for (const stretch of ["arrive", "fill", "order", "pay"] as const) await shopper.go(stretch);
  await shopper.go("pay");
  const strange = new URLSearchParams({ order_id: "INV-20231212-MPL-1" });
  const answer = await fetch(`${shop.url}/?route=payment/return`, { method: "POST", body: strange });
  expect(answer.status).toBe(404);
  expect(shop.counts()).toMatchObject({ orders: 1, paid: 1, paidTwice: 1, unknownOrders: 1 });
});

test("a session keeps what it holds when its id is renewed, and is found by a bearer token too", () => {
  const sessions = createSessions("sid", 10);
  const asked = (headers: IncomingMessage["headers"]) => {
    const request = new IncomingMessage(new Socket());
    Object.assign(request.headers, headers);
    return sessions.of(request);
  };
  const { session, isNew } = asked({});
  expect(isNew).toBe(true);
  const before = session.id;
  sessions.renew(session);
  expect(asked({ cookie: `a=b; sid=${session.id}` })).toEqual({ session, isNew: false });
  expect(asked({ authorization: `Bearer ${session.id}` })).toEqual({ session, isNew: false });
  expect(asked({ cookie: `sid=${before}` }).isNew).toBe(true);
});

test("the bank's page posts the order back to the shop", async () => {
  const bank = await createBank("127.0.0.1", 0, () => "http://shop.example/?route=payment/return");
  endings.push(() => bank.close(0));
  const pay = (orderId: string) =>
    fetch(`${bank.url}/pay`, { method: "POST", body: new URLSearchParams({ order_id: orderId }) });
  const page = await (await pay("SS-1")).text();
  expect(page).toContain(`<form method="post" action="http://shop.example/?route=payment/return">`);
  expect(page).toContain(`name="order_id" value="SS-1"`);
  expect((await pay(`"><script>`)).status).toBe(404);
});
