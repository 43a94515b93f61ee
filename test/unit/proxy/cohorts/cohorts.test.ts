/** Which cohort a request is of. */
import { expect, test } from "vitest";
import { configSchema } from "../../../../src/config/schema.ts";
import { bytesOf } from "../../../../src/decide/bucket.ts";
import type { RequestView } from "../../../../src/decide/sources.ts";
import { cohortOf, compileSplit } from "../../../../src/proxy/cohorts/cohorts.ts";

const noLists = { has: () => false };
const upstreams = { old: { url: "http://127.0.0.1:1" }, fresh: { url: "http://127.0.0.1:2" } };
const routes = [{ name: "cart", path: "/cart/*" }];

function compiled(cohorts: readonly object[]) {
  const shop = { legacy: "old", new: "fresh", shopper: ["cookie:sid"], routes, cohorts };
  const { cutovers } = configSchema.parse({ upstreams, default: "old", cutovers: { shop } });
  const declared = cutovers.shop;
  if (declared === undefined) throw new Error("no cutover");
  return compileSplit(declared, "shop").cohorts;
}

interface Asked {
  readonly fields?: readonly string[];
  readonly query?: string;
  readonly shopper?: string;
  readonly host?: string;
  readonly address?: string;
}

function named(cohorts: readonly object[], asked: Asked, members: readonly string[] = []) {
  const { fields = [], query = "", shopper, host = "shop.example", address = "203.0.113.9" } = asked;
  const fieldNames = fields.filter((_, at) => at % 2 === 0);
  const view: RequestView = {
    ...{ fields, fieldNames, query, paramNames: [], paramValues: [] },
    ...{ json: undefined, form: undefined, text: undefined },
  };
  const lists =
    members.length === 0
      ? noLists
      : { has: (list: string, member: string) => list === "staff" && members.includes(member) };
  const around = { table: { trusts: (peer: string) => peer === "192.0.2.1" }, lists };
  return cohortOf(compiled(cohorts), around, { view, shopper, host, peer: { address, encrypted: false } })
    ?.name;
}

const jakarta = { name: "jakarta", when: { header: "x-region", in: ["ID-JK", "ID-BT"] }, percent: 40 };

test("the first cohort whose rule holds counts", () => {
  const all = [jakarta, { name: "any", when: { header: "x-region" }, side: "new" }];
  expect(named(all, { fields: ["x-region", "ID-BT"] })).toBe("jakarta");
  expect(named(all, { fields: ["x-region", "ID-XX"] })).toBe("any");
  expect(named(all, { fields: ["x-region", ""] })).toBeUndefined();
  expect(named([...all].reverse(), { fields: ["x-region", "ID-BT"] })).toBe("any");
});

test("a text of a rule is what it is, case and all, also beyond ASCII", () => {
  expect(named([jakarta], { fields: ["x-region", "id-jk"] })).toBeUndefined();
  const café = { name: "c", when: { header: "x-shop", in: "café" }, side: "new" };
  expect(named([café], { fields: ["x-shop", bytesOf("café")] })).toBe("c");
});

test("a rule without a source asks who the shopper is", () => {
  const testers = { name: "testers", when: { matches: "^test-[0-9]+$" }, side: "new" };
  expect(named([testers], { shopper: "test-12" })).toBe("testers");
  expect(named([testers], { shopper: "test-" })).toBeUndefined();
  expect(named([testers], {})).toBeUndefined();
});

test("an expression is searched for in at most 512 bytes, and a longer value is none", () => {
  const rule = { name: "r", when: { header: "x-a", matches: "b$" }, side: "new" };
  expect(named([rule], { fields: ["x-a", `${"a".repeat(511)}b`] })).toBe("r");
  expect(named([rule], { fields: ["x-a", `${"a".repeat(512)}b`] })).toBeUndefined();
});

test("a host is met whatever its case and port, and those below it by a star", () => {
  const my = { name: "my", when: { host: ["*.my", "shop.example"] }, side: "legacy" };
  for (const host of ["a.my", "A.B.MY:8443", "shop.example.", "SHOP.example:80"]) {
    expect(named([my], { host }), host).toBe("my");
  }
  for (const host of ["my", "my.example", "xmy", "shop.example.evil", ""]) {
    expect(named([my], { host }), host).toBeUndefined();
  }
});

test("a network has its addresses, those of IPv4 in IPv6's clothes, too", () => {
  const office = { name: "office", when: { cidr: ["10.20.0.0/16", "2001:db8::/32"] }, side: "new" };
  for (const address of ["10.20.3.4", "::ffff:10.20.3.4", "2001:db8::1"]) {
    expect(named([office], { address }), address).toBe("office");
  }
  for (const address of ["10.21.0.1", "2001:db9::1", ""]) {
    expect(named([office], { address }), address).toBeUndefined();
  }
});

test("behind a trusted proxy the client's address counts, and what a stranger says of it does not", () => {
  const office = { name: "office", when: { cidr: "10.20.0.0/16" }, side: "new" };
  const fields = ["x-forwarded-for", "10.20.3.4"];
  expect(named([office], { fields, address: "192.0.2.1" })).toBe("office");
  expect(named([office], { fields, address: "203.0.113.9" })).toBeUndefined();
});

test("a list is asked for the shopper, or for the value beside it", () => {
  const staff = { name: "staff", when: { list: "staff" }, side: "new" };
  expect(named([staff], { shopper: "4711" }, ["4711"])).toBe("staff");
  expect(named([staff], { shopper: "4712" }, ["4711"])).toBeUndefined();
  expect(named([staff], { shopper: "4711" })).toBeUndefined();
  const account = { name: "staff", when: { query: "account", list: "staff" }, side: "new" };
  expect(named([account], { shopper: "4711", query: "account=8" }, ["8"])).toBe("staff");
  expect(named([account], { shopper: "8", query: "account=4711" }, ["8"])).toBeUndefined();
});

test("all that a rule asks for has to hold", () => {
  const both = { name: "both", when: { host: "shop.example", cidr: "10.0.0.0/8", share: 100 }, side: "new" };
  expect(named([both], { shopper: "a", address: "10.1.1.1" })).toBe("both");
  expect(named([both], { shopper: "a" })).toBeUndefined();
  expect(named([both], { address: "10.1.1.1" })).toBeUndefined();
});

test("a share has about as many shoppers as it says, and a larger one has all of a smaller", () => {
  const share = (points: number) => [{ name: "s", when: { share: points }, side: "new" }];
  const shoppers = Array.from({ length: 4000 }, (_, at) => `shopper-${at}`);
  const of = (points: number) => {
    const cohorts = compiled(share(points));
    const view: RequestView = {
      ...{ fields: [], fieldNames: [], query: "", paramNames: [], paramValues: [] },
      ...{ json: undefined, form: undefined, text: undefined },
    };
    return shoppers.filter((shopper) =>
      cohortOf(
        cohorts,
        { table: { trusts: () => false }, lists: noLists },
        { view, shopper, host: "", peer: { address: "", encrypted: false } },
      ),
    );
  };
  const [small, large] = [of(10), of(30)];
  expect(small.length).toBeGreaterThan(320);
  expect(small.length).toBeLessThan(480);
  expect(small.every((shopper) => large.includes(shopper))).toBe(true);
  expect(of(0)).toEqual([]);
});

test("cutovers of one group have one salt, so that whoever is on new in one is so in each with as high a percent", () => {
  const split = (name: string, more: object) => {
    const shop = { legacy: "old", new: "fresh", shopper: ["cookie:sid"], routes, ...more };
    const declared = configSchema.parse({ upstreams, default: "old", cutovers: { [name]: shop } }).cutovers[
      name
    ];
    if (declared === undefined) throw new Error("no cutover");
    return compileSplit(declared, name).salt;
  };
  expect(split("payment", { group: "shop" })).toBe(split("cart", { group: "shop" }));
  expect(split("payment", { group: "cart" })).toBe(split("cart", {}));
  expect(split("payment", {})).not.toBe(split("cart", {}));
  expect(split("payment", { group: "shop", salt: "own" })).toBe(split("own", {}));
});
