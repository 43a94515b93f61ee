/** The name server is silent for the name of one side (node#8436): the other side's requests do not notice. */
import { lookup as systemLookup } from "node:dns";
import { Agent, createServer, get } from "node:http";
import { expect, test } from "vitest";
import { createNames } from "../../../src/base/dial/names.ts";
import { portOf } from "../../../src/proxy/listen/server.ts";
import { type NameEntry, startNameServer } from "../../support/name-server.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";

const requests = 600;
const atOnce = 20;
/** More than libuv has threads. */
const hanging = 12;

test.each(engineNames)(
  "the new side's name hangs: none of legacy's requests fails, each on a connection of its own, with %s",
  async (engine) => {
    const nameServer = await startNameServer(
      new Map<string, NameEntry>([
        ["legacy.test", { addresses: ["127.0.0.1"], ttl: 1 }],
        ["new.test", "silent"],
      ]),
    );
    const shop = createServer((_, response) => response.setHeader("Connection", "close").end("ok"));
    await new Promise<void>((resolve) => shop.listen(0, "127.0.0.1", resolve));
    const port = portOf(shop.address());
    const proxy = await startProxy({
      engine,
      state: { percentThousandths: 50_000 },
      lookup: createNames({ servers: [nameServer.server], hostsFile: () => "", resolverFile: () => "" }),
      old: { url: `http://legacy.test:${port}` },
      fresh: { url: `http://new.test:${port}`, timeouts: { connect: "250ms" } },
    });
    const agent = new Agent({ keepAlive: true });
    const ask = (shopper: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { host: "shop.example", "x-shopper-id": shopper };
        const asked = get({ port: proxy.port, path: "/cart/1", headers, agent }, (response) => {
          response.resume().on("end", () => resolve(response.statusCode ?? 0));
        });
        asked.on("error", reject);
      });
    try {
      const sides = { legacy: "", new: "" };
      for (let i = 0; sides.legacy === "" || sides.new === ""; i++) {
        sides[(await ask(`s${i}`)) === 200 ? "legacy" : "new"] = `s${i}`;
      }
      let isOver = false;
      const statuses = new Map<number, number>();
      let slowest = 0;
      const hang = async () => {
        while (!isOver) expect(await ask(sides.new)).toBe(502);
      };
      const buy = async () => {
        for (let i = 0; i < requests / atOnce; i++) {
          const began = performance.now();
          const status = await ask(sides.legacy);
          slowest = Math.max(slowest, performance.now() - began);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      };
      const hung = Array.from({ length: hanging }, hang);
      await Promise.all(Array.from({ length: atOnce }, buy));
      // And whoever asks the system, Redis by name for one, finds its threads free.
      await new Promise((resolve) => systemLookup("localhost", resolve));
      isOver = true;
      await Promise.all(hung);
      expect(Object.fromEntries(statuses)).toEqual({ 200: requests });
      expect(slowest).toBeLessThan(2000);
      expect(proxy.counted.filter((what) => what.startsWith("legacy") && what !== "legacy ok")).toEqual([]);
    } finally {
      agent.destroy();
      await proxy.close();
      await nameServer.close();
      shop.closeAllConnections();
      await new Promise((resolve) => shop.close(resolve));
    }
  },
  60_000,
);

test.each(engineNames)(
  "a name that moves is followed by a connection that is never idle, with %s",
  async (engine) => {
    const table = new Map<string, NameEntry>([["shop.test", { addresses: ["127.0.0.1"], ttl: 1 }]]);
    const nameServer = await startNameServer(table);
    const [before, after] = [
      createServer((_, response) => response.end("before")),
      createServer((_, response) => response.end("after")),
    ];
    await new Promise<void>((resolve) => before.listen(0, "127.0.0.1", resolve));
    const port = portOf(before.address());
    await new Promise<void>((resolve) => after.listen(port, "127.0.0.2", resolve));
    let made = 0;
    before.on("connection", () => {
      made += 1;
    });
    const proxy = await startProxy({
      engine,
      lookup: createNames({ servers: [nameServer.server], hostsFile: () => "", resolverFile: () => "" }),
      old: { url: `http://shop.test:${port}`, connections: { maxAge: "400ms" } },
    });
    const ask = async () => (await fetch(`http://127.0.0.1:${proxy.port}/cart/1`)).text();
    try {
      expect(await ask()).toBe("before");
      expect(await ask()).toBe("before");
      expect(made).toBe(1);
      table.set("shop.test", { addresses: ["127.0.0.2"], ttl: 1 });
      const deadline = performance.now() + 10_000;
      let from = "before";
      while (from === "before" && performance.now() < deadline) from = await ask();
      expect(from).toBe("after");
      for (let i = 0; i < 20; i++) expect(await ask()).toBe("after");
      expect(proxy.counted.filter((what) => what !== "legacy ok")).toEqual([]);
    } finally {
      await proxy.close();
      await nameServer.close();
      for (const server of [before, after]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    }
  },
);
