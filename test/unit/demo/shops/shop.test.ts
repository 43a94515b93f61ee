import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ProviderOptions } from "../../../../src/demo/provider.ts";
import { listen } from "../../../../src/demo/shops/http.ts";
import type { OrderFormat } from "../../../../src/demo/shops/order-numbers.ts";
import { createShop, type Shop, type ShopOptions } from "../../../../src/demo/shops/shop.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

/** A receiver of callbacks that answers the given statuses in turn, the last one for ever. */
async function receiver(...statuses: number[]) {
  const received: unknown[] = [];
  const listener = await listen(
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        received.push(JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(statuses[Math.min(received.length, statuses.length) - 1] ?? 200).end();
      });
    },
    "127.0.0.1",
    0,
  );
  closers.push(() => listener.close(0));
  return { url: `${listener.url}/callbacks/payment`, received };
}

async function shop(
  orderFormat: OrderFormat,
  provider: ProviderOptions,
  more: Partial<ShopOptions> = {},
): Promise<Shop> {
  const name = orderFormat === "SS" ? "social-shop" : "marketplace";
  const made = await createShop({ name, orderFormat, port: 0, controlPort: 0, provider, ...more });
  closers.push(() => made.close());
  return made;
}

/** A shop whose callbacks go nowhere within the test's time. */
const quietShop = (orderFormat: OrderFormat, more: Partial<ShopOptions> = {}) =>
  shop(orderFormat, { callbackUrl: "http://127.0.0.1:9/", delayMs: 600_000 }, more);

const ann = { "x-shopper-id": "ann" };

function post(url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { ...ann, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const orderShape = z.object({ orderId: z.string(), invoice: z.string(), total: z.number() });

async function order(at: Shop) {
  const response = await post(`${at.url}/checkout`, { items: [{ sku: "batik", quantity: 2 }] });
  expect(response.status).toBe(201);
  return { ...orderShape.parse(await response.json()), location: response.headers.get("location") };
}

describe("a sample shop", () => {
  test("walks a shopper from cart to a paid order", async () => {
    let deliverTo = "";
    const relay = await listen(
      (request, response) => {
        request.on("data", (chunk: Buffer) => {
          post(`${deliverTo}${request.url}`, JSON.parse(chunk.toString())).then((answer) =>
            response.writeHead(answer.status).end(),
          );
        });
      },
      "127.0.0.1",
      0,
    );
    closers.push(() => relay.close(0));
    const made = await shop("INV", { callbackUrl: `${relay.url}/callbacks/payment`, delayMs: 1 });
    deliverTo = made.url;

    expect((await post(`${made.url}/cart/items`, { sku: "kopi-gayo", quantity: 3 })).status).toBe(201);
    const cart = await fetch(`${made.url}/cart/items`, { headers: ann });
    expect(await cart.json()).toEqual({ shop: "marketplace", items: [{ sku: "kopi-gayo", quantity: 3 }] });

    const checkout = await post(`${made.url}/checkout`);
    expect(checkout.status).toBe(201);
    const { orderId, total } = orderShape.parse(await checkout.json());
    expect(total).toBe(75_000);

    const paid = await post(`${made.url}/orders/${orderId}/pay`, {}, { "idempotency-key": "k1" });
    expect(paid.status).toBe(202);
    await vi.waitFor(async () => {
      const shown = await fetch(`${made.url}/orders/${orderId}`);
      expect(await shown.json()).toMatchObject({ orderId, status: "paid" });
    });
    expect(made.summary()).toMatchObject({ orders: 1, paying: 0, paid: 1, anomalies: 0 });
  });

  test.each([
    ["SS", /^SS-\d{10}$/, /^SS-\d{10}$/],
    ["INV", /^INV-\d{8}-MPL-\d{10}$/, /^INV\/\d{8}\/MPL\/\d{10}$/],
  ] as const)(
    "of format %s names an order alike in JSON, in Location and in its path",
    async (format, id, invoice) => {
      const made = await quietShop(format);
      const placed = await order(made);
      expect(placed.orderId).toMatch(id);
      expect(placed.invoice).toMatch(invoice);
      expect(placed.location?.split("/").at(-1)).toBe(placed.orderId);
      expect(encodeURIComponent(placed.orderId)).toBe(placed.orderId);
      expect((await post(`${made.url}${placed.location}/pay`)).status).toBe(202);
    },
  );

  test("keeps the carts of two shoppers apart and empties one on request", async () => {
    const made = await quietShop("SS");
    await post(`${made.url}/cart/items`, { sku: "teh-melati" });
    await post(`${made.url}/cart/items`, { sku: "jamu" }, { "x-shopper-id": "ben" });
    const emptied = await fetch(`${made.url}/cart/items`, { method: "DELETE", headers: ann });
    expect(emptied.status).toBe(204);
    expect((await post(`${made.url}/checkout`)).status).toBe(409);
    expect((await post(`${made.url}/checkout`, undefined, { "x-shopper-id": "ben" })).status).toBe(201);
  });

  test("knows a shopper without a header by the cookie it sets", async () => {
    const made = await quietShop("SS");
    const add = await fetch(`${made.url}/cart/items`, { method: "POST", body: '{"sku":"jamu"}' });
    const cookie = add.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(cookie).toMatch(/^sid=./);
    const cart = await fetch(`${made.url}/cart/items`, { headers: { cookie } });
    expect(await cart.json()).toMatchObject({ items: [{ sku: "jamu", quantity: 1 }] });
    expect(cart.headers.has("set-cookie")).toBe(false);
  });

  test.each([
    ["/cart/items", "{"],
    ["/cart/items", '{"sku":"","quantity":1}'],
    ["/checkout", '{"items":[]}'],
    ["/callbacks/payment", "[]"],
  ])("answers 400 to POST %s with %s", async (path, body) => {
    const made = await quietShop("SS");
    expect((await fetch(`${made.url}${path}`, { method: "POST", headers: ann, body })).status).toBe(400);
  });

  test("answers 413 to a body over 64 KiB and serves the next request", async () => {
    const made = await quietShop("SS");
    expect((await post(`${made.url}/checkout`, "x".repeat(70_000))).status).toBe(413);
    await order(made);
  });

  test("says who it is in every answer", async () => {
    const made = await quietShop("INV");
    expect((await fetch(`${made.url}/nothing`)).headers.get("x-shop")).toBe("marketplace");
  });
});

describe("a payment", () => {
  test("is executed once for one idempotency key, and answered alike", async () => {
    const { url, received } = await receiver(200);
    const made = await shop("SS", { callbackUrl: url, delayMs: 1 });
    const { orderId } = await order(made);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        post(`${made.url}/orders/${orderId}/pay`, {}, { "idempotency-key": "k1" }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(202));
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1);
    await vi.waitFor(() => expect(made.summary().callbacks.delivered).toBe(1));
    expect(received).toHaveLength(1);
    expect(made.summary()).toMatchObject({ paying: 1, anomalies: 0 });
  });

  test("under another key, or under none, charges again and is counted", async () => {
    const made = await quietShop("SS");
    const { orderId } = await order(made);
    await post(`${made.url}/orders/${orderId}/pay`, {}, { "idempotency-key": "k1" });
    await post(`${made.url}/orders/${orderId}/pay`, {}, { "idempotency-key": "k2" });
    await post(`${made.url}/orders/${orderId}/pay`);
    expect(made.summary()).toMatchObject({ paying: 1, paidTwice: 2, anomalies: 2 });
  });

  test("with the key of another order is refused", async () => {
    const made = await quietShop("SS");
    const [one, other] = [await order(made), await order(made)];
    await post(`${made.url}/orders/${one.orderId}/pay`, {}, { "idempotency-key": "k1" });
    const refused = await post(`${made.url}/orders/${other.orderId}/pay`, {}, { "idempotency-key": "k1" });
    expect(refused.status).toBe(422);
  });

  test("of the other shop's order, or a callback for it, is counted", async () => {
    const [old, next] = [await quietShop("SS"), await quietShop("INV")];
    const { orderId } = await order(old);
    expect((await post(`${next.url}/orders/${orderId}/pay`)).status).toBe(404);
    expect((await post(`${next.url}/callbacks/payment`, { order_id: orderId })).status).toBe(404);
    expect(next.summary()).toMatchObject({ unknownOrder: 2, anomalies: 2 });
    expect(old.summary().anomalies).toBe(0);
  });

  test("of an order that made room for newer ones is not found, and no anomaly", async () => {
    const made = await quietShop("SS", { maxEntries: 2 });
    const { orderId } = await order(made);
    await order(made);
    await order(made);
    expect((await post(`${made.url}/orders/${orderId}/pay`)).status).toBe(404);
    expect(made.summary()).toMatchObject({ orders: 3, anomalies: 0 });
  });

  test("said to be paid twice by its callback is paid once", async () => {
    const made = await quietShop("SS");
    const { orderId } = await order(made);
    await post(`${made.url}/orders/${orderId}/pay`);
    for (const _ of [1, 2]) {
      expect((await post(`${made.url}/callbacks/payment`, { order_id: orderId })).status).toBe(200);
    }
    expect(made.summary()).toMatchObject({ paid: 1, paying: 0, anomalies: 0 });
  });
});

describe("the payment provider", () => {
  async function charged(provider: ProviderOptions) {
    const made = await shop("SS", provider);
    const { orderId, total } = await order(made);
    await post(`${made.url}/orders/${orderId}/pay`);
    return { made, orderId, total };
  }

  test("sends a callback again after a 5xx until it is taken", async () => {
    const { url, received } = await receiver(500, 503, 200);
    const { made, orderId, total } = await charged({
      callbackUrl: url,
      delayMs: 1,
      retryDelaysMs: [1, 1, 1, 1],
    });
    await vi.waitFor(() => expect(made.summary().callbacks.delivered).toBe(1));
    expect(made.summary().callbacks).toMatchObject({ pending: 0, retries: 2, undelivered: 0 });
    expect(received).toHaveLength(3);
    expect(received[2]).toEqual({
      order_id: orderId,
      payment_id: expect.any(String),
      status: "paid",
      amount: total,
    });
    expect(received[0]).toEqual(received[2]);
  });

  test("takes a 4xx for final", async () => {
    const { url, received } = await receiver(404);
    const { made } = await charged({ callbackUrl: url, delayMs: 1, retryDelaysMs: [1, 1] });
    await vi.waitFor(() => expect(made.summary().callbacks).toMatchObject({ pending: 0, refused: 1 }));
    expect(received).toHaveLength(1);
  });

  test("gives up after the last pause when nobody answers", async () => {
    const server = createServer();
    const gone = await new Promise<string>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        server.close(() => resolve(`http://127.0.0.1:${port}/callbacks/payment`));
      });
    });
    const { made } = await charged({ callbackUrl: gone, delayMs: 1, retryDelaysMs: [1, 1] });
    await vi.waitFor(() =>
      expect(made.summary().callbacks).toMatchObject({ pending: 0, retries: 2, undelivered: 1 }),
    );
  });

  test("begins no more callbacks than it may keep pending", async () => {
    const made = await shop("SS", { callbackUrl: "http://127.0.0.1:9/", delayMs: 600_000, maxPending: 1 });
    for (const _ of [1, 2, 3]) {
      const { orderId } = await order(made);
      await post(`${made.url}/orders/${orderId}/pay`);
    }
    expect(made.summary().callbacks).toMatchObject({ pending: 1, dropped: 2 });
  });
});

describe("the control endpoint", () => {
  const break_ = (made: Shop, faults: object) => post(`${made.controlUrl}/faults`, faults);
  const heal = (made: Shop) => fetch(`${made.controlUrl}/faults`, { method: "DELETE" });

  test("makes a share of the requests fail, by the random number, and changes nothing by them", async () => {
    const draws = [0.29, 0.3, 0.1];
    const made = await quietShop("SS", { random: () => draws.shift() ?? 1 });
    await break_(made, { failRate: 0.3 });
    const statuses: number[] = [];
    for (const _ of [1, 2, 3, 4]) {
      statuses.push((await post(`${made.url}/checkout`, { items: [{ sku: "jamu" }] })).status);
    }
    expect(statuses).toEqual([500, 201, 500, 201]);
    expect(made.summary().orders).toBe(2);
  });

  test("slows the shop down", async () => {
    const made = await quietShop("SS");
    await break_(made, { slowMs: 120 });
    const begun = performance.now();
    await order(made);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(115);
  });

  test("lets requests hang, without touching the control endpoint, until the shop is well again", async () => {
    const made = await quietShop("SS");
    await break_(made, { hang: true });
    let answered = false;
    const hanging = order(made).then(() => {
      answered = true;
    });
    const impatient = fetch(`${made.url}/cart/items`, { signal: AbortSignal.timeout(100) });
    await expect(impatient).rejects.toThrow();
    expect(answered).toBe(false);
    expect(await (await fetch(`${made.controlUrl}/faults`)).json()).toEqual({
      slowMs: 0,
      failRate: 0,
      hang: true,
    });
    await heal(made);
    await hanging;
    expect(made.summary().orders).toBe(1);
  });

  test("does not act for a client that left while the shop hung", async () => {
    const made = await quietShop("SS");
    await break_(made, { hang: true });
    const body = '{"items":[{"sku":"jamu"}]}';
    const client = connect(Number(new URL(made.url).port), "127.0.0.1").resume();
    client.end(`POST /checkout HTTP/1.1\r\nHost: shop\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    // The shop has closed its side too: it knows.
    await once(client, "close");
    await heal(made);
    await order(made);
    expect(made.summary().orders).toBe(1);
  });

  test("replaces the faults as a whole", async () => {
    const made = await quietShop("SS");
    await break_(made, { slowMs: 5 });
    expect(await (await break_(made, { failRate: 0.5 })).json()).toEqual({
      slowMs: 0,
      failRate: 0.5,
      hang: false,
    });
    expect(await (await heal(made)).json()).toEqual({ slowMs: 0, failRate: 0, hang: false });
  });

  test.each([{ failRate: 1.1 }, { slowMs: -1 }, { slow: 5 }, []])("refuses %j", async (faults) => {
    const made = await quietShop("SS");
    expect((await break_(made, faults)).status).toBe(400);
    expect((await order(made)).orderId).toMatch(/^SS-/);
  });

  test("shows the counts, and is not to be reached by the shop's own port", async () => {
    const made = await quietShop("INV");
    await order(made);
    expect(await (await fetch(`${made.controlUrl}/orders`)).json()).toMatchObject({
      shop: "marketplace",
      orders: 1,
    });
    expect((await post(`${made.url}/faults`, { hang: true })).status).toBe(404);
    await order(made);
  });
});

test("closing cuts hanging requests and frees both ports", async () => {
  const made = await quietShop("SS");
  await post(`${made.controlUrl}/faults`, { hang: true });
  const hanging = expect(fetch(`${made.url}/cart/items`)).rejects.toThrow();
  await vi.waitFor(async () => {
    // The request is in once a second one on the same server has been held up too.
    await expect(fetch(`${made.url}/cart/items`, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
  });
  await made.close();
  await hanging;
  const again = await quietShop("SS", {
    port: Number(new URL(made.url).port),
    controlPort: Number(new URL(made.controlUrl).port),
  });
  await order(again);
});

test("a taken control port leaves nothing open", async () => {
  const first = await quietShop("SS");
  const controlPort = Number(new URL(first.controlUrl).port);
  const probe = await listen(() => undefined, "127.0.0.1", 0);
  await probe.close(0);
  const port = Number(new URL(probe.url).port);
  await expect(quietShop("INV", { port, controlPort })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});
