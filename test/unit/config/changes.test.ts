import { describe, expect, test } from "vitest";
import { changedKeys, keysForNextStart, lastingDifferences } from "../../../src/config/changes.ts";
import { configOf } from "./support.ts";

const base = `
upstreams: { old: { url: "http://127.0.0.1:1" }, next: { url: "http://127.0.0.1:2" } }
default: old
cutovers:
  shop:
    legacy: old
    new: next
    shopper: ["header:x-shopper"]
    routes: [{ name: cart, path: /cart }]
`;
const shop = (more: string) => base.replace("    legacy: old", `    ${more}\n    legacy: old`);
const keysOf = (before: string, after: string) =>
  lastingDifferences(configOf(before), configOf(after)).map((text) => text.split(":")[0]);

describe("what may change while the instance runs", () => {
  test.each([
    ["nothing", base],
    ["routes", base.replace("path: /cart", "path: /basket")],
    ["upstreams", base.replace("127.0.0.1:2", "127.0.0.1:3")],
    ["the default", base.replace("default: old", "default: next")],
    [
      "a cutover more",
      `${base}  search: { legacy: old, new: next, shopper: ["header:x"], routes: [{ name: a, path: /a }] }\n`,
    ],
    ["a cutover less, salt and all", base.slice(0, base.indexOf("cutovers:"))],
    ["the salt written out", shop("salt: shop")],
    ["timeouts, drain, engine", `${base}drain: { delay: 5s }\nengine: http-proxy\nstaleAfter: 5s\n`],
  ])("%s", (_, after) => {
    expect(keysOf(base, after)).toEqual([]);
  });
});

describe("what may not, by name", () => {
  test.each([
    ["listeners.proxy", `${base}listeners: { proxy: { port: 8081 } }\n`],
    ["listeners.admin", `${base}listeners: { admin: { host: "::1" } }\n`],
    ["store", `${base}store: "memory:"\n`],
    ["prefix", `${base}prefix: other\n`],
    ["snapshot", `${base}snapshot: off\n`],
    ["spool", `${base}spool: off\n`],
    ["audit", `${base}audit: off\n`],
    ["workers", `${base}workers: 2\n`],
    ["auth", `${base}auth: { tokens: [{ name: a, role: admin, sha256: ${"a".repeat(64)} }] }\n`],
    ["cutovers.shop.salt", shop("salt: another")],
    ["cutovers.shop.owners.store", shop('owners: { store: "redis://h" }')],
  ])("%s", (key, after) => {
    expect(keysOf(base, after)).toEqual([key]);
    expect(keysOf(after, base)).toEqual([key]);
  });

  test("all of them at once", () => {
    const after = `${shop("salt: another")}store: "memory:"\nworkers: auto\n`;
    expect(keysOf(base, after)).toEqual(["store", "workers", "cutovers.shop.salt"]);
  });
});

describe("what a reload changes", () => {
  const changed = (after: string) => changedKeys(configOf(base), configOf(after));

  test("is told by its keys, a whole part that is new or gone as such", () => {
    expect(changed(base)).toEqual([]);
    expect(changed(base.replace("path: /cart", "path: /basket"))).toEqual(["cutovers.shop.routes[0].path"]);
    expect(changed(base.replace("127.0.0.1:2", "127.0.0.1:3"))).toEqual(["upstreams.next.url"]);
    expect(
      changed(
        `${base}  search: { legacy: old, new: next, shopper: ["header:x"], routes: [{ name: a, path: /a }] }\n`,
      ),
    ).toEqual(["cutovers.search (added)"]);
    expect(changed(base.slice(0, base.indexOf("cutovers:")))).toEqual(["cutovers.shop (removed)"]);
    expect(changed(`${base}staleAfter: 5s\n`)).toEqual(["staleAfter"]);
  });

  test("never holds a secret", () => {
    const before = shop("journey: { cookie: j, ttl: 30m, secret: hunter2hunter2hunter2 }");
    const after = shop("journey: { cookie: j, ttl: 30m, secret: another4another4another4 }");
    expect(changedKeys(configOf(before), configOf(after))).toEqual(["cutovers.shop.journey.secret"]);
  });

  test("is not what waits for the next start", () => {
    const after = configOf(`${base}listeners: { wait: 5s }\n`);
    expect(keysForNextStart(configOf(base), after)).toEqual(["listeners.wait"]);
    expect(keysForNextStart(configOf(base), configOf(`${base}staleAfter: 5s\n`))).toEqual([]);
  });
});
