/**
 * A shopper with a browser in front of a storefront: it keeps its cookies, opens pages with their styles and scripts, fills
 * a cart, orders and pays. What it saw is kept, so that who looks on can say whether it changed shops, and when.
 */
import { createBrowserJar, type Fetched } from "./browser-jar.ts";

/** A stretch of a shopper's way, in the order in which people go it. */
type Stretch = "arrive" | "fill" | "order" | "pay" | "confirm";
export const stretches: readonly Stretch[] = ["arrive", "fill", "order", "pay", "confirm"];

export interface StorefrontShopper {
  /** The shops that answered it, one of each after another, styles and scripts included. */
  readonly seen: readonly string[];
  /** What went wrong, in words; empty: nothing. */
  readonly troubles: readonly string[];
  /** The name that the proxy has given its browser. */
  visitor(): string | undefined;
  /** The order, from `order` on. */
  orderId(): string | undefined;
  /** Goes the stretch. */
  go(stretch: Stretch): Promise<void>;
  /** Signs in under a name. */
  login(account: string): Promise<void>;
}

interface ShopperOptions {
  /** http://HOST:PORT of the proxy. */
  readonly origin: string;
  readonly dialect: "forms" | "graphql";
}

export function createStorefrontShopper({ origin, dialect }: ShopperOptions): StorefrontShopper {
  const jar = createBrowserJar();
  const seen: string[] = [];
  const troubles: string[] = [];
  let orderId: string | undefined;

  function note(visit: Fetched, what: string): Fetched {
    const shop = visit.headers.get("x-shop");
    if (shop !== null) seen.push(shop);
    if (visit.status >= 400) troubles.push(`${what}: ${visit.status}`);
    if (!visit.url.startsWith(`${origin}/`)) troubles.push(`${what}: left for ${visit.url}`);
    return visit;
  }

  /** Opens a page, or sends a form, with all that the page names. */
  async function open(path: string, form?: Record<string, string>): Promise<Fetched> {
    const target = `${origin}${path}`;
    const visit = note(await jar.visit(target, form === undefined ? {} : { form }), path);
    for (const [, asset = ""] of visit.text.matchAll(/"(\/assets\/[^"]+)"/g)) {
      note(await jar.request(`${origin}${asset}`, { headers: { "sec-fetch-mode": "no-cors" } }), asset);
    }
    return visit;
  }

  async function ask(query: string): Promise<Record<string, { readonly code: string } | null>> {
    const visit = note(
      await jar.request(`${origin}/shop-api`, {
        method: "POST",
        headers: { "content-type": "application/json", "sec-fetch-mode": "cors", origin },
        body: JSON.stringify({ query }),
      }),
      query,
    );
    const { data, errors } = visit.status === 200 ? JSON.parse(visit.text) : { data: null, errors: [] };
    if (errors !== undefined) troubles.push(`${query}: ${JSON.stringify(errors)}`);
    return data ?? {};
  }

  const ways: Readonly<Record<typeof dialect, Readonly<Record<Stretch, () => Promise<unknown>>>>> = {
    forms: {
      arrive: () => open("/"),
      fill: () => open("/?route=checkout/cart.add", { product_id: "1", quantity: "1" }),
      async order() {
        const { url } = await open("/?route=checkout/confirm", {});
        orderId = new URL(url).searchParams.get("order_id") ?? undefined;
      },
      pay: () => open("/?route=payment/return", { order_id: orderId ?? "" }),
      confirm: () => open(`/?route=checkout/success&order_id=${orderId ?? ""}`),
    },
    graphql: {
      arrive: () => open("/"),
      async fill() {
        const { addItemToOrder } = await ask(
          `mutation { addItemToOrder(productId: "1", quantity: 1) { code } }`,
        );
        orderId = addItemToOrder?.code;
      },
      order: () => ask("{ activeOrder { code totalQuantity } }"),
      pay: () => ask(`mutation { addPaymentToOrder(input: { method: "card" }) { code state } }`),
      async confirm() {
        const { orderByCode } = await ask(`{ orderByCode(code: "${orderId ?? ""}") { code state } }`);
        if (orderByCode === null) troubles.push("the order is not known");
      },
    },
  };

  return {
    seen,
    troubles,
    visitor: () => jar.all().find(({ name }) => name === "cutover_visitor")?.value,
    orderId: () => orderId,
    async go(stretch) {
      await ways[dialect][stretch]();
    },
    async login(account) {
      if (dialect === "forms") await open("/?route=account/login", { account });
      else await ask(`mutation { login(name: "${account}") { name } }`);
    },
  };
}
