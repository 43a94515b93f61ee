/** Names of hosts as getaddrinfo knows them, asked of a name server that may be silent. */
import type { LookupFunction } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createNames } from "../../../../src/base/dial/names.ts";
import { startNameServer } from "../../../support/name-server.ts";
import { until } from "../../../support/until.ts";

let nameServer: Awaited<ReturnType<typeof startNameServer>>;
const table: Parameters<typeof startNameServer>[0] = new Map();
const time = { ms: 0 };

beforeEach(async () => {
  table.clear();
  time.ms = 0;
  nameServer = await startNameServer(table);
});
afterEach(() => nameServer.close());

const names = (hosts = "", conf = ""): LookupFunction =>
  createNames({
    servers: [nameServer.server],
    hostsFile: () => hosts,
    resolverFile: () => conf,
    now: () => time.ms + performance.now(),
  });

function ask(lookup: LookupFunction, name: string): Promise<string> {
  return new Promise((resolve) => {
    lookup(name, { all: true }, (error, found) => {
      if (error !== null) resolve(`${error.code}`);
      else resolve(Array.isArray(found) ? found.map(({ address }) => address).join(" ") : found);
    });
  });
}

test("a name that is silent holds up no other", async () => {
  table.set("new.test", "silent").set("legacy.test", { addresses: ["127.0.0.1"] });
  const lookup = names();
  for (let i = 0; i < 50; i++) void ask(lookup, "new.test");
  const began = performance.now();
  expect(await ask(lookup, "legacy.test")).toBe("127.0.0.1");
  expect(performance.now() - began).toBeLessThan(500);
  expect(nameServer.asked.filter((name) => name === "new.test")).toHaveLength(1);
});

test("one lookup at a time a name, and none while its answer is in force", async () => {
  table.set("shop.test", { addresses: ["127.0.0.1", "127.0.0.2"], ttl: 5 });
  const lookup = names();
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(lookup, "shop.test")));
  expect(new Set(all)).toEqual(new Set(["127.0.0.1 127.0.0.2"]));
  time.ms = 4900;
  await ask(lookup, "SHOP.test");
  expect(nameServer.asked).toEqual(["shop.test"]);
});

test("a name that moves is followed when its time to live is over, 30 s at most", async () => {
  table.set("short.test", { addresses: ["127.0.0.1"], ttl: 2 });
  table.set("long.test", { addresses: ["127.0.0.1"], ttl: 86_400 });
  const lookup = names();
  for (const name of ["short.test", "long.test"]) {
    expect(await ask(lookup, name)).toBe("127.0.0.1");
    table.set(name, { addresses: ["127.0.0.2"] });
  }
  time.ms = 3000;
  expect(await ask(lookup, "short.test")).toBe("127.0.0.2");
  expect(await ask(lookup, "long.test")).toBe("127.0.0.1");
  time.ms = 31_000;
  expect(await ask(lookup, "long.test")).toBe("127.0.0.2");
});

test.each(["silent", "trouble"] as const)("the last answer goes on while the server is %s", async (how) => {
  table.set("shop.test", { addresses: ["127.0.0.1"], ttl: 1 });
  const lookup = names();
  await ask(lookup, "shop.test");
  table.set("shop.test", how);
  for (let i = 1; i <= 5; i++) {
    time.ms = i * 60_000;
    const began = performance.now();
    expect(await ask(lookup, "shop.test")).toBe("127.0.0.1");
    expect(performance.now() - began).toBeLessThan(600);
  }
});

test("a server that is heard again is followed", async () => {
  table.set("shop.test", { addresses: ["127.0.0.1"], ttl: 1 });
  const lookup = names();
  await ask(lookup, "shop.test");
  table.set("shop.test", "silent");
  time.ms = 60_000;
  expect(await ask(lookup, "shop.test")).toBe("127.0.0.1");
  table.set("shop.test", { addresses: ["127.0.0.2"] });
  let latest = "";
  await until(
    "the new answer",
    () => {
      void ask(lookup, "shop.test").then((found) => {
        latest = found;
      });
      return latest === "127.0.0.2";
    },
    5000,
  );
});

test("a name that there is no more is said so at once, as is one that never was", async () => {
  table.set("shop.test", { addresses: ["127.0.0.1"], ttl: 1 });
  const lookup = names();
  await ask(lookup, "shop.test");
  table.clear();
  time.ms = 60_000;
  expect(await ask(lookup, "shop.test")).toBe("ENOTFOUND");
  expect(await ask(lookup, "other.test")).toBe("ENOTFOUND");
});

test("the hosts file is asked first, in any case and by any alias", async () => {
  table.set("shop", { addresses: ["127.0.0.9"] });
  const lookup = names("# shop 127.0.0.8\n127.0.0.2\tother Shop # the shop\n::2 shop\n");
  expect(await ask(lookup, "shop")).toBe("127.0.0.2 ::2");
  expect(nameServer.asked).toEqual([]);
});

test("localhost needs no server, and may stand in the hosts file", async () => {
  expect(await ask(names(), "localhost")).toBe("127.0.0.1 ::1");
  expect(await ask(names(), "a.localhost")).toBe("127.0.0.1 ::1");
  expect(await ask(names("127.0.0.3 localhost"), "localhost")).toBe("127.0.0.3");
  expect(nameServer.asked).toEqual([]);
});

const kubernetes = "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";

test.each([
  ["market", kubernetes, "market.shop.svc.cluster.local"],
  ["market.pay", kubernetes, "market.pay.svc.cluster.local"],
  ["market.example.com", kubernetes, "market.example.com"],
  ["market.example.com.", kubernetes, "market.example.com"],
  ["market", "domain example.com", "market.example.com"],
  ["market.pay", "search example.com", "market.pay"],
  ["market.pay", "search example.com", "market.pay.example.com"],
])("%s is found as getaddrinfo finds it (%s)", async (name, conf, full) => {
  table.set(full, { addresses: ["127.0.0.4"] });
  expect(await ask(names("", conf), name)).toBe("127.0.0.4");
  expect(nameServer.asked.at(-1)).toBe(full);
});

test("a family without an answer does not hold up the other", async () => {
  table.set("shop.test", { addresses: ["::7"] });
  expect(await ask(names(), "shop.test")).toBe("::7");
  table.set("both.test", { addresses: ["::7", "127.0.0.4"] });
  const both = await ask(names(), "both.test");
  expect(both.split(" ").sort()).toEqual(["127.0.0.4", "::7"]);
});
