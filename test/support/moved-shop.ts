/**
 * Shoppers of a shop that is served by several instances, and what they hold: journeys in cookies and in the store, orders,
 * idempotency keys. What the upstreams saw tells whether all of it is where it began.
 */
import { createHash } from "node:crypto";
import { request } from "undici";
import { z } from "zod";
import type { Side } from "../../src/state/rules/model.ts";

const lasting = "3650d";
/** Lines of the cutover: all that is bound lives for ten years, so that what was recorded once can be read. */
export const shopLines = [
  "shopper: ['header:x-shopper-id', 'cookie:sid']",
  "routes:",
  "  - { name: cart, path: '/cart/*' }",
  "  - { name: checkout, path: '/checkout', methods: [POST], journey: start }",
  "  - { name: callback, path: '/callbacks/payment', methods: [POST], unknown: retry }",
  `journey: { ttl: ${lasting}, maxTtl: ${lasting} }`,
  "owners:",
  `  - { key: 'header:idempotency-key', ttl: ${lasting} }`,
  `  - { key: 'json:/order_id', learn: ['json:/orderId'], ttl: ${lasting} }`,
];

const held = z.object({
  shopper: z.string(),
  /** The journey's cookie; absent for an app, whose journey is in the store. */
  cookie: z.string().optional(),
  key: z.string(),
  order: z.string(),
  side: z.enum(["legacy", "new"]),
});
/** A checkout under way. */
export type Held = z.output<typeof held>;
export const heldList = z.array(held);

interface Said {
  readonly status: number;
  readonly side: Side | undefined;
  readonly cookie: string | undefined;
  readonly body: string;
}

async function say(
  proxy: string,
  method: "GET" | "POST",
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Said> {
  const answer = await request(`${proxy}${path}`, { method, headers, ...(body !== undefined && { body }) });
  const cookies = [answer.headers["set-cookie"] ?? []].flat();
  const side = answer.headers["x-side"];
  return {
    status: answer.statusCode,
    side: side === "new" || side === "legacy" ? side : undefined,
    cookie: cookies.find((text) => text.startsWith("cutover_journey="))?.split(";")[0],
    body: await answer.body.text(),
  };
}

const fieldsOf = ({ shopper, cookie }: Pick<Held, "shopper" | "cookie">): Record<string, string> =>
  cookie === undefined ? { "x-shopper-id": shopper } : { cookie: `sid=${shopper}; ${cookie}` };

/** @param isApp whether its client keeps no cookies */
export async function beginCheckout(proxy: string, shopper: string, isApp: boolean): Promise<Held> {
  const key = `K-${shopper}`;
  const who: Record<string, string> = isApp ? { "x-shopper-id": shopper } : { cookie: `sid=${shopper}` };
  const said = await say(proxy, "POST", "/checkout", { ...who, "idempotency-key": key }, "{}");
  const { orderId: order } = z.object({ orderId: z.string() }).parse(JSON.parse(said.body));
  if (said.side === undefined || (!isApp && said.cookie === undefined)) throw new Error("no checkout began");
  return { shopper, key, order, side: said.side, ...(!isApp && { cookie: said.cookie }) };
}

/** Goes on with a checkout by one of the instances. @returns what went astray, in words */
export async function goOn(proxy: string, of: Held): Promise<readonly string[]> {
  const body = JSON.stringify({ order_id: of.order });
  const sha = createHash("sha256").update(body).digest("hex");
  const said = {
    cart: await say(proxy, "GET", "/cart/1", fieldsOf(of)),
    // Tried again, perhaps from another device: the key alone tells.
    retry: await say(
      proxy,
      "POST",
      "/checkout",
      { "x-shopper-id": "elsewhere", "idempotency-key": of.key },
      "{}",
    ),
    callback: await say(proxy, "POST", "/callbacks/payment", { "x-body-sha256": sha }, body),
  };
  return Object.entries(said).flatMap(([what, { side, status }]) =>
    side === of.side ? [] : [`${what} of ${of.shopper} on ${of.side}: ${side ?? status}`],
  );
}
