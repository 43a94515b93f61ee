import { describe, expect, test } from "vitest";
import { signPin } from "../../../../src/decide/pin.ts";
import { createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { valuesOf } from "../../../support/raw-upstream.ts";

const nowSeconds = 1_700_000_000;
const pin = (change: Readonly<Record<string, unknown>> = {}) =>
  signPin("s3cret", "checkout", {
    id: "abcdefghijkl",
    side: "new",
    epoch: 0,
    startedAt: nowSeconds - 60,
    expiresAt: nowSeconds + 600,
    ...change,
  });
/** After a hard rollback. */
const state = { state: "rolled_back", pinEpoch: 1, percentThousandths: 0 } as const;
const fixture = (options: FixtureOptions = {}) => {
  const { cutover, ...others } = options;
  return createFixture({ state, cutover: { onVoid: { redirect: "/cart?gone=1" }, ...cutover }, ...others });
};
const page = ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin"];

interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: readonly string[];
  readonly cookie?: string;
  readonly options?: FixtureOptions;
}

/** What its client gets at once, and what went to a side. */
async function given({
  method = "GET",
  target = "/cart/step2",
  fields = page,
  cookie = pin(),
  options,
}: Sent) {
  const made = fixture(options);
  const all = ["Host", "shop.example", "Cookie", `cutover_journey=${cookie}`, "X-Shopper-Id", "a", ...fields];
  const client = made.send({ method, target, fields: all });
  await expect.poll(() => client.heads.length + made.attempts.length).toBe(1);
  const [head] = client.heads;
  return { status: head?.status, fields: head?.fields ?? [], made };
}

test("a shopper whose journey is gone sees the page that is said, once, and no side gets anything", async () => {
  const { status, fields, made } = await given({});
  expect(status).toBe(303);
  expect(valuesOf(fields, "location")).toEqual(["/cart?gone=1"]);
  expect(valuesOf(fields, "cache-control")).toEqual(["no-store"]);
  expect(valuesOf(fields, "set-cookie")).toEqual([
    "cutover_journey=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
  ]);
  expect(made.attempts).toEqual([]);
  expect([made.counted, made.decisions]).toEqual([["none ok"], []]);
});

describe("so does who sends a form", () => {
  test("of a start: its journey is not begun on legacy", async () => {
    const { status, made } = await given({ method: "POST", target: "/checkout" });
    expect(status).toBe(303);
    expect(made.journeys).toEqual([]);
    expect(await made.pins.find("checkout", "a", 14_400)).toBeUndefined();
  });

  test("with an idempotency key: it is nobody's afterwards", async () => {
    const { status, made } = await given({
      method: "POST",
      target: "/cart/add",
      fields: [...page, "Idempotency-Key", "k1"],
    });
    expect(status).toBe(303);
    expect(made.claims.size).toBe(0);
  });

  test.each([
    ["HEAD", page],
    ["GET", ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"]],
    ["GET", ["Accept", "text/html", "Referer", "https://shop.example/cart/1"]],
    ["POST", ["Accept", "text/html,*/*", "Origin", "https://SHOP.example:443"]],
  ])("%s with %j", async (method, fields) => {
    expect((await given({ method, fields })).status).toBe(303);
  });
});

describe("it goes on to its side", () => {
  test.each<[string, Sent]>([
    [
      "as a payment provider's way back, a form of another site",
      { method: "POST", fields: ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"] },
    ],
    [
      "as a payment provider's way back by a link",
      { fields: ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"] },
    ],
    [
      "as the way back from a payment page under another host of the shop's",
      { method: "POST", fields: ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-site"] },
    ],
    ["as a page that nobody says where it comes from", { fields: ["Accept", "text/html"] }],
    [
      "as a page that comes from another site's",
      { fields: ["Accept", "text/html", "Referer", "https://acs.bank.example/"] },
    ],
    ["as a form from nowhere", { method: "POST", fields: ["Accept", "text/html", "Origin", "null"] }],
    ["as what a script fetches", { fields: ["Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"] }],
    [
      "as what an older browser's script fetches",
      { fields: ["Accept", "application/json", "Referer", "https://shop.example/"] },
    ],
    ["as a picture", { fields: ["Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-origin"] }],
    ["with a method that no browser opens a page with", { method: "PUT" }],
    [
      "for the very page that it would be sent to",
      { options: { cutover: { onVoid: { redirect: "/cart/step2" } } } },
    ],
    ["without the key", { options: { cutover: { onVoid: undefined } } }],
    ["in a journey of legacy", { cookie: pin({ side: "legacy" }) }],
    ["in a journey of after the rollback", { cookie: pin({ epoch: 1 }) }],
    ["in a journey that has ended: that shopper has paid", { cookie: pin({ startedAt: 0 }) }],
    ["with a cookie that somebody else has signed", { cookie: pin().slice(0, -1) }],
    ["with one that is too old", { cookie: pin({ expiresAt: nowSeconds - 1 }) }],
    [
      "once new is where it would go",
      { options: { state: { state: "open", pinEpoch: 1, percentThousandths: 100_000 } } },
    ],
  ])("%s", async (_, sent) => {
    const { status, made } = await given(sent);
    expect(status).toBeUndefined();
    expect(made.attempts).toHaveLength(1);
  });

  test.each(["legacy", "new"] as const)("with an order of %s", async (side) => {
    const made = fixture();
    made.owned.set("77", side);
    const fields = ["Host", "shop.example", "Cookie", `cutover_journey=${pin()}`, ...page];
    made.send({ method: "POST", target: "/orders/77/pay", fields });
    await expect.poll(() => made.attempts.length).toBe(1);
    expect(made.decisions).toEqual([`${side} owner`]);
  });

  test("as a callback, which has no cookie", async () => {
    const made = fixture();
    made.send({ method: "POST", target: "/callbacks/payment", fields: ["Host", "shop.example"] });
    await expect.poll(() => made.attempts.length).toBe(1);
  });
});
