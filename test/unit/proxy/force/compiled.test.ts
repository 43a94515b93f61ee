import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { configSchema } from "../../../../src/config/schema.ts";
import { signForce } from "../../../../src/decide/force.ts";
import { compileForce } from "../../../../src/proxy/force/compiled.ts";
import { createForceCounts } from "../../../../src/proxy/force/metrics.ts";

const asked = { side: "new", digest: "0".repeat(64) } as const;

function compiled(force: Readonly<Record<string, unknown>> | undefined, keys: readonly string[] = ["k"]) {
  const cutover = {
    legacy: "old",
    new: "old",
    shopper: ["cookie:sid"],
    routes: [{ name: "a", path: "/a" }],
    force,
  };
  const config = configSchema.parse({
    upstreams: { old: { url: "http://127.0.0.1:1" } },
    default: "old",
    cutovers: { shop: cutover },
  });
  return config.cutovers.shop && compileForce(config.cutovers.shop, "shop", () => keys);
}

test("a cookie is the proxy's own by its signature, whether it still counts or not, and no other is", () => {
  expect(compiled(undefined)).toBeUndefined();
  expect(compiled({ header: "X-F", secrets: [asked.digest] })).toMatchObject({
    header: "x-f",
    cookie: undefined,
  });
  const force = { header: "X-F", secrets: [asked.digest], cookie: "t" };
  const signed = signForce("old key", "shop", asked, 1);
  expect(compiled(force, ["k", "old key"])?.cookie?.isOwn(signed)).toBe(true);
  expect(compiled(force)?.cookie?.isOwn(signed)).toBe(false);
  for (const other of [
    signForce("k", "another", asked, 1),
    signForce("k", "shop", asked, 1).slice(1),
    "",
    "new",
  ])
    expect(compiled(force)?.cookie?.isOwn(other)).toBe(false);
});

test("both counts are there at 0, by what the secret was said in", async () => {
  const registry = new Registry();
  const counts = createForceCounts(registry);
  counts.wrong("link");
  counts.ignored("header");
  const page = await registry.metrics();
  for (const line of [
    'cutover_force_wrong_secrets_total{form="header"} 0',
    'cutover_force_wrong_secrets_total{form="link"} 1',
    'cutover_force_ignored_total{form="header"} 1',
    'cutover_force_ignored_total{form="link"} 0',
  ])
    expect(page.split("\n")).toContain(line);
});
