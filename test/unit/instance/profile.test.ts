import { hostname } from "node:os";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createProfile } from "../../../src/instance/profile.ts";
import { addProfileMetrics } from "../../../src/telemetry/profile-metrics.ts";
import { createManualTime } from "../../support/manual-time.ts";
import { configOf, least } from "../config/support.ts";

function profileOf(text: string) {
  const time = createManualTime();
  const world = { config: configOf(text), phase: "ready" as "ready" | "draining" };
  const profile = createProfile(world, time);
  return { profile, time, world };
}

test("an instance without a name is found by host and port, the port as it was picked", () => {
  const { profile } = profileOf(`listeners: { proxy: { port: 0 }, admin: { host: 0.0.0.0, port: 0 } }
auth: { tokens: [{ name: a, role: viewer, sha256: ${"a".repeat(64)} }] }
${least}`);
  profile.listens({ proxyPort: 18_080 });
  profile.listens({ adminPort: 19_900 });
  expect(profile.read()).toMatchObject({
    name: `${hostname()}:18080`,
    address: `${hostname()}:19900`,
    pid: process.pid,
  });
});

test("a name is the configuration's, of now; a phase is told while it does not serve", () => {
  const { profile, world } = profileOf(`instance: { name: shop-1 }\n${least}`);
  expect(profile.read()).toMatchObject({ name: "shop-1", address: "127.0.0.1:9900" });
  expect(profile.read()).not.toHaveProperty("phase");
  world.config = configOf(`instance: { name: shop-2 }\n${least}`);
  world.phase = "draining";
  expect(profile.read()).toMatchObject({ name: "shop-2", phase: "draining" });
});

test("a reload that is refused keeps hash and time, and is told until one is taken", async () => {
  const { profile, time, world } = profileOf(least);
  const before = profile.read().config;
  await time.advance(5000);
  profile.reread(false);
  expect(profile.read().config).toEqual({ ...before, refusedAt: new Date(time.now()).toISOString() });
  const registry = new Registry();
  addProfileMetrics(registry, "1f0c", profile.read);
  const page = await registry.metrics();
  expect(page).toContain(
    `cutover_instance_info{instance_id="1f0c",name="${hostname()}:8080",address="127.0.0.1:9900",pid="${process.pid}"} 1`,
  );
  expect(page).toContain(`cutover_config_hash ${Number.parseInt(before?.hash ?? "", 16)}\n`);
  expect(page).toContain("cutover_config_reload_success 0\n");
  expect(page).toContain(
    `cutover_config_reload_timestamp_seconds ${Date.parse(before?.loadedAt ?? "") / 1000}\n`,
  );

  world.config = configOf(`staleAfter: 31s\n${least}`);
  profile.reread(true);
  expect(profile.read().config).not.toHaveProperty("refusedAt");
  expect(profile.read().config?.hash).not.toBe(before?.hash);
  expect(await registry.metrics()).toContain("cutover_config_reload_success 1\n");
});
