import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { loadConfig, readConfig } from "../../../src/config/load/load.ts";
import type { Config } from "../../../src/config/schema.ts";
import { type Demo, type DemoOptions, runDemo } from "../../../src/demo/demo.ts";
import { demoOf } from "../../../src/demo/kinds.ts";
import { anomaliesOf } from "../../../src/demo/shoppers/tally.ts";
import { listen } from "../../../src/demo/shops/http.ts";
import { freePort } from "../../support/free-port.ts";
import { startRelay } from "../../support/relay.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** @param port 0: any free one, so that no test needs a fixed port */
function configOf(port: number): Config {
  const text = `
upstreams:
  social-shop: { url: "http://127.0.0.1:${port}" }
  marketplace: { url: "http://127.0.0.1:0" }
default: social-shop
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ["header:x-shopper-id"]
    routes: [{ name: cart, path: "/cart/*" }]
`;
  const read = readConfig(Buffer.from(text), "demo.yaml", {});
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.config;
}

/** Runs the demo with a relay in the proxy's place: a third of the orders are made in the new shop. */
async function demo(more: Partial<DemoOptions> = {}) {
  const directory = await mkdtemp(join(tmpdir(), "demo-"));
  closers.push(() => rm(directory, { recursive: true }));
  const logPath = join(directory, "var", "demo.log");
  const printed: string[] = [];
  let running: Demo | undefined;
  let closed = 0;

  const isNew = (path: string, shopper: string) =>
    path.startsWith("/orders/") ? path.includes("/INV-") : shopper.charCodeAt(8) % 3 === 0;
  const startInstance: DemoOptions["startInstance"] = async (_, options) => {
    expect(options.logPath).toBe(logPath);
    const relay = await startRelay((request) => {
      const wantsNew =
        request.url === "/callbacks/payment"
          ? turn() // A relay that knows no owner: some callbacks meet the wrong shop.
          : isNew(request.url ?? "", String(request.headers["x-shopper-id"]));
      return (wantsNew ? running?.new.url : running?.legacy.url) ?? "http://127.0.0.1:9/";
    });
    return {
      proxy: { url: relay.url },
      admin: { url: "http://127.0.0.1:9901" },
      close: async () => {
        closed += 1;
        await relay.close();
      },
    };
  };
  let calls = 0;
  const turn = () => {
    calls += 1;
    return calls % 2 === 0;
  };

  const start = () =>
    runDemo({
      config: configOf(0),
      startInstance,
      print: (text) => printed.push(text),
      logPath,
      shoppers: { rate: 100, seed: 4, habits: { thinkMs: [0, 2] } },
      shops: { callbackDelayMs: 1, controlPorts: "any" },
      summaryEveryMs: 50,
      ...more,
    });
  return {
    printed,
    logPath,
    closed: () => closed,
    start: async () => {
      running = await start();
      closers.push(running.stop);
      return running;
    },
  };
}

describe("the demonstration", () => {
  test("finds the package's own configuration, and two shops in it", async () => {
    const loaded = await loadConfig(demoOf("sample").path, {});
    expect(loaded.ok && Object.keys(loaded.config.upstreams)).toEqual(["social-shop", "marketplace"]);
  });

  test("prints where everything is and three commands to try", async () => {
    const { printed, start, logPath } = await demo();
    const running = await start();
    const [greeting = ""] = printed;
    for (const place of [
      running.proxyUrl,
      `${running.adminUrl}/metrics`,
      running.legacy.url,
      `${running.legacy.controlUrl}/faults`,
      running.new.url,
      `${running.new.controlUrl}/faults`,
      logPath,
    ]) {
      expect(greeting).toContain(place);
    }
    expect(greeting).toMatch(
      / 1 {2}CUTOVER_ADMIN_URL=http:\/\/127.0.0.1:9901 npx cutover set checkout 25 --reason "first step"\n/,
    );
    expect(greeting).toMatch(/ 3 {2}CUTOVER_ADMIN_URL=\S+ npx cutover rollback checkout\n/);
    expect((await stat(join(logPath, ".."))).isDirectory()).toBe(true);
  });

  test("prints a command that breaks the new shop as it stands", async () => {
    const { printed, start } = await demo();
    const running = await start();
    const [, url = "", body = ""] = /curl -X POST (\S+) -d '(.+)'/.exec(printed[0] ?? "") ?? [];
    // As curl sends -d.
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
    expect(await (await fetch(`${running.new.controlUrl}/faults`)).json()).toMatchObject({ failRate: 0.5 });
  });

  test("says from time to time what the shoppers saw, anomalies by their kind", async () => {
    const { printed, start } = await demo();
    const running = await start();
    await vi.waitFor(() => expect(printed.at(-1)).toMatch(/\d+ orders unknown to the shop/), {
      timeout: 10_000,
    });
    expect(printed.at(-1)).toMatch(
      /^\d\d:\d\d:\d\d {2}orders: \d+ social-shop, \d+ marketplace.* · \d+ paid · \d+ requests failed · anomalies since the start: /,
    );
    expect(anomaliesOf(running.shoppers.tally())).toBe(0);
  });

  test("stops everything, once, and says no more", async () => {
    const { printed, start, closed } = await demo();
    const running = await start();
    await vi.waitFor(() => expect(running.shoppers.tally().visits.paid).toBeGreaterThan(3), {
      timeout: 10_000,
    });
    await Promise.all([running.stop(), running.stop()]);
    expect(closed()).toBe(1);
    for (const { url, controlUrl } of [running.legacy, running.new]) {
      await expect(fetch(url)).rejects.toThrow();
      await expect(fetch(controlUrl)).rejects.toThrow();
    }
    expect(running.shoppers.underWay()).toBe(0);
    const lines = printed.length;
    const tally = running.shoppers.tally();
    // Time enough to say more: another demo, as talkative, has said something three times.
    const other = await demo();
    await other.start();
    await vi.waitFor(() => expect(other.printed.length).toBeGreaterThan(3), { timeout: 10_000 });
    expect(printed).toHaveLength(lines);
    expect(running.shoppers.tally()).toEqual(tally);
  });

  test("says which port is taken, and closes what it had started", async () => {
    const port = await freePort();
    const other = await listen(() => undefined, "127.0.0.1", port);
    closers.push(() => other.close(0));
    const { printed, start, closed } = await demo({ config: configOf(port) });
    await expect(start()).rejects.toThrow(`port ${port} is taken by another program`);
    expect(closed()).toBe(1);
    expect(printed).toEqual([]);
  });

  test("passes on why the proxy could not start", async () => {
    const { start } = await demo({
      startInstance: async () => {
        throw new Error("no store");
      },
    });
    await expect(start()).rejects.toThrow("no store");
  });

  test("refuses a configuration without a cutover", async () => {
    const { start } = await demo({ config: { ...configOf(0), cutovers: {} } });
    await expect(start()).rejects.toThrow("no cutover to demonstrate");
  });
});
