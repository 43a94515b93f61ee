/**
 * A shop as shops are, for trying a split on what really comes: pages with styles and scripts whose names change with each
 * release, sessions that are renewed when they are unknown (sessions.ts), a host, a path and a form of order numbers of its
 * own, addresses in `Location` that name the shop itself and not who stands before it. It speaks one of two ways:
 *
 *   forms     one path for all, told apart by `?route=`; forms are posted, and a bank posts the payment back (forms.ts)
 *   graphql   one path for all, told apart by what the document asks for; a page whose script asks (graphql.ts)
 *
 * What must not happen behind a proxy that keeps a shopper on one side is counted (`StorefrontCounts`).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Listener, listen, readBody } from "../shops/http.ts";
import { createOrderNumbers, type OrderFormat } from "../shops/order-numbers.ts";
import { createOrderBook } from "../shops/orders.ts";
import type { Counter, StorefrontPage } from "./counter.ts";
import { answerForms } from "./forms.ts";
import { answerGraphql } from "./graphql.ts";
import { createSessions } from "./sessions.ts";

export const dialects = ["forms", "graphql"] as const;

export interface StorefrontOptions {
  readonly name: string;
  readonly dialect: (typeof dialects)[number];
  /** Part of the names of its styles and scripts; no other release has them. */
  readonly release: string;
  /** In front of all of its own paths, `` or `/store`; its pages link to paths without it. */
  readonly base: string;
  readonly orderFormat: OrderFormat;
  /** Where shoppers pay, as their browsers know it; only the forms send them there. */
  readonly bankUrl?: string;
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
}

interface StorefrontCounts {
  /** Pages given, and the styles and scripts of this release. */
  readonly pages: number;
  readonly assets: number;
  /** Styles and scripts asked for that another release has. */
  readonly strangeAssets: number;
  /** Checkouts without anything in the cart: it was left in another session. */
  readonly emptyCheckouts: number;
  readonly orders: number;
  readonly paid: number;
  readonly paidTwice: number;
  /** Payments and confirmations of orders that this shop never gave out. */
  readonly unknownOrders: number;
}

export interface Storefront {
  readonly name: string;
  readonly url: string;
  counts(): StorefrontCounts;
  close(): Promise<void>;
}

const cookie = "sid";
const graceMs = 1000;
const mostKept = 20_000;

/** @throws the error of listen when the port is taken */
export async function createStorefront(options: StorefrontOptions): Promise<Storefront> {
  const { name, dialect, release, base, bankUrl = "" } = options;
  const own = { pages: 0, assets: 0, strangeAssets: 0, emptyCheckouts: 0 };
  const counter: Counter = {
    name,
    release,
    bankUrl,
    sessions: createSessions(cookie, mostKept),
    orders: createOrderBook(createOrderNumbers(options.orderFormat, Date.now), mostKept),
    count(kind) {
      own[kind] += 1;
    },
  };
  const answer = dialect === "forms" ? answerForms : answerGraphql;

  function assetOf(path: string): StorefrontPage | undefined {
    const asset = /^\/assets\/([\w-]+)\/app\.(css|js)$/.exec(path);
    if (asset === null) return undefined;
    if (asset[1] !== release) {
      own.strangeAssets += 1;
      return { status: 404 };
    }
    own.assets += 1;
    return asset[2] === "css"
      ? { status: 200, type: "text/css", body: "body { font-family: sans-serif; margin: 1rem }\n" }
      : { status: 200, type: "text/javascript", body: dialect === "forms" ? "" : script };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const target = new URL(request.url ?? "/", "http://shop");
    if (body === undefined || !target.pathname.startsWith(base)) {
      send(response, { status: body === undefined ? 413 : 404 }, {});
      return;
    }
    const path = target.pathname.slice(base.length) || "/";
    const asset = assetOf(path);
    if (asset !== undefined) {
      send(response, asset, { "cache-control": "public, max-age=31536000, immutable", "x-shop": name });
      return;
    }
    const { session, isNew } = counter.sessions.of(request);
    const before = session.id;
    const page = await answer(counter, {
      method: request.method ?? "",
      path,
      query: target.searchParams,
      body,
      session,
    });
    const scheme = request.headers["x-forwarded-proto"] === "https" ? "https" : "http";
    const at = `${scheme}://${request.headers.host ?? ""}${base}`;
    send(response, page, {
      "cache-control": "no-store",
      "x-shop": name,
      ...(page.location === undefined ? {} : { location: `${at}${page.location}` }),
      ...(isNew || session.id !== before
        ? {
            "set-cookie": `${cookie}=${session.id}; Path=${base === "" ? "/" : base}; HttpOnly; SameSite=Lax`,
            // For apps, which keep no cookies.
            "x-auth-token": session.id,
          }
        : {}),
    });
  }

  const listener: Listener = await listen(
    // A client that leaves in mid-request needs no answer.
    (request, response) => void handle(request, response).catch(() => response.destroy()),
    options.host ?? "127.0.0.1",
    options.port,
  );
  return {
    name,
    url: listener.url,
    counts() {
      const { orders, paid, paidTwice, unknownOrder } = counter.orders.summary();
      return { ...own, orders, paid, paidTwice, unknownOrders: unknownOrder };
    },
    close: () => listener.close(graceMs),
  };
}

function send(
  response: ServerResponse,
  { status, type, body = "" }: StorefrontPage,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    ...(type === undefined ? {} : { "content-type": `${type}; charset=utf-8` }),
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  });
  response.end(body);
}

/** What the page of the other way of speaking runs: it asks, and shows what was answered. */
const script = `const ask = async (query) => {
  const answer = await fetch("/shop-api", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  return (await answer.json()).data;
};
const show = (name, text) => {
  document.querySelector("#" + name).textContent = text;
};
document.addEventListener("click", async ({ target }) => {
  if (target.id === "add") {
    const { addItemToOrder } = await ask('mutation { addItemToOrder(productId: "1", quantity: 1) { code totalQuantity } }');
    show("cart", addItemToOrder.totalQuantity + " in the cart");
  } else if (target.id === "pay") {
    const { addPaymentToOrder } = await ask('mutation { addPaymentToOrder(input: { method: "card" }) { code state } }');
    const { orderByCode } = await ask('{ orderByCode(code: "' + addPaymentToOrder.code + '") { code state } }');
    show("order", orderByCode.code + " " + orderByCode.state);
  }
});
`;
