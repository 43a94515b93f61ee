/**
 * The shop of GraphQL: one page whose script asks, and `POST /shop-api` for all else, as Vendure and its kin have it. An
 * order has its code from the first thing that is put into it, and the payment does not name it: the session knows.
 */
import { buildSchema, graphql } from "graphql";
import * as z from "zod";
import { parseJson } from "../shops/http.ts";
import type { OrderItem } from "../shops/orders.ts";
import type { Counter, StorefrontPage, StorefrontRequest } from "./counter.ts";

const schema = buildSchema(`
  type Order { code: String!  state: String!  totalQuantity: Int! }
  type Account { name: String! }
  input PaymentInput { method: String! }
  type Query { activeOrder: Order  orderByCode(code: String!): Order  products: [String!]! }
  type Mutation {
    addItemToOrder(productId: ID!, quantity: Int!): Order!
    addPaymentToOrder(input: PaymentInput!): Order!
    login(name: String!): Account!
  }
`);
const asking = z.object({
  query: z.string().max(10_000),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});
const paths = { page: "/", api: "/shop-api" };

export async function answerGraphql(counter: Counter, asked: StorefrontRequest): Promise<StorefrontPage> {
  const { method, path, body } = asked;
  if (method === "GET" && path === paths.page) return page(counter);
  if (method !== "POST" || path !== paths.api) return { status: 404 };
  const request = parseJson(body, asking);
  if (request === undefined) return { status: 400 };
  const result = await graphql({
    schema,
    source: request.query,
    rootValue: rootOf(counter, asked),
    variableValues: request.variables ?? {},
    operationName: request.operationName ?? null,
  });
  // What could not be done is told with 200, as most servers do.
  return { status: 200, type: "application/json", body: `${JSON.stringify(result)}\n` };
}

function rootOf({ orders, sessions, count }: Counter, { session }: StorefrontRequest) {
  const quantityOf = (items: readonly OrderItem[]) => items.reduce((sum, { quantity }) => sum + quantity, 0);
  const told = (code: string) => {
    const order = orders.find(code);
    if (order === undefined) return null;
    return { code, state: order.status, totalQuantity: quantityOf(order.items) };
  };
  return {
    products: () => ["1", "2"],
    activeOrder: () => (session.orderId === undefined ? null : told(session.orderId)),
    orderByCode: ({ code }: { readonly code: string }) => told(code),
    addItemToOrder({ productId, quantity }: { readonly productId: string; readonly quantity: number }) {
      session.cart.push({ sku: productId, quantity });
      session.orderId = orders.put(session.orderId, session.cart).orderId;
      return told(session.orderId);
    },
    addPaymentToOrder() {
      const { orderId } = session;
      if (orderId === undefined) {
        count("emptyCheckouts");
        throw new Error("there is no active order");
      }
      orders.pay(orderId, undefined);
      orders.confirm(orderId);
      session.cart = [];
      session.orderId = undefined;
      return told(orderId);
    },
    login({ name }: { readonly name: string }) {
      session.account = name;
      sessions.renew(session);
      return { name };
    },
  };
}

function page(counter: Counter): StorefrontPage {
  counter.count("pages");
  const assets = `/assets/${counter.release}/app`;
  const head = `<meta charset="utf-8"><title>${counter.name}</title><link rel="icon" href="data:,">`;
  const links = `<link rel="stylesheet" href="${assets}.css"><script src="${assets}.js" defer></script>`;
  const content = `<p id="shop">${counter.name}</p><button id="add">Into the cart</button><p id="cart"></p>
<button id="pay">Pay</button><p id="order"></p>`;
  return {
    status: 200,
    type: "text/html",
    body: `<!doctype html><html lang="en"><head>${head}${links}</head><body>${content}</body></html>\n`,
  };
}
