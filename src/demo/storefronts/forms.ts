/**
 * The shop of forms: `/?route=…` is every page and every form, as OpenCart and its kin have it.
 *
 *   GET  common/home              what there is, and a form that puts it into the cart
 *   POST checkout/cart.add        product_id, quantity → 303 checkout/cart
 *   GET  checkout/cart            the cart, and a form that orders
 *   POST checkout/confirm         makes the order → 303 payment/start&order_id=
 *   GET  payment/start            a form that goes to the bank, elsewhere
 *   POST payment/return           order_id: from the bank, by the shopper's browser → 303 checkout/success
 *   GET  checkout/success         the confirmation
 *   POST account/login            account → 303 account/home, the session renewed
 *   GET  account/home
 */
import type { Counter, StorefrontPage, StorefrontRequest } from "./counter.ts";

export async function answerForms(counter: Counter, asked: StorefrontRequest): Promise<StorefrontPage> {
  const { method, path, query, session } = asked;
  if (path !== "/") return { status: 404 };
  const form = new URLSearchParams(method === "POST" ? asked.body.toString("utf8") : "");
  switch (`${method} ${query.get("route") ?? "common/home"}`) {
    case "GET common/home":
      return page(counter, "Welcome", [
        `<form method="post" action="/?route=checkout/cart.add"><input type="hidden" name="product_id" value="1">`,
        `<input name="quantity" value="1" aria-label="How many"><button id="add">Into the cart</button></form>`,
      ]);
    case "POST checkout/cart.add": {
      const quantity = Number(form.get("quantity"));
      const sku = form.get("product_id") ?? "";
      if (sku === "" || !(quantity >= 1 && quantity <= 99)) return { status: 400 };
      session.cart.push({ sku, quantity });
      return { status: 303, location: "/?route=checkout/cart" };
    }
    case "GET checkout/cart": {
      const count = session.cart.reduce((sum, { quantity }) => sum + quantity, 0);
      return page(counter, "Your cart", [
        `<p id="cart">${count} in the cart</p>`,
        `<form method="post" action="/?route=checkout/confirm"><button id="order">Order</button></form>`,
      ]);
    }
    case "POST checkout/confirm":
      return confirm(counter, asked);
    case "GET payment/start":
      return toBank(counter, query.get("order_id") ?? "");
    case "POST payment/return": {
      const orderId = form.get("order_id") ?? "";
      const paid = counter.orders.pay(orderId, undefined);
      if (paid.kind !== "charged" || counter.orders.confirm(orderId) !== "paid") return { status: 404 };
      return { status: 303, location: `/?route=checkout/success&order_id=${orderId}` };
    }
    case "GET checkout/success": {
      const order = counter.orders.find(query.get("order_id") ?? "");
      if (order === undefined) return { status: 404 };
      return page(counter, "Thank you", [`<p id="order">${order.orderId} ${order.status}</p>`]);
    }
    case "POST account/login":
      session.account = form.get("account") ?? undefined;
      counter.sessions.renew(session);
      return { status: 303, location: "/?route=account/home" };
    case "GET account/home":
      return page(counter, "Your account", [`<p id="account">${session.account ?? "nobody"}</p>`]);
    default:
      return { status: 404 };
  }
}

function confirm(counter: Counter, { session }: StorefrontRequest): StorefrontPage {
  if (session.cart.length === 0) {
    counter.count("emptyCheckouts");
    return { status: 409 };
  }
  const { orderId } = counter.orders.create(session.cart);
  session.cart = [];
  return { status: 303, location: `/?route=payment/start&order_id=${orderId}` };
}

function toBank(counter: Counter, orderId: string): StorefrontPage {
  if (counter.orders.find(orderId) === undefined) return { status: 404 };
  return page(counter, "To your bank", [
    `<form method="post" action="${counter.bankUrl}/pay">`,
    `<input type="hidden" name="order_id" value="${orderId}"><button id="bank">To the bank</button></form>`,
  ]);
}

function page(counter: Counter, title: string, content: readonly string[]): StorefrontPage {
  counter.count("pages");
  const assets = `/assets/${counter.release}/app`;
  const head = `<meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,">`;
  const links = `<link rel="stylesheet" href="${assets}.css"><script src="${assets}.js" defer></script>`;
  const body = `<h1>${title}</h1><p id="shop">${counter.name}</p>\n${content.join("\n")}`;
  return {
    status: 200,
    type: "text/html",
    body: `<!doctype html><html lang="en"><head>${head}${links}</head><body>${body}</body></html>\n`,
  };
}
