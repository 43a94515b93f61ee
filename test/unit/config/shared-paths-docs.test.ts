/** The recipes of docs/shared-paths.md are configurations: they load, and lead requests as those shops send them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readConfig } from "../../../src/config/load/load.ts";
import { answer, createFixture } from "../../support/exchange-fixture.ts";
import { until } from "../../support/until.ts";

const text = readFileSync(new URL("../../../docs/shared-paths.md", import.meta.url), "utf8");
const head = [
  "upstreams:",
  '  social-shop: { url: "http://127.0.0.1:7001" }',
  '  marketplace: { url: "http://127.0.0.1:7002" }',
  "default: social-shop",
  "",
].join("\n");

function recipe(title: string): string {
  const section = text.slice(text.indexOf(`${title}\n`));
  const [, yaml] = /```yaml\n(cutovers:[\s\S]*?)```/.exec(section) ?? [];
  if (yaml === undefined) throw new Error(`no recipe of ${title}`);
  return yaml;
}

interface Asked {
  readonly method?: string;
  readonly target: string;
  readonly body?: string;
  readonly type?: string;
}

const post = (target: string, body = "", type = "application/x-www-form-urlencoded"): Asked => ({
  method: "POST",
  target,
  body,
  type,
});
const graphql = (query: string) => post("/shop-api", JSON.stringify({ query }), "application/json");

const recipes: readonly (readonly [string, readonly (readonly [Asked, string])[]])[] = [
  [
    "### Vendure",
    [
      [graphql("mutation Add { addItemToOrder(productVariantId: 1, quantity: 1) { __typename } }"), "cart"],
      [graphql("mutation { adjustOrderLine(orderLineId: 1, quantity: 2) { __typename } }"), "cart"],
      [graphql('mutation { addPaymentToOrder(input: { method: "x", metadata: {} }) { __typename } }'), "pay"],
      [graphql('query { orderByCode(code: "A7") { id } }'), "order"],
      [graphql("query { activeOrder { id } }"), "rest"],
    ],
  ],
  [
    "## WooCommerce",
    [
      [{ target: "/checkout/order-received/12/?key=wc_order_x" }, "pages"],
      [post("/?wc-ajax=add_to_cart", "product_id=7"), "cart"],
      [post("/?wc-ajax=update_order_review", "security=x"), "refresh"],
      [post("/?wc-ajax=checkout", "billing_first_name=A"), "pay"],
      [post("/?wc-ajax=get_refreshed_fragments"), "none"],
      [post("/?wc-api=WC_Gateway_Acme", "order_id=12"), "callback"],
      [{ target: "/" }, "none"],
    ],
  ],
  [
    "## OpenCart",
    [
      [post("/index.php?route=checkout/cart/add", "product_id=7"), "cart"],
      [post("/index.php?route=checkout/cart.add", "product_id=7"), "cart"],
      [{ target: "/index.php?route=checkout/cart" }, "cart"],
      [{ target: "/index.php?route=checkout%2Fcheckout" }, "checkout"],
      [{ target: "/index.php?route=extension/payment/cod/confirm" }, "pay"],
      [{ target: "/index.php?route=extension/opencart/payment/cod.confirm&language=en" }, "pay"],
      [{ target: "/index.php?route=checkout/success" }, "done"],
      [post("/index.php?route=checkout/shipping_method/save", "a=1"), "steps"],
      [{ target: "/index.php?route=product/product&product_id=7" }, "none"],
    ],
  ],
  [
    "## PrestaShop",
    [
      [post("/index.php?controller=cart", "add=1"), "cart"],
      [post("/index.php", "controller=cart&add=1"), "cart-form"],
      [post("/index.php", "controller=product"), "none"],
      [{ target: "/index.php?controller=order" }, "order"],
      [{ target: "/order" }, "order-page"],
      [post("/index.php?fc=module&module=ps_wirepayment&controller=validation"), "pay"],
      [post("/module/ps_checkout/validation"), "pay-module"],
      [{ target: "/index.php?controller=order-confirmation&id_cart=1&id_order=5&key=x" }, "done"],
      [{ target: "/index.php?controller=category&id_category=3" }, "none"],
    ],
  ],
];

describe.each(recipes)("%s", (title, requests) => {
  const yaml = recipe(title);

  test("loads without a warning but that the rest stays with legacy", () => {
    const loaded = readConfig(Buffer.from(head + yaml), "docs/shared-paths.md", {});
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    expect(loaded.warnings.map(({ path }) => path)).toEqual(["default"]);
    expect(loaded.config.cutovers.checkout?.routes.some(({ payment }) => payment)).toBe(true);
  });

  test.each(requests)("%j is on %s", async (asked, route) => {
    const { checkout } = parse(yaml).cutovers;
    const fixture = createFixture({ cutover: { ...checkout, legacy: "old", new: "fresh" } });
    const fields = ["Host", "shop.example", "Content-Type", asked.type ?? "text/plain"];
    const { method = "GET", target, body } = asked;
    fixture.send({ method, target, fields }, body);
    await until("it goes on", () => fixture.attempts.length + fixture.entries.length > 0);
    // A callback whose order nobody owns yet is answered 503.
    if (fixture.entries.length === 0) answer(fixture.attempts[0], 200, [], "ok");
    await until("it is over", () => fixture.entries.length > 0);
    expect(fixture.entries).toMatchObject([{ route }]);
  });
});

test("the metrics that the page names there are", () => {
  const source = readFileSync(new URL("../../../src/ownership/metrics.ts", import.meta.url), "utf8");
  const metrics = new Set(text.match(/\bcutover_[a-z_]+/g));
  expect(metrics.size).toBe(2);
  for (const name of metrics) expect(source, name).toContain(`"${name}"`);
});
