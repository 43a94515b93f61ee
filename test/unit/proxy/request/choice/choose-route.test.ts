/** Routes that share a path, through an exchange: which one a request is on, and what becomes of one that cannot be read. */
import { hash } from "node:crypto";
import { PassThrough, Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { answer, createFixture, type FixtureOptions } from "../../../../support/exchange-fixture.ts";
import { turn, until } from "../../../../support/until.ts";

const routes = [
  { name: "start", path: "/graphql", when: { graphql: "addItemToOrder" }, journey: "start" },
  { name: "pay", path: "/graphql", when: { graphql: ["addPaymentToOrder", "Pay"] }, payment: true },
  { name: "change", path: "/graphql", when: { graphql: "mutation:*" } },
  { name: "hook", path: "/graphql", when: { header: "x-provider=acme", json: "/type#^payment" } },
  { name: "ajax", path: "/", when: { query: "wc-ajax=checkout" } },
  { name: "other", path: "/graphql" },
];

function shop(options: FixtureOptions = {}) {
  const fixture = createFixture({
    state: { percentThousandths: 100_000 },
    ...options,
    cutover: { routes, owners: [], ...options.cutover },
  });
  const fields = (more: readonly string[] = []) => ["Host", "shop.example", "X-Shopper-Id", "a", ...more];
  /** @returns the name of the route that the request was on */
  async function routeOf(body: string | Readable, more: readonly string[] = [], target = "/graphql") {
    const before = fixture.attempts.length;
    const client = fixture.send({ method: "POST", target, fields: fields(more) }, body);
    await until("it goes on", () => fixture.attempts.length > before || client.ended());
    answer(fixture.attempts[before], 200, [], "ok");
    await until("it goes on", () => client.ended());
    return fixture.entries.at(-1)?.route;
  }
  const document = (query: string, more: object = {}) => JSON.stringify({ query, ...more });
  return { ...fixture, fields, routeOf, document };
}

describe("a request is on the first route whose condition holds", () => {
  const { routeOf, document, attempts, inFlight } = shop();
  test.each<[string, string, string]>([
    ["start", "mutation { addItemToOrder { code } }", "a cart begins"],
    ["pay", "mutation { x: addPaymentToOrder { code } }", "a payment under an alias"],
    ["pay", "mutation Pay { settle }", "the name of an operation"],
    ["change", "mutation { logout }", "any other mutation"],
    ["other", "{ products { id } }", "none of these"],
  ])("%s: %s (%s)", async (name, query) => {
    expect(await routeOf(document(query))).toBe(name);
    expect(inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  });

  test("its body goes on byte for byte", async () => {
    const text = ` ${document("mutation { addPaymentToOrder { code } }")}\n`;
    expect(await routeOf(text)).toBe("pay");
    expect(attempts.at(-1)?.request.body).toMatchObject({ content: Buffer.from(text) });
  });

  test("of a batch the first route in config order that any of its operations is of", async () => {
    const batch = ["mutation { addPaymentToOrder { code } }", "mutation { addItemToOrder { code } }"];
    expect(await routeOf(JSON.stringify(batch.map((query) => ({ query }))))).toBe("start");
  });

  test("header and JSON together", async () => {
    expect(await routeOf('{"type":"payment.done"}', ["X-Provider", "acme"])).toBe("hook");
    expect(await routeOf('{"type":"payment.done"}', ["X-Provider", "other"])).toBe("other");
    expect(await routeOf('{"type":"refund"}', ["X-Provider", "acme"])).toBe("other");
  });

  test("a compressed body is read too", async () => {
    const content = gzipSync(document("mutation { addPaymentToOrder { code } }"));
    const { send, entries, attempts: sent, fields } = shop();
    send(
      {
        method: "POST",
        target: "/graphql",
        fields: fields(["Content-Encoding", "gzip"]),
        framing: { kind: "sized", length: content.length },
      },
      Readable.from([content]),
    );
    await until("it goes on", () => sent.length > 0);
    answer(sent[0], 200, [], "ok");
    await until("it goes on", () => entries.length > 0);
    expect(entries).toMatchObject([{ route: "pay", side: "new" }]);
  });

  test("by the query alone nothing waits for a body", async () => {
    const { send, attempts: sent, fields, entries } = shop();
    const body = new PassThrough();
    const target = "/?wc-ajax=checkout";
    send({ method: "POST", target, fields: fields(), framing: { kind: "chunked" } }, body);
    expect(sent).toHaveLength(1);
    answer(sent[0], 200, [], "ok");
    body.end();
    await until("it goes on", () => entries.length > 0);
    expect(entries).toMatchObject([{ route: "ajax" }]);
  });

  test("on a path whose routes are for none of its requests it goes where what is on no route goes", async () => {
    const only = shop({ cutover: { routes: [{ name: "pay", path: "/graphql", when: { graphql: "pay" } }] } });
    expect(await only.routeOf(only.document("{ a }"))).toBe("none");
    expect(only.attempts.map(({ upstream }) => upstream)).toEqual(["old"]);
    expect(only.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(await only.routeOf("", [], "/?wc-ajax=other")).toBe("none");
  });

  test("a GET says its operation in the query", async () => {
    const { send, attempts: sent, entries, fields } = shop();
    const target = `/graphql?query=${encodeURIComponent("mutation { addPaymentToOrder { code } }")}`;
    send({ method: "GET", target, fields: fields() });
    await until("it goes on", () => sent.length > 0);
    answer(sent[0], 200, [], "ok");
    expect(entries).toMatchObject([{ route: "pay" }]);
  });
});

describe("what cannot be read goes by the path's other routes, and is counted", () => {
  test("a body over 64 KiB, a text that is no document", async () => {
    const { routeOf, document, counted } = shop();
    expect(await routeOf(document(`mutation { pay } # ${"x".repeat(70_000)}`))).toBe("other");
    expect(await routeOf(document("mutation { "))).toBe("other");
    expect(counted.filter((one) => one === "unread choice checkout")).toHaveLength(2);
    expect(await routeOf(document("{ a }"))).toBe("other");
    expect(counted.filter((one) => one === "unread choice checkout")).toHaveLength(2);
  });

  test("an operation's name in Apollo's header leads one that is too large", async () => {
    const { routeOf, document } = shop();
    const large = document(`mutation Pay { pay } # ${"x".repeat(70_000)}`);
    expect(await routeOf(large, ["X-Apollo-Operation-Name", "Pay"])).toBe("pay");
  });
});

describe("a document named by its hash alone", () => {
  const query = "mutation { addPaymentToOrder(input: { a: 1 }) { code } }";
  const extensions = { persistedQuery: { version: 1, sha256Hash: hash("sha256", query) } };

  test("is asked for in Apollo's words, and known from its text on", async () => {
    const { send, routeOf, document, attempts, counted, entries, fields, inFlight } = shop();
    const hashed = JSON.stringify({ extensions });
    const client = send(
      { method: "POST", target: "/graphql", fields: fields(["Origin", "https://app.example"]) },
      hashed,
    );
    await until("it goes on", () => client.ended());
    expect(attempts).toEqual([]);
    expect(client.heads).toMatchObject([{ status: 200 }]);
    expect(client.heads[0]?.fields).toEqual(
      expect.arrayContaining(["Access-Control-Allow-Origin", "https://app.example", "no-store"]),
    );
    expect(JSON.parse(client.body())).toEqual({
      errors: [{ message: "PersistedQueryNotFound", extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } }],
    });
    expect(entries).toMatchObject([{ side: "none", outcome: "ok", status: 200 }]);
    expect(counted).toContain("unknown document checkout");
    expect(inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
    expect(await routeOf(document(query, { extensions }))).toBe("pay");
    expect(await routeOf(hashed)).toBe("pay");
  });

  test("in a batch each of its operations is asked for, and none goes on", async () => {
    const { send, attempts, fields } = shop();
    const batch = JSON.stringify([{ extensions }, { query: "{ a }" }]);
    const client = send({ method: "POST", target: "/graphql", fields: fields() }, batch);
    await until("it goes on", () => client.ended());
    expect(JSON.parse(client.body())).toHaveLength(2);
    expect(attempts).toEqual([]);
  });
});

describe("before the route is known", () => {
  test("a client that breaks off is counted once, and nothing is in flight", async () => {
    const { send, entries, inFlight, attempts, fields } = shop();
    const body = new PassThrough();
    send({ method: "POST", target: "/graphql", fields: fields(), framing: { kind: "chunked" } }, body);
    body.write('{"query":');
    await turn();
    body.destroy();
    await until("it goes on", () => entries.length > 0);
    expect(entries).toMatchObject([{ outcome: "client_aborted", side: "none" }]);
    expect(attempts).toEqual([]);
    expect(inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  });

  test("what arrived is told of once, to whom it is settled with, wherever the request is then", async () => {
    let underWay = 0;
    const witness = {
      arrived: () => {
        underWay += 1;
      },
      left: () => {
        underWay -= 1;
      },
      settled: () => {
        underWay -= 1;
      },
    };
    const { routeOf, document } = shop({ witness });
    for (const query of ["{ a }", "mutation { addItemToOrder }", "mutation { b }"]) {
      expect(await routeOf(document(query))).toBeDefined();
      expect(underWay).toBe(0);
    }
  });
});

test("a preflight goes where the request would, or may", () => {
  const { send, attempts, fields } = shop();
  const asked = fields(["Access-Control-Request-Method", "POST", "Origin", "https://a.example"]);
  send({ method: "OPTIONS", target: "/graphql", fields: asked });
  send({ method: "OPTIONS", target: "/?wc-ajax=checkout", fields: asked });
  send({ method: "OPTIONS", target: "/?wc-ajax=cart", fields: asked });
  expect(attempts.map(({ upstream }) => upstream)).toEqual(
    ["new", "new", "old"].map((side) => (side === "new" ? "fresh" : "old")),
  );
});

describe("a key in a document", () => {
  const cutover = {
    routes: [{ name: "api", path: "/graphql", methods: ["POST"], learns: true }],
    owners: [{ key: "graphql:/order/id", learn: ["json:/data/pay/id"] }],
  };

  test("leads to the side of its owner, inline, by a variable and under an alias", async () => {
    const { routeOf, document, entries, owned } = shop({ cutover });
    owned.set("A7", "legacy");
    for (const [query, variables] of [
      ['{ order(id: "A7") { id } }', {}],
      ['{ mine: order(id: "A7") { id } }', {}],
      ["query ($x: ID!) { order(id: $x) { id } }", { x: "A7" }],
    ] as const) {
      expect(await routeOf(document(query, { variables }))).toBe("api");
      expect(entries.at(-1)).toMatchObject({ side: "legacy", reason: "owner" });
    }
    expect(await routeOf(document('{ order(id: "B8") { id } }'))).toBe("api");
    expect(entries.at(-1)).toMatchObject({ side: "new", reason: "bucket" });
  });

  test("a document that cannot be read gives none, and is counted", async () => {
    const { routeOf, document, counted } = shop({ cutover });
    expect(await routeOf(document("{ order(id: "))).toBe("api");
    expect(counted).toContain("unread body");
  });

  test("what a text names anywhere is not learned from its answer", async () => {
    const { send, document, attempts, learned, fields } = shop({ cutover });
    for (const query of ['mutation { pay(order: "V1") { id } }', "mutation { pay(cart: 5) { id } }"]) {
      const before = attempts.length;
      const client = send({ method: "POST", target: "/graphql", fields: fields() }, document(query));
      await until("it goes on", () => attempts.length > before);
      answer(
        attempts[before],
        200,
        ["Content-Type", "application/json"],
        JSON.stringify({ data: { pay: { id: before === 0 ? "V1" : "N2" } } }),
      );
      await until("it goes on", () => client.ended());
    }
    expect(learned).toEqual(["N2 new"]);
  });
});
