/** Who has begun to browse stays on the side for so long, though percent is raised. */
import { describe, expect, test } from "vitest";
import { bucketOf } from "../../../../../src/decide/bucket.ts";
import { answer, createFixture } from "../../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../../support/raw-upstream.ts";
import { turn } from "../../../../support/until.ts";

type Fixture = ReturnType<typeof createFixture>;

/** Of a bucket in the middle: below 60% and not below 40%. */
const ann = Array.from({ length: 100 }, (_, n) => `ann-${n}`).find((name) => {
  const bucket = bucketOf("checkout:", name);
  return bucket >= 40_000 && bucket < 60_000;
});

const browsing = (visit: object = {}, percent = 10_000) =>
  createFixture({ cutover: { visit }, state: { percentThousandths: percent, version: 1 } });

interface Sent {
  readonly visit?: string | undefined;
  readonly method?: string;
  readonly path?: string;
  readonly fields?: readonly string[];
  readonly status?: number;
  readonly given?: readonly string[];
}

/** Sends a request, lets the upstream answer, and tells where it went and what came. */
async function pass(fixture: Fixture, { visit, method = "GET", path = "/cart/1", ...more }: Sent = {}) {
  const cookie = visit === undefined ? "a=b" : `a=b; cutover_visit=${visit}`;
  const fields = more.fields ?? ["Host", "shop.example", "X-Shopper-Id", ann ?? "", "Cookie", cookie];
  const client = fixture.send({ method, target: path, fields: [...fields] });
  await turn();
  await turn();
  const attempt = fixture.attempts.at(-1);
  answer(attempt, more.status ?? 200, more.given ?? [], "ok");
  const told = client.heads.at(-1)?.fields ?? [];
  const cookies = valuesOf(told, "set-cookie").filter((text) => text.startsWith("cutover_visit="));
  return {
    decided: fixture.decisions.at(-1),
    cookies,
    visit: /^cutover_visit=([^;]*)/.exec(cookies[0] ?? "")?.[1],
    cacheControl: valuesOf(told, "cache-control"),
    sent: valuesOf(attempt?.request.fields ?? [], "cookie"),
  };
}

describe("a visit", () => {
  test("begins with the first answer by the bucket, and outlasts a raise to its end and no longer", async () => {
    const fixture = browsing();
    const first = await pass(fixture);
    expect(first.decided).toBe("legacy bucket");
    expect(first.cookies).toEqual([
      expect.stringMatching(/^cutover_visit=1\.l\.[^;]+; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax$/),
    ]);
    expect(first.cacheControl).toEqual(["private"]);
    fixture.set({ percentThousandths: 100_000, version: 2 });
    fixture.time.ms += 1_799_000;
    const later = await pass(fixture, { visit: first.visit, given: ["Cache-Control", "public, max-age=9"] });
    expect([later.decided, later.cookies, later.sent]).toEqual(["legacy visit", [], ["a=b"]]);
    expect(later.cacheControl).toEqual(["public, max-age=9"]);
    fixture.time.ms += 1000;
    const over = await pass(fixture, { visit: first.visit });
    expect(over.decided).toBe("new bucket");
    expect(over.visit).toMatch(/^1\.n\./);
    expect(over.sent).toEqual(["a=b"]);
  });

  test("on new outlasts a lower percent, but not 0 as long as it stands", async () => {
    const fixture = browsing({}, 90_000);
    const { visit } = await pass(fixture);
    fixture.set({ percentThousandths: 1000, version: 2 });
    expect((await pass(fixture, { visit })).decided).toBe("new visit");
    fixture.set({ percentThousandths: 0, version: 3 });
    expect((await pass(fixture, { visit })).decided).toBe("legacy bucket");
  });

  test("on new ends with a rollback, also once that is resumed and percent raised again", async () => {
    const fixture = browsing({}, 90_000);
    const { visit } = await pass(fixture);
    fixture.set({ state: "rolled_back", percentThousandths: 0, version: 2 });
    const meanwhile = await pass(fixture, { visit });
    expect([meanwhile.decided, meanwhile.cookies]).toEqual(["legacy rolled_back", []]);
    fixture.set({ state: "open", version: 3 });
    fixture.set({ percentThousandths: 1000, version: 4 });
    const after = await pass(fixture, { visit });
    expect(after.decided).toBe("legacy bucket");
    expect(after.visit).toMatch(/^1\.l\./);
  });

  test("lasts, with a maximum, from each request on, but not past that", async () => {
    const fixture = browsing({ for: "30m", max: "1h" });
    let { visit } = await pass(fixture);
    fixture.set({ percentThousandths: 100_000, version: 2 });
    for (let minutes = 0; minutes < 60; minutes += 10) {
      const one = await pass(fixture, { visit });
      expect(one.decided).toBe("legacy visit");
      visit = one.visit ?? visit;
      fixture.time.ms += 600_000;
    }
    expect((await pass(fixture, { visit })).decided).toBe("new bucket");
  });

  test("leads a checkout that begins in it, whose journey then stays where it is", async () => {
    const fixture = browsing();
    const { visit } = await pass(fixture);
    fixture.set({ percentThousandths: 100_000, version: 2 });
    const start = await pass(fixture, { visit, method: "POST", path: "/checkout", status: 201 });
    expect(start.decided).toBe("legacy visit");
    fixture.time.ms += 1_790_000;
    // Another device of hers, without a cookie: what began is in the store.
    const other = ["Host", "shop.example", "X-Shopper-Id", ann ?? ""];
    expect((await pass(fixture, { fields: other })).decided).toBe("legacy journey");
  });

  test.each([
    ["a page that somebody opens who has no cookie yet", ["Sec-Fetch-Mode", "navigate"], "GET", 200, true],
    ["an answer that says there is no such page", ["Cookie", "a=b"], "GET", 404, true],
    ["an app without cookies", ["Accept", "*/*"], "GET", 200, false],
    ["a preflight", ["Cookie", "a=b", "Origin", "https://a.example"], "OPTIONS", 204, false],
    ["a side that fails", ["Cookie", "a=b"], "GET", 502, false],
  ])("begins with %s (%j, %s, %i): %s", async (_, fields, method, status, begins) => {
    const named = ["Host", "shop.example", "X-Shopper-Id", ann ?? "", ...fields];
    const one = await pass(browsing(), { fields: named, method, status });
    expect(one.cookies).toHaveLength(begins ? 1 : 0);
  });

  test("does not begin where an order, a journey or nobody's name decides", async () => {
    const fixture = browsing();
    fixture.owned.set("77", "new");
    const order = await pass(fixture, { method: "POST", path: "/orders/77/pay" });
    expect([order.decided, order.cookies]).toEqual(["new owner", []]);
    const nobody = await pass(fixture, { fields: ["Host", "shop.example", "Cookie", "a=b"] });
    expect([nobody.decided, nobody.cookies]).toEqual(["legacy anonymous", []]);
  });

  test("is not begun anew by a form of another site's page, with which the visit's cookie does not come", async () => {
    const fields = ["Host", "shop.example", "X-Shopper-Id", ann ?? "", "Cookie", "a=b"];
    const sent = { method: "POST", fields: [...fields, "Sec-Fetch-Mode", "navigate"] };
    const own = await pass(browsing(), sent);
    expect([own.decided, own.cookies.length]).toEqual(["legacy bucket", 1]);
    const foreign = await pass(browsing(), {
      ...sent,
      fields: [...sent.fields, "Sec-Fetch-Site", "cross-site"],
    });
    expect([foreign.decided, foreign.cookies]).toEqual(["legacy bucket", []]);
  });

  test("is none that another has made; of namesakes the first sound one counts, and goes on to no shop", async () => {
    const fixture = browsing();
    const { visit = "" } = await pass(fixture);
    fixture.set({ percentThousandths: 100_000, version: 2 });
    const forged = await pass(fixture, { visit: visit.replace(/.$/, visit.endsWith("A") ? "Q" : "A") });
    expect(forged.decided).toBe("new bucket");
    const two = await pass(fixture, { visit: `x; cutover_visit=${visit}` });
    expect([two.decided, two.sent]).toEqual(["legacy visit", ["a=b; cutover_visit=x"]]);
  });
});

test("without a visit block nobody is given one, and whoever shows one goes by the bucket", async () => {
  const { visit } = await pass(browsing());
  const fixture = createFixture({ state: { percentThousandths: 100_000 } });
  const one = await pass(fixture, { visit });
  expect([one.decided, one.cookies]).toEqual(["new bucket", []]);
});
