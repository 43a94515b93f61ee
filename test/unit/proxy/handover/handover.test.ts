/** A shopper who goes over is handed over, once, and nobody else is. */
import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { configSchema } from "../../../../src/config/schema.ts";
import { compileHandover } from "../../../../src/proxy/handover/compiled.ts";
import { handoverField, verifyHandover } from "../../../../src/proxy/handover/token.ts";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";
import { turn } from "../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

const secret = "a secret of thirty-two characters";
const all = { percentThousandths: 100_000 };
const none = { percentThousandths: 0 };

function shop(handover: object = {}, options: FixtureOptions = {}): Fixture {
  const cutover = { shopper: ["header:x-shopper-id", "cookie:account", "visitor"], ...options.cutover };
  return createFixture({
    state: none,
    ...options,
    cutover: { ...cutover, handover: { secret, ...handover } },
  });
}

interface Asked {
  readonly cookie?: string;
  readonly fields?: readonly string[];
  readonly method?: string;
  readonly target?: string;
  readonly status?: number;
  readonly peer?: { readonly address: string; readonly encrypted: boolean };
}

/** Sends a request and tells what its upstream and its client were told. */
async function ask(fixture: Fixture, { cookie, fields = [], status = 200, peer, ...asked }: Asked = {}) {
  const { method = "GET", target = "/cart/1?a=b" } = asked;
  const shown = cookie === undefined ? [] : ["Cookie", cookie];
  const all = ["Host", "shop.example", ...shown, ...fields];
  const client = fixture.send({ method, target, fields: all, ...(peer === undefined ? {} : { peer }) });
  await turn();
  await turn();
  const attempt = fixture.attempts.at(-1);
  answer(attempt, status);
  const audience = attempt?.upstream ?? "";
  const tokens = valuesOf(attempt?.request.fields ?? [], handoverField);
  const [path = ""] = target.split("?");
  const verified = verifyHandover(tokens[0], {
    ...{ secrets: [secret], audience, method, host: "shop.example", path, nowMs: fixture.time.ms },
  });
  const sets = valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie");
  const side = sets.find((text) => text.startsWith("cutover_side="));
  return {
    to: audience,
    tokens,
    verified,
    handover: verified.valid ? verified.handover : undefined,
    set: side,
    side: side?.split(";")[0],
    seen: valuesOf(attempt?.request.fields ?? [], "cookie"),
  };
}

describe("a shopper", () => {
  test("is told which side has served him, and handed over when the other one does", async () => {
    const fixture = shop();
    const first = await ask(fixture, { cookie: "account=ann" });
    expect(first).toMatchObject({ to: "old", tokens: [] });
    expect(first.set).toMatch(
      /^cutover_side=1\.l\.[\w-]{22}; Path=\/; Max-Age=34560000; HttpOnly; SameSite=Lax$/,
    );

    const cookie = `account=ann; ${first.side}; a=b`;
    expect(await ask(fixture, { cookie })).toMatchObject({
      tokens: [],
      set: undefined,
      seen: ["account=ann; a=b"],
    });

    fixture.set(all);
    const second = await ask(fixture, { cookie });
    expect(second).toMatchObject({
      to: "fresh",
      handover: {
        cutover: "checkout",
        before: "legacy",
        shopper: "ann",
        issuedAt: Math.floor(fixture.time.ms / 1000),
        nonce: expect.stringMatching(/^[\w-]{22}$/),
      },
      seen: ["account=ann; a=b"],
    });
    expect(second.side).toMatch(/^cutover_side=1\.n\./);
    const there = `account=ann; ${second.side}`;
    expect(await ask(fixture, { cookie: there })).toMatchObject({ to: "fresh", tokens: [], set: undefined });

    fixture.set({ ...none, state: "rolled_back" });
    const back = await ask(fixture, { cookie: there, target: "/cart/2", method: "POST" });
    expect(back).toMatchObject({ to: "old", handover: { before: "new", shopper: "ann" } });
    expect(back.side).toBe(first.side);
  });

  test("who is a visitor is handed over by the name that he was given; on his first request there is nothing before", async () => {
    const fixture = shop();
    const page = ["Accept", "text/html"];
    const client = fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: ["Host", "shop.example", ...page],
    });
    answer(fixture.attempts.at(-1), 200);
    const sets = valuesOf(client.heads[0]?.fields ?? [], "set-cookie").map(
      (text) => text.split(";")[0] ?? "",
    );
    expect(sets.map((text) => text.split("=")[0])).toEqual(["cutover_visitor", "cutover_side"]);
    expect(valuesOf(client.heads[0]?.fields ?? [], "cache-control")).toEqual(["private"]);
    fixture.set(all);
    const { handover } = await ask(fixture, { cookie: sets.join("; "), fields: page });
    expect(`cutover_visitor=${handover?.shopper}`).toBe(sets[0]);
  });

  test("is handed over until an answer below 500 has told him so, each time with a nonce of its own", async () => {
    const fixture = shop();
    const { side } = await ask(fixture, { cookie: "account=ann" });
    fixture.set(all);
    const cookie = `account=ann; ${side}`;
    const failed = await ask(fixture, { cookie, status: 503 });
    const next = await ask(fixture, { cookie, status: 404 });
    expect([failed.set, next.side?.slice(0, 16)]).toEqual([undefined, "cutover_side=1.n"]);
    expect(failed.handover?.nonce).not.toBe(next.handover?.nonce);
  });

  test("whom no cookie of the side is shown for yet is handed over by his visit", async () => {
    const force = { header: "x-force", secrets: [hash("sha256", "tester")] };
    const fixture = shop({}, { cutover: { visit: { for: "30m" }, force } });
    const client = fixture.send({
      method: "GET",
      target: "/cart/1",
      fields: ["Host", "shop.example", "Cookie", "account=ann"],
    });
    await turn();
    await turn();
    answer(fixture.attempts.at(-1), 200);
    const visit = valuesOf(client.heads[0]?.fields ?? [], "set-cookie").find((text) =>
      text.startsWith("cutover_visit="),
    );
    const cookie = `account=ann; ${visit?.split(";")[0]}`;
    expect((await ask(fixture, { cookie })).tokens).toEqual([]);
    expect((await ask(fixture, { cookie, fields: ["X-Force", "new tester"] })).handover?.before).toBe(
      "legacy",
    );
  });

  test("is known whatever his name is, if it is text", async () => {
    const fixture = shop();
    const { side } = await ask(fixture, { cookie: "account=x" });
    fixture.set(all);
    const named = async (name: string) =>
      (await ask(fixture, { cookie: `account=${Buffer.from(name).toString("latin1")}; ${side}` })).handover
        ?.shopper;
    expect(await named("żółw")).toBe("żółw");
    expect((await ask(fixture, { cookie: `account=\xe9; ${side}` })).tokens).toEqual([]);
    expect((await ask(fixture, { cookie: `account=${"x".repeat(513)}; ${side}` })).tokens).toEqual([]);
  });
});

describe("nobody is handed over", () => {
  const legacySide = async (fixture: Fixture) => {
    const { side } = await ask(fixture, { cookie: "account=ann" });
    fixture.set(all);
    return side ?? "";
  };

  test("without the block, and no cookie is given", async () => {
    const fixture = createFixture({ cutover: { shopper: ["cookie:account"] }, state: all });
    expect(await ask(fixture, { cookie: "account=ann; cutover_side=1.l.x" })).toMatchObject({
      tokens: [],
      set: undefined,
      seen: ["account=ann; cutover_side=1.l.x"],
    });
  });

  test("in somebody's name: whom a header names that anybody may send", async () => {
    const fixture = shop();
    const cookie = await legacySide(fixture);
    const stranger = await ask(fixture, { cookie, fields: ["X-Shopper-Id", "ann"] });
    expect(stranger).toMatchObject({ to: "fresh", tokens: [], set: undefined });
    const trusted = shop(
      {},
      { cutover: { trustedShopper: { header: "x-shopper-id", from: ["10.0.0.0/8"] } } },
    );
    const side = await legacySide(trusted);
    const fields = ["X-Shopper-Id", "ann"];
    const peer = { address: "10.1.2.3", encrypted: false };
    expect((await ask(trusted, { cookie: side, fields, peer })).handover?.shopper).toBe("ann");
  });

  test.each([
    ["made up", "cutover_side=1.l.AAAAAAAAAAAAAAAAAAAAAA"],
    ["another cutover's", `cutover_side=${compileHandover(config("other"), "other")?.values.legacy}`],
    ["of no side", "cutover_side="],
  ])("by a cookie that is %s, which goes on to the shop", async (_, cookie) => {
    const fixture = shop({}, { state: all });
    const told = await ask(fixture, { cookie: `account=ann; ${cookie}` });
    expect(told).toMatchObject({ tokens: [], seen: [`account=ann; ${cookie}`] });
    expect(told.side).toMatch(/^cutover_side=1\.n\./);
  });

  test("by a preflight, nor where an order takes a request to its owner, nor for an outage", async () => {
    const fixture = shop();
    const cookie = `account=ann; ${await legacySide(fixture)}`;
    const preflight = ["Origin", "https://a.example", "Access-Control-Request-Method", "GET"];
    expect((await ask(fixture, { cookie, fields: preflight, method: "OPTIONS" })).tokens).toEqual([]);

    const { side } = await ask(fixture, { cookie });
    fixture.owned.set("77", "legacy");
    const paid = await ask(fixture, {
      cookie: `account=ann; ${side}`,
      target: "/orders/77/pay",
      method: "POST",
    });
    expect(paid).toMatchObject({ to: "old", tokens: [], set: undefined });
  });

  test("on no route", async () => {
    const fixture = shop();
    const cookie = `account=ann; ${await legacySide(fixture)}`;
    expect(await ask(fixture, { cookie, target: "/about" })).toMatchObject({
      to: "old",
      tokens: [],
      set: undefined,
      seen: ["account=ann"],
    });
  });
});

describe("the field", () => {
  test.each([true, false])(
    "never comes from a client, by any spelling (the block is there: %s)",
    async (isOn) => {
      const fixture = isOn ? shop({}, { trustedProxies: ["192.0.2.7"] }) : createFixture({ state: all });
      const names = ["X-Cutover-Handover", "x_cutover_handover", "X-CUTOVER_HANDOVER", "x-cutover-handover"];
      const fields = [...names.flatMap((name) => [name, "FORGED"]), "X-Cutover-Handovers", "kept"];
      await ask(fixture, { cookie: "account=ann", fields });
      await ask(fixture, { cookie: "account=ann", fields, target: "/about" });
      for (const { request } of fixture.attempts) {
        expect(request.fields).not.toContain("FORGED");
        expect(valuesOf(request.fields, "x-cutover-handovers")).toEqual(["kept"]);
      }
    },
  );

  test("is for the audience that is configured, and for the Host that the upstream is sent", async () => {
    const fixture = shop({ audience: "shops" }, { fresh: { host: "new.internal" }, old: {} });
    const { side } = await ask(fixture, { cookie: "account=ann" });
    fixture.set(all);
    const { tokens } = await ask(fixture, { cookie: `account=ann; ${side}` });
    const asked = { secrets: [secret], method: "GET", path: "/cart/1", nowMs: fixture.time.ms };
    expect(verifyHandover(tokens[0], { ...asked, audience: "shops", host: "new.internal" }).valid).toBe(true);
    expect(verifyHandover(tokens[0], { ...asked, audience: "shops", host: "shop.example" }).valid).toBe(
      false,
    );
  });

  test("is for the path that the upstream is sent, where that has others", async () => {
    const rewrite = { path: [{ from: "/cart/*", to: "/api/v2/basket/*" }] };
    const fixture = shop({}, { old: {}, fresh: { rewrite } });
    const { side } = await ask(fixture, { cookie: "account=ann" });
    fixture.set(all);
    const { tokens } = await ask(fixture, { cookie: `account=ann; ${side}` });
    expect(fixture.attempts.at(-1)?.request.target).toBe("/api/v2/basket/1?a=b");
    const asked = { secrets: [secret], audience: "fresh", method: "GET", host: "shop.example" };
    const path = "/api/v2/basket/1";
    expect(verifyHandover(tokens[0], { ...asked, path, nowMs: fixture.time.ms }).valid).toBe(true);
  });

  test("is signed by the first secret, and cookies of the others still count", async () => {
    const before = shop();
    const { side } = await ask(before, { cookie: "account=ann" });
    const next = "b".repeat(32);
    const fixture = shop({ secret: [next, secret] }, { state: all });
    const { tokens } = await ask(fixture, { cookie: `account=ann; ${side}` });
    const asked = {
      audience: "fresh",
      method: "GET",
      path: "/cart/1",
      host: "shop.example",
      nowMs: fixture.time.ms,
    };
    expect(verifyHandover(tokens[0], { ...asked, secrets: [next] }).valid).toBe(true);
  });
});

function config(cutover: string) {
  const { cutovers } = configSchema.parse({
    upstreams: { old: { url: "http://127.0.0.1:1" }, fresh: { url: "http://127.0.0.1:2" } },
    default: "old",
    cutovers: {
      [cutover]: {
        legacy: "old",
        new: "fresh",
        shopper: ["visitor"],
        routes: [{ name: "a", path: "/a" }],
        handover: { secret },
      },
    },
  });
  const found = cutovers[cutover];
  if (found === undefined) throw new Error("none");
  return found;
}
