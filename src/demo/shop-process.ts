/**
 * One sample shop as a process, for docker-compose: `node dist/demo/shop-process.js` with
 *
 *   NAME           social-shop
 *   ORDER_FORMAT   SS | INV
 *   PORT, HOST     7001, 127.0.0.1
 *   CONTROL_PORT, CONTROL_HOST   7101, 127.0.0.1: the shop can be broken from there
 *   CALLBACK_URL   http://127.0.0.1:8080/callbacks/payment: through the proxy
 *   CALLBACK_DELAY_MS   2000
 *
 * Says `{"msg":"ready","shop":…,"url":…,"control":…}` once it listens.
 */
import * as z from "zod";
import { orderFormats } from "./shops/order-numbers.ts";
import { createShop } from "./shops/shop.ts";
import { untilSignal } from "./until-signal.ts";

const environment = z.object({
  NAME: z.string().min(1),
  ORDER_FORMAT: z.enum(orderFormats),
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65_535),
  CONTROL_HOST: z.string().min(1).default("127.0.0.1"),
  CONTROL_PORT: z.coerce.number().int().min(0).max(65_535),
  CALLBACK_URL: z.url({ protocol: /^http$/ }),
  CALLBACK_DELAY_MS: z.coerce.number().int().min(0).default(2000),
});

await untilSignal(async () => {
  const read = environment.safeParse(process.env);
  if (!read.success) throw new Error(`environment: ${z.prettifyError(read.error)}`);
  const { data } = read;
  const shop = await createShop({
    name: data.NAME,
    orderFormat: data.ORDER_FORMAT,
    host: data.HOST,
    port: data.PORT,
    controlHost: data.CONTROL_HOST,
    controlPort: data.CONTROL_PORT,
    provider: { callbackUrl: data.CALLBACK_URL, delayMs: data.CALLBACK_DELAY_MS },
  });
  const ready = { msg: "ready", shop: shop.name, url: shop.url, control: shop.controlUrl };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  return shop;
});
