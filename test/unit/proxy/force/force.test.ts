/** Testers say which side they want, and their secrets reach nobody. */
import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  createFixture,
  type FixtureOptions,
  type RecordedAnswer,
} from "../../../support/exchange-fixture.ts";
import { turn } from "../../../support/until.ts";

const secret = "wR7-velvet-otter";
const sha256 = (text: string) => hash("sha256", text);

function fixtureOf(force: Readonly<Record<string, unknown>> = {}, options: FixtureOptions = {}) {
  const declared = { header: "X-Force", secrets: [sha256(secret)], ...force };
  return createFixture({ ...options, cutover: { force: declared, ...options.cutover } });
}

const linked = { cookie: "tester" };
const fieldsOf = (answer: RecordedAnswer, name: string) => {
  const fields = answer.heads[0]?.fields ?? [];
  return fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === name);
};
const cart = (target: string, ...fields: string[]) => ({
  method: "GET",
  target,
  fields: ["Host", "shop.example", ...fields],
});

/** @returns the cookie that a link gives, as a browser sends it */
function cookieBy(
  fixture: ReturnType<typeof createFixture>,
  link = `/cart/1?cutover-force=new:${secret}`,
): string {
  const [given = ""] = fieldsOf(fixture.send(cart(link)), "set-cookie");
  return given.split(";")[0] ?? "";
}

describe("a tester's header", () => {
  test("goes on to no upstream, on the cutover's routes, on others and where its secret is wrong", async () => {
    const fixture = fixtureOf();
    fixture.send(cart("/cart/1", "X-Force", `new ${secret}`));
    fixture.send(cart("/elsewhere", "X-Force", `new ${secret}`));
    fixture.send(
      cart("/cart/1", "x-force", "new wrong", "X_Force", `new ${secret}`, "Connection", "x-force"),
    );
    await turn();
    expect(fixture.decisions).toEqual(["new forced", "legacy anonymous"]);
    expect(fixture.attempts).toHaveLength(3);
    for (const { request } of fixture.attempts)
      expect(request.fields.join("\n")).not.toMatch(/x.force|otter/i);
  });

  test("with a wrong secret is counted; after 10 within a minute its address is ignored for a minute", () => {
    const fixture = fixtureOf();
    const ask = (said: string, address = "192.0.2.7") => {
      fixture.decisions.length = 0;
      fixture.send({ ...cart("/cart/1", "X-Force", said), peer: { address, encrypted: false } });
      return fixture.decisions[0];
    };
    for (let i = 0; i < 9; i++) expect(ask(`new guess-${i}`)).toBe("legacy anonymous");
    expect(ask(`new ${secret}`)).toBe("new forced");
    expect(ask("neither")).toBe("legacy anonymous");
    expect(fixture.counted.filter((one) => one === "wrong force")).toHaveLength(10);
    expect(ask(`new ${secret}`)).toBe("legacy anonymous");
    expect(ask("new guess")).toBe("legacy anonymous");
    expect(fixture.counted.filter((one) => one === "wrong force")).toHaveLength(10);
    expect(fixture.counted.filter((one) => one === "ignored force")).toHaveLength(2);
    expect(ask(`new ${secret}`, "192.0.2.8")).toBe("new forced");
    fixture.time.ms += 60_000;
    expect(ask(`new ${secret}`)).toBe("new forced");
  });

  test("with few wrong secrets a minute stays heard, and of IPv6 a whole network counts together", () => {
    const fixture = fixtureOf();
    const ask = (said: string, address: string) => {
      fixture.decisions.length = 0;
      fixture.send({ ...cart("/cart/1", "X-Force", said), peer: { address, encrypted: false } });
      return fixture.decisions[0];
    };
    for (let i = 0; i < 30; i++) {
      ask("new guess", "192.0.2.7");
      fixture.time.ms += 7000;
    }
    expect(ask(`new ${secret}`, "192.0.2.7")).toBe("new forced");
    for (let i = 0; i < 10; i++) ask("new guess", `2001:db8::${i}`);
    expect(ask(`new ${secret}`, "2001:db8::ffff")).toBe("legacy anonymous");
  });

  test("is its client's behind a trusted proxy, and does not have all of them ignored", () => {
    const fixture = fixtureOf({}, { trustedProxies: ["192.0.2.7"] });
    const ask = (said: string, client: string) => {
      fixture.decisions.length = 0;
      fixture.send(cart("/cart/1", "X-Force", said, "X-Forwarded-For", client));
      return fixture.decisions[0];
    };
    for (let i = 0; i < 11; i++) ask("new guess", "203.0.113.1");
    expect(ask(`new ${secret}`, "203.0.113.1")).toBe("legacy anonymous");
    expect(ask(`new ${secret}`, "203.0.113.2")).toBe("new forced");
  });
});

describe("a tester's link", () => {
  test("is nothing where the configuration names no cookie, and goes on as it came", () => {
    const fixture = fixtureOf();
    fixture.send(cart("/cart/1?a=1&cutover-force=new:x"));
    expect(fixture.attempts[0]?.request.target).toBe("/cart/1?a=1&cutover-force=new:x");
  });

  test("is answered by a 303 to the same address without it, which says no referrer and is not kept", () => {
    const fixture = fixtureOf(linked);
    const answer = fixture.send(cart(`/cart/1?a=%20&cutover-force=new:${secret}&b`));
    expect(answer.heads).toMatchObject([{ status: 303, length: 0 }]);
    expect(fieldsOf(answer, "location")).toEqual(["/cart/1?a=%20&b"]);
    expect(fieldsOf(answer, "referrer-policy")).toEqual(["no-referrer"]);
    expect(fieldsOf(answer, "cache-control")).toEqual(["no-store"]);
    const [cookie] = fieldsOf(answer, "set-cookie");
    expect(cookie).toMatch(/^tester=1\.n\.[\w.-]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Lax$/);
    expect(cookie).not.toContain("otter");
    expect(answer.ended()).toBe(true);
    expect(fixture.attempts).toEqual([]);
    expect(fixture.entries).toMatchObject([{ status: 303, side: "none", outcome: "ok" }]);
    expect(JSON.stringify(fixture.entries)).not.toContain("otter");
  });

  test.each([
    ["/?cutover-force=new+SECRET", "/"],
    ["/page?cutover%2Dforce=new%20SECRET&x=1", "/page?x=1"],
    ["//evil.example/x?cutover-force=new:SECRET", "/.//evil.example/x"],
    ["/\\evil.example?cutover-force=new:SECRET", "/./\\evil.example"],
    ["http://shop.example/cart/1?cutover-force=new:SECRET", "/cart/1"],
    ["/cart/1?cutover-force=new:SECRET&cutover-force=legacy:SECRET", "/cart/1"],
  ])("on any path: %s leads to %s", (target, location) => {
    const fixture = fixtureOf(linked, { paths: { onRoutes: "pass" } });
    const answer = fixture.send(cart(target.replaceAll("SECRET", secret)));
    expect(fieldsOf(answer, "location")).toEqual([location]);
    expect(new URL(location, "https://shop.example/").host).toBe("shop.example");
    expect(fieldsOf(answer, "set-cookie")).toHaveLength(1);
  });

  test("with a wrong secret leads on as well, gives nothing and is counted as wrong headers are", () => {
    const fixture = fixtureOf(linked);
    for (let i = 0; i < 10; i++) {
      const answer = fixture.send(cart(`/cart/1?cutover-force=new:guess-${i}`));
      expect(fieldsOf(answer, "location")).toEqual(["/cart/1"]);
      expect(fieldsOf(answer, "set-cookie")).toEqual([]);
    }
    expect(cookieBy(fixture)).toBe("");
    const counted = fixture.counted.filter((one) => one.endsWith("force"));
    expect(counted).toEqual([...new Array(10).fill("wrong force"), "ignored force"]);
    expect(fixture.attempts).toEqual([]);
  });

  test("is left out of what goes on with other methods and upgrades, and says nothing there", () => {
    const fixture = fixtureOf(linked);
    fixture.send({ ...cart(`/cart/1?cutover-force=new:${secret}&a=1`), method: "POST" });
    fixture.send({ ...cart(`/cart/1?cutover-force=new:${secret}`), upgrade: "websocket" });
    expect(fixture.attempts.map(({ request }) => request.target)).toEqual(["/cart/1?a=1", "/cart/1"]);
    expect(fixture.decisions).toEqual(["legacy anonymous", "legacy anonymous"]);
  });

  test("with off takes the cookie away", () => {
    const answer = fixtureOf(linked).send(cart("/cart/1?cutover-force=off"));
    expect(fieldsOf(answer, "set-cookie")).toEqual(["tester=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"]);
    expect(fieldsOf(answer, "location")).toEqual(["/cart/1"]);
  });

  test("gives a cookie that is Secure where its client speaks TLS", () => {
    const fixture = fixtureOf(linked);
    const head = cart(`/?cutover-force=new:${secret}`);
    const answer = fixture.send({ ...head, peer: { address: "192.0.2.7", encrypted: true } });
    expect(fieldsOf(answer, "set-cookie")[0]).toMatch(/; Secure$/);
  });
});

describe("a tester's cookie", () => {
  test("decides, and goes on to no upstream", () => {
    const fixture = fixtureOf(linked);
    const cookie = cookieBy(fixture);
    fixture.send(cart("/cart/1", "Cookie", `a=1; ${cookie}; b=2`));
    fixture.send(cart("/elsewhere", "Cookie", cookie));
    expect(fixture.decisions).toEqual(["new forced"]);
    expect(fixture.attempts[0]?.request.fields).toContain("a=1; b=2");
    expect(fixture.attempts[1]?.request.fields.join()).not.toContain("tester");
  });

  test("counts for 8 hours, whatever its client keeps, and also while its address is ignored", () => {
    const fixture = fixtureOf(linked);
    const cookie = cookieBy(fixture);
    const ask = () => {
      fixture.decisions.length = 0;
      fixture.send(cart("/cart/1", "Cookie", cookie));
      return fixture.decisions[0];
    };
    for (let i = 0; i < 10; i++) fixture.send(cart("/cart/1", "X-Force", "new guess"));
    expect(ask()).toBe("new forced");
    fixture.time.ms += 8 * 3_600_000 - 1000;
    expect(ask()).toBe("new forced");
    fixture.time.ms += 1000;
    expect(ask()).toBe("legacy anonymous");
  });

  test("is void once its secret is in the configuration no more, or is another's, or was changed", () => {
    const cookie = cookieBy(fixtureOf(linked));
    const ask = (force: Readonly<Record<string, unknown>>, sent: string) => {
      const fixture = fixtureOf({ ...linked, ...force });
      fixture.send(cart("/cart/1", "Cookie", sent));
      return fixture.decisions[0];
    };
    expect(ask({}, cookie)).toBe("new forced");
    expect(ask({ secrets: [sha256("another"), sha256(secret)] }, cookie)).toBe("new forced");
    expect(ask({ secrets: [sha256("another")] }, cookie)).toBe("legacy anonymous");
    expect(ask({}, cookie.replace("1.n", "1.l"))).toBe("legacy anonymous");
    expect(ask({}, `${cookie.slice(0, -1)}!`)).toBe("legacy anonymous");
  });
});
