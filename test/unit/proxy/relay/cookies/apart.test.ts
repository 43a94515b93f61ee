/** Two shops that call their session `sid`, behind one proxy. */
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { configSchema } from "../../../../../src/config/schema.ts";
import { type ApartCookies, apartCookiesOf } from "../../../../../src/proxy/relay/cookies/apart.ts";
import { createDroppedCookies } from "../../../../../src/proxy/relay/cookies/metrics.ts";
import { answer, createFixture } from "../../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../../support/raw-upstream.ts";

const url = "http://127.0.0.1:1";
const cutover = (legacy: string, fresh: string, apart?: readonly string[]) => ({
  legacy,
  new: fresh,
  shopper: ["visitor"],
  routes: [{ name: fresh, path: `/${fresh}` }],
  ...(apart === undefined ? {} : { cookies: { apart } }),
});

function apartIn(cutovers: Readonly<Record<string, unknown>>): (upstream: string) => ApartCookies {
  const upstreams = { old: { url }, fresh: { url }, pay: { url } };
  const made = apartCookiesOf(configSchema.parse({ upstreams, default: "old", cutovers }));
  return (upstream) => {
    const found = made.get(upstream);
    if (found === undefined) throw new Error(`nothing is kept apart of ${upstream}`);
    return found;
  };
}

const shops = apartIn({ cart: cutover("old", "fresh", ["sid", "session*", "__Host-cart"]) });
const nowMs = Date.parse("2026-11-29T12:00:00Z");

/** What a client is given of an answer's cookies, and why it is not given the others. */
function given(from: ApartCookies, sets: readonly string[], cookies: readonly string[] = []) {
  const dropped: string[] = [];
  const fields = sets.flatMap((value, i) => [i % 2 === 0 ? "Set-Cookie" : "set-cookie", value]);
  fields.push("X-Last", "sid=1");
  from.toClient(fields, () => ({ cookies, nowMs, dropped: (why) => void dropped.push(why) }));
  expect(fields.slice(-2)).toEqual(["X-Last", "sid=1"]);
  return { sets: fields.slice(0, -2).filter((_, i) => i % 2 === 1), dropped };
}

test("without a cutover that keeps cookies apart nothing is made for any upstream", () => {
  const config = configSchema.parse({
    upstreams: { old: { url }, fresh: { url } },
    default: "old",
    cutovers: { cart: cutover("old", "fresh") },
  });
  expect(apartCookiesOf(config).size).toBe(0);
});

describe("on the way to an upstream", () => {
  test.each([
    ["its own lose the suffix, legacy's of the name stay", "sid=old; sid~fresh=new", "sid=new"],
    ["what is not of the names goes on", "theme=dark; sid=old;  x=1", "theme=dark;  x=1"],
    ["names that begin so are of it", "session_a=1; session~fresh=2; sess=3", "session=2; sess=3"],
    [
      "a prefix stays in front",
      "__Host-cart~fresh=1; __Host-cart=2; __Host-sid=3",
      "__Host-cart=1; __Host-sid=3",
    ],
    ["namesakes of other paths keep their order", "sid~fresh=a; sid~fresh=b", "sid=a; sid=b"],
    ["values keep their bytes", 'sid~fresh="a=b~fresh c\xe9";sid~fresh==', 'sid="a=b~fresh c\xe9";sid=='],
    ["spaces around a name are none of it", "\t sid = old; a=1;  sid~fresh =new", "a=1;  sid =new"],
    ["one of no value, too", "sid; sid~fresh", "sid"],
    ["what has a suffix and is of no name stays", "theme~fresh=1; ~fresh=2; a=3", "a=3"],
    ["case tells names apart", "SID=1; sid~FRESH=2", "SID=1; sid~FRESH=2"],
    ["nothing may be left", "sid=old; session=1", ""],
    ["a suffix more than one is the upstream's own", "session~fresh~fresh=1", "session~fresh=1"],
  ])("new: %s", (_, field, seen) => {
    expect(shops("fresh").toUpstream(field)).toBe(seen);
  });

  test.each([
    ["plain ones keep their bytes", 'sid=old;  session="1";a', 'sid=old;  session="1";a'],
    ["a suffixed one stays", "sid~fresh=new; sid=old; x~fresh=1", "sid=old"],
    ["nothing may be left", "sid~fresh=new", ""],
    ["a value that looks like one goes on", "a=sid~fresh; b=~fresh", "a=sid~fresh; b=~fresh"],
  ])("legacy, and where requests go that no cutover matches: %s", (_, field, seen) => {
    expect(shops("old").toUpstream(field)).toBe(seen);
    expect(shops("pay").toUpstream(field)).toBe(seen);
  });

  test("two new upstreams see nothing of each other, and one that is new to two cutovers has one session", () => {
    const three = apartIn({
      cart: cutover("old", "fresh", ["sid"]),
      checkout: cutover("old", "pay", ["*"]),
      account: { ...cutover("old", "fresh", ["token"]), routes: [{ name: "a", path: "/a" }] },
    });
    const all = "sid=o; sid~fresh=f; token~fresh=t; token=o; sid~pay=p; theme=x; theme~pay=y; ~pay=z";
    expect(three("old").toUpstream(all)).toBe("sid=o; token=o; theme=x");
    expect(three("fresh").toUpstream(all)).toBe("sid=f; token=t; theme=x");
    expect(three("pay").toUpstream(all)).toBe("sid=p; theme=y; =z");
  });
});

describe("on the way to the client", () => {
  test("new's of the names get the suffix, with their attributes as they are", () => {
    const attributes =
      "; Path=/shop; Domain=shop.example; HttpOnly;Secure; SameSite=None; Partitioned; Max-Age=60";
    expect(
      given(shops("fresh"), [
        `sid=a=b${attributes}`,
        "theme=dark; Path=/",
        `__Host-cart="1"; Path=/; Secure`,
      ]),
    ).toEqual({
      sets: [`sid~fresh=a=b${attributes}`, "theme=dark; Path=/", `__Host-cart~fresh="1"; Path=/; Secure`],
      dropped: [],
    });
  });

  test("legacy's keep their names", () => {
    const sets = ["sid=1; Path=/", "session_9=; Max-Age=0"];
    expect(given(shops("old"), sets)).toEqual({ sets, dropped: [] });
  });

  test.each(["old", "fresh"])("%s sets none that ends in a suffix: it would be another's", (upstream) => {
    const sets = ["x~fresh=1; Path=/", " sid~fresh =1", "=sid~fresh=1", "theme~fresh"];
    expect(given(shops(upstream), sets)).toEqual({ sets: [], dropped: sets.map(() => "name") });
  });

  test("one with no name, which is sent back by its value, is known by that", () => {
    expect(given(shops("fresh"), ["=sid=1; Path=/", "sid; Path=/", " = sid = 1"]).sets).toEqual([
      "=sid~fresh=1; Path=/",
      "sid~fresh; Path=/",
      " = sid~fresh = 1",
    ]);
  });

  test("one that would be longer than browsers keep is dropped and counted, one that just fits is not", () => {
    const value = (bytes: number) => "v".repeat(bytes - "sid~fresh".length);
    const { sets, dropped } = given(shops("fresh"), [
      `sid=${value(4096)}; Path=/${"p".repeat(900)}`,
      `sid=${value(4097)}`,
      `theme=${value(5000)}`,
    ]);
    expect(sets.map((set) => set.slice(0, 10))).toEqual(["sid~fresh=", "theme=vvvv"]);
    expect(dropped).toEqual(["size"]);
  });

  test("a client is given 50 of an upstream's; more are dropped and counted, those that it has are renewed", () => {
    const shown = Array.from({ length: 49 }, (_, n) => `session${n}~fresh=1`);
    const sets = ["session0=2", "sessionA=1", "sessionB=1", "sessionA=3", "theme=1"];
    const { sets: kept, dropped } = given(shops("fresh"), sets, ["sid=1", shown.join("; ")]);
    expect(kept).toEqual(["session0~fresh=2", "sessionA~fresh=1", "sessionA~fresh=3", "theme=1"]);
    expect(dropped).toEqual(["count"]);
  });

  test.each([
    ["sid=; Max-Age=0", "sid~fresh=; Max-Age=0"],
    ["sid=x; path=/; MAX-AGE = -1 ; expires=Fri, 31 Dec 9999 23:59:59 GMT", undefined],
    ["sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/; HttpOnly", undefined],
    ["sid=; Expires=Sun, 29 Nov 2026 12:00:00 GMT", undefined],
  ])("a deletion reaches the client, however many it has: %s", (set, expected) => {
    const shown = Array.from({ length: 60 }, (_, n) => `session${n}~fresh=1`).join("; ");
    const { sets, dropped } = given(shops("fresh"), [set], [shown]);
    expect(sets).toEqual([expected ?? set.replace("sid=", "sid~fresh=")]);
    expect(dropped).toEqual([]);
  });

  test.each([
    "sid=1; Expires=Sun, 29 Nov 2026 12:00:01 GMT",
    "sid=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60",
    "sid=1; Expires=nonsense",
    "sid=1",
  ])("what is no deletion is counted as one more: %s", (set) => {
    const shown = Array.from({ length: 50 }, (_, n) => `session${n}~fresh=1`).join("; ");
    expect(given(shops("fresh"), [set], [shown])).toEqual({ sets: [], dropped: ["count"] });
  });

  test("one that is deleted makes room for another", () => {
    const shown = Array.from({ length: 50 }, (_, n) => `session${n}~fresh=1`).join("; ");
    expect(given(shops("fresh"), ["session1=; Max-Age=0", "sid=1", "sessionX=1"], [shown])).toEqual({
      sets: ["session1~fresh=; Max-Age=0", "sid~fresh=1"],
      dropped: ["count"],
    });
  });

  test("an answer that sets none is not looked into further", () => {
    const fields = ["Content-Type", "text/html", "Set-Cookie", "theme=1"];
    shops("fresh").toClient(fields, () => {
      throw new Error("looked into");
    });
    expect(fields).toEqual(["Content-Type", "text/html", "Set-Cookie", "theme=1"]);
  });
});

test("what is dropped is counted by why, from 0 on", async () => {
  const registry = new Registry();
  const dropped = createDroppedCookies(registry);
  dropped("size");
  dropped("size");
  const [metric] = await registry.getMetricsAsJSON();
  expect(metric).toMatchObject({
    name: "cutover_apart_cookies_dropped_total",
    values: [
      { labels: { why: "count" }, value: 0 },
      { labels: { why: "name" }, value: 0 },
      { labels: { why: "size" }, value: 2 },
    ],
  });
});

test("where an upstream has other paths and hosts, its cookies get those of shoppers and their suffix", () => {
  const fixture = createFixture({
    old: {},
    fresh: { rewrite: { path: [{ from: "/cart/*", to: "/api/v2/basket/*" }] } },
    cutover: { shopper: ["header:x-shopper-id"], cookies: { apart: ["sid"] } },
    state: { percentThousandths: 100_000 },
  });
  const shown = ["X-Shopper-Id", "ann", "Cookie", "sid=O; sid~fresh=N"];
  const client = fixture.send({
    method: "GET",
    target: "/cart/1",
    fields: ["Host", "shop.example", ...shown],
  });
  const [attempt] = fixture.attempts;
  expect(attempt?.request.target).toBe("/api/v2/basket/1");
  expect(valuesOf(attempt?.request.fields ?? [], "cookie")).toEqual(["sid=N"]);
  answer(attempt, 200, ["Set-Cookie", "sid=M; Path=/api/v2/basket/1; HttpOnly"]);
  expect(valuesOf(client.heads[0]?.fields ?? [], "set-cookie")).toEqual([
    "sid~fresh=M; Path=/cart/1; HttpOnly",
  ]);
});
