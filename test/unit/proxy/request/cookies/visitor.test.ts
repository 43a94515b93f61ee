/** Who has no name is given one, and decided by it at once. */
import { describe, expect, test } from "vitest";
import { bucketOf } from "../../../../../src/decide/bucket.ts";
import { answer, createFixture } from "../../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../../support/raw-upstream.ts";
import { turn } from "../../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

const page = ["Host", "shop.example", "Accept", "text/html,*/*;q=0.8"];
const visited = (more: object = {}) =>
  createFixture({
    cutover: { shopper: ["header:x-shopper-id", "visitor"], ...more },
    state: { percentThousandths: 50_000 },
  });

/** Sends a request, lets the upstream answer, and tells where it went and what came. */
async function pass(
  fixture: Fixture,
  fields: readonly string[],
  given: readonly string[] = [],
  method = "GET",
) {
  const client = fixture.send({ method, target: "/cart/1", fields: [...fields] });
  await turn();
  await turn();
  const attempt = fixture.attempts.at(-1);
  answer(attempt, 200, [...given], "ok");
  const told = client.heads.at(-1)?.fields ?? [];
  const cookies = valuesOf(told, "set-cookie").filter((text) => text.startsWith("cutover_visitor="));
  return {
    side: attempt?.upstream === "fresh" ? "new" : "legacy",
    cookies,
    id: /^cutover_visitor=([^;]*)/.exec(cookies[0] ?? "")?.[1],
    cacheControl: valuesOf(told, "cache-control"),
    sent: valuesOf(attempt?.request.fields ?? [], "cookie"),
    reason: fixture.decisions.at(-1)?.split(" ").at(-1),
  };
}

describe("a visitor", () => {
  test("is named on his very first request and decided by that name, which his cookie then has", async () => {
    const sides = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const fixture = visited();
      const first = await pass(fixture, page);
      const bucket = bucketOf("checkout:", first.id ?? "");
      expect(first.cookies).toEqual([
        `cutover_visitor=${first.id}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax`,
      ]);
      expect(first.id).toMatch(/^[\w-]{22}$/);
      expect(first.side).toBe(bucket < 50_000 ? "new" : "legacy");
      const next = await pass(fixture, [...page, "Cookie", `a=b; cutover_visitor=${first.id}`]);
      expect([next.side, next.cookies, next.sent]).toEqual([first.side, [], ["a=b"]]);
      sides.add(first.side);
    }
    expect(sides).toEqual(new Set(["legacy", "new"]));
  });

  test.each([
    ["a page that is opened", ["Sec-Fetch-Mode", "navigate"], "GET", true],
    ["a form that is sent", ["Sec-Fetch-Mode", "navigate"], "POST", true],
    ["a link on another site", ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"], "GET", true],
    ["a bank that posts back", ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"], "POST", false],
    ["a host of the shop's", ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-site"], "POST", true],
    ["a browser without Sec-Fetch-Mode", ["Accept", "text/html"], "GET", true],
    ["a script", ["Sec-Fetch-Mode", "cors", "Accept", "text/html"], "GET", false],
    ["an image", ["Sec-Fetch-Mode", "no-cors", "Accept", "image/avif"], "GET", false],
    ["a program", ["Accept", "*/*"], "GET", false],
    ["a monitor", [], "HEAD", false],
    ["a callback", ["Accept", "text/html", "Content-Length", "0"], "POST", false],
    [
      "a preflight",
      ["Origin", "https://a.example", "Access-Control-Request-Method", "GET"],
      "OPTIONS",
      false,
    ],
    ["whom a header names", ["X-Shopper-Id", "ann", "Sec-Fetch-Mode", "navigate"], "GET", false],
  ])("comes of %s (%j, %s): %s", async (_, fields, method, isOne) => {
    const one = await pass(visited(), ["Host", "shop.example", ...fields], [], method);
    expect(one.cookies).toHaveLength(isOne ? 1 : 0);
  });

  test.each([
    ["a script", ["Sec-Fetch-Mode", "cors"], "GET", true],
    ["a bank that posts back", ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"], "POST", false],
    ["a form of an old browser", ["Origin", "https://shop.example"], "POST", true],
    ["a program that reads", ["Accept", "*/*"], "GET", true],
    ["a callback", ["Content-Length", "0"], "POST", false],
    [
      "a preflight",
      ["Origin", "https://a.example", "Access-Control-Request-Method", "GET"],
      "OPTIONS",
      false,
    ],
  ])("comes, with on: any, of %s (%j, %s): %s", async (_, fields, method, isOne) => {
    const fixture = createFixture({
      cutover: { shopper: ["visitor"] },
      visitor: { on: "any" },
    });
    const one = await pass(fixture, ["Host", "shop.example", ...fields], [], method);
    expect(one.cookies).toHaveLength(isOne ? 1 : 0);
  });

  test("is not who says he is something else, and of namesakes the first sound one counts", async () => {
    const fixture = visited();
    const sound = "A".repeat(22);
    const odd = await pass(fixture, [...page, "Cookie", "cutover_visitor=all-the-same"]);
    expect(odd.cookies).toHaveLength(1);
    expect(odd.sent).toEqual(["cutover_visitor=all-the-same"]);
    const two = await pass(fixture, [...page, "Cookie", `cutover_visitor=x; cutover_visitor=${sound}`]);
    expect(two.cookies).toEqual([]);
    expect(two.side).toBe(bucketOf("checkout:", sound) < 50_000 ? "new" : "legacy");
  });

  test("is nobody where no cutover asks for visitors", async () => {
    const one = await pass(createFixture(), page);
    expect([one.cookies, one.side]).toEqual([[], "legacy"]);
  });

  test("gets an answer that no shared cache keeps, and whose own caching stays for his browser", async () => {
    const one = await pass(visited(), page, ["Cache-Control", "public, max-age=60, s-maxage=600"]);
    expect(one.cacheControl).toEqual(["private, max-age=60"]);
    const plain = await pass(visited(), page);
    expect(plain.cacheControl).toEqual(["private"]);
  });

  test("has the cookie that was asked for", async () => {
    const fixture = createFixture({
      cutover: { shopper: ["visitor"] },
      visitor: {
        cookie: "__Secure-v",
        ttl: "1h",
        sameSite: "none",
        domain: "shop.example",
        secure: "always",
      },
    });
    const client = fixture.send({ method: "GET", target: "/cart/1", fields: page });
    await turn();
    answer(fixture.attempts.at(-1), 200);
    const [cookie] = valuesOf(client.heads.at(-1)?.fields ?? [], "set-cookie");
    expect(cookie).toMatch(
      /^__Secure-v=[\w-]{22}; Domain=shop\.example; Path=\/; Max-Age=3600; HttpOnly; SameSite=None; Secure$/,
    );
  });
});

test("what browses keeps its side though each shop renews its session, and the share is the percent", async () => {
  const fixture = visited();
  fixture.set({ percentThousandths: 10_000 });
  let onNew = 0;
  for (let i = 0; i < 1000; i++) {
    const jar = new Map<string, string>();
    const sides = new Set<string>();
    for (let request = 0; request < 4; request++) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
      const one = await pass(fixture, cookie === "" ? page : [...page, "Cookie", cookie]);
      sides.add(one.side);
      if (one.id !== undefined) jar.set("cutover_visitor", one.id);
      // Neither shop knows the other's.
      if (!jar.get("sid")?.startsWith(one.side)) jar.set("sid", `${one.side}-${i}-${request}`);
    }
    expect(sides.size).toBe(1);
    if (sides.has("new")) onNew += 1;
  }
  // Six standard deviations of 1,000 at a tenth.
  expect(Math.abs(onNew - 100)).toBeLessThan(57);
});
