/**
 * A shopper's app in front of a storefront of GraphQL (src/demo/storefronts): it keeps no cookies, has a bearer token that
 * the shop gives it and changes at a login, and says which app it is, in a field of its own or in front of that token.
 */
import { randomUUID } from "node:crypto";
import { type Dispatcher, request } from "undici";
import { z } from "zod";
import type { Passer } from "./storefronts.ts";

/** By what the configuration tells one app from another. */
export const appIdentities = {
  /** In every token of it. */
  token: "header:authorization#^Bearer ([\\w-]+)\\.",
  account: "header:x-account",
} as const;

export interface StorefrontApp extends Passer {
  /** The shopper, as the proxy knows it. */
  readonly id: string;
  readonly seen: string[];
  arrive(): Promise<void>;
  fill(): Promise<void>;
  /** Signs in: from the answer on it has another token. */
  login(): Promise<void>;
  /** Looks at its order, pays it, and asks for it by its code. */
  buy(): Promise<void>;
}

interface AppOptions {
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  readonly identity: keyof typeof appIdentities;
}

const answered = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.unknown().optional(),
});
const order = z.object({ code: z.string(), state: z.string(), totalQuantity: z.number() });

export function createStorefrontApp({ origin, dispatcher, identity }: AppOptions): StorefrontApp {
  const id = randomUUID();
  const seen: string[] = [];
  const troubles: string[] = [];
  let token = "0";
  let code = "";

  /** @returns what the one field of the document was answered with */
  async function ask(field: string, query: string): Promise<unknown> {
    const bearer = identity === "token" ? `${id}.${token}` : token;
    const answer = await request(`${origin}/shop-api`, {
      dispatcher,
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${bearer}`,
        ...(identity === "account" ? { "x-account": id } : {}),
      },
      body: JSON.stringify({ query }),
    });
    const text = await answer.body.text();
    const { "x-shop": shop, "x-auth-token": given } = answer.headers;
    if (typeof shop === "string") seen.push(shop);
    if (typeof given === "string") token = given;
    if (answer.statusCode !== 200) troubles.push(`${query}: ${answer.statusCode} ${text}`);
    const { data, errors } = answered.parse(answer.statusCode === 200 ? JSON.parse(text) : {});
    if (errors !== undefined) troubles.push(`${query}: ${JSON.stringify(errors)}`);
    return data?.[field];
  }
  async function askOrder(field: string, query: string) {
    const { success, data } = order.safeParse(await ask(field, query));
    if (!success) troubles.push(`${query}: no order`);
    return data;
  }

  return {
    id,
    seen,
    troubles,
    async arrive() {
      await ask("products", "{ products }");
    },
    async fill() {
      const filled = await askOrder(
        "addItemToOrder",
        `mutation { addItemToOrder(productId: "1", quantity: 1) { code state totalQuantity } }`,
      );
      code = filled?.code ?? "";
    },
    async login() {
      const before = token;
      await ask("login", `mutation { login(name: "${id}") { name } }`);
      if (token === before) troubles.push("the token is the same after the login");
    },
    async buy() {
      const active = await askOrder("activeOrder", "{ activeOrder { code state totalQuantity } }");
      if (active?.code !== code || active.totalQuantity !== 1) troubles.push("the cart is another");
      await askOrder(
        "addPaymentToOrder",
        `mutation { addPaymentToOrder(input: { method: "card" }) { code state totalQuantity } }`,
      );
      const paid = await askOrder(
        "orderByCode",
        `{ orderByCode(code: "${code}") { code state totalQuantity } }`,
      );
      if (paid?.state !== "paid") troubles.push(`the order is ${paid?.state}`);
    },
  };
}
