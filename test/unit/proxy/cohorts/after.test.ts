/** Requests of a cutover that goes after another: by one snapshot, and by what they tell of the other. */
import { describe, expect, test } from "vitest";
import { bucketOf, saltPrefix } from "../../../../src/decide/bucket.ts";
import { explain, type Question } from "../../../../src/proxy/explain.ts";
import { type Browser, createBrowsers } from "../../../support/browsers.ts";
import { answer, createFixture, type FixtureOptions } from "../../../support/exchange-fixture.ts";
import { turn } from "../../../support/until.ts";

const cart = {
  group: "shop",
  journey: { cookie: "cart_journey", secret: "s3cret" },
  routes: [
    { name: "basket", path: "/basket/*" },
    { name: "begin", path: "/baskets", methods: ["POST"], journey: "start" },
  ],
  owners: [],
};
const options = (more: FixtureOptions = {}, ofCart: object = {}, own: object = {}): FixtureOptions => ({
  ...more,
  cutover: { group: "shop", after: "cart", ...own },
  others: { cart: { ...cart, ...ofCart } },
});
const percent = (points: number) => ({ percentThousandths: points * 1000 });
/** Its bucket in both. */
const named = (from: number, below: number): string => {
  for (let n = 0; ; n++) {
    const bucket = bucketOf(saltPrefix("shop"), `s-${n}`);
    if (bucket >= from * 1000 && bucket < below * 1000) return `s-${n}`;
  }
};

function shop(given = options()) {
  const fixture = createFixture(given);
  return {
    fixture,
    async go(shopper: string, target = "/cart/1", method = "GET", fields: readonly string[] = []) {
      const before = fixture.attempts.length;
      const client = fixture.send({
        method,
        target,
        fields: ["Host", "shop.example", "X-Shopper-Id", shopper, ...fields],
      });
      for (let turns = 0; fixture.attempts.length === before && turns < 50; turns++) await turn();
      answer(fixture.attempts.at(-1), 200, [], "ok");
      await turn();
      return { told: fixture.decisions.at(-1), client };
    },
  };
}

test("percents are held to cart's at once, hand edits of it included, and stand as they are", async () => {
  const { fixture, go } = shop();
  const shopper = named(20, 30);
  fixture.set(percent(50), "cart");
  fixture.set(percent(50));
  expect((await go(shopper)).told).toBe("new bucket");
  fixture.set(percent(0), "cart");
  expect((await go(shopper)).told).toBe("legacy bucket");
  fixture.set(percent(50), "cart");
  expect((await go(shopper)).told).toBe("new bucket");
  fixture.set({ ...percent(0), state: "rolled_back" }, "cart");
  expect((await go(shopper)).told).toBe("legacy rolled_back");
});

test("a journey that began on legacy in cart keeps its shopper there, by the cookie and by the store", async () => {
  const { fixture, go } = shop();
  const shopper = named(20, 30);
  const begun = await go(shopper, "/baskets", "POST");
  expect(begun.told).toBe("legacy bucket");
  fixture.set(percent(100), "cart");
  fixture.set(percent(100));
  expect((await go(shopper, "/basket/1")).told).toBe("legacy journey");
  expect((await go(shopper)).told).toBe("legacy after");
  expect((await go(shopper, "/checkout", "POST")).told).toBe("legacy after");
  // What has begun with that is a journey of its own.
  fixture.time.ms += 1000;
  expect((await go(named(0, 10))).told).toBe("new bucket");
  const [, cookie = ""] = /(cart_journey=[^;]*)/.exec((begun.client.heads[0]?.fields ?? []).join("\n")) ?? [];
  expect((await go(named(30, 40), "/cart/1", "GET", ["Cookie", cookie])).told).toBe("legacy after");
  // Once that is over, its shopper is as any other: the store has it for its longest.
  fixture.time.ms += 5 * 3_600_000;
  expect((await go(named(30, 40), "/cart/1", "GET", ["Cookie", cookie])).told).toBe("new bucket");
});

test("a cart over its exposure cap keeps what begins in payment on legacy, until it is open again", async () => {
  const exposure = { maxOpenAmount: 1000, currency: "IDR", amount: "json:/total" };
  const own = { visit: { cookie: "checkout_visit" } };
  const { fixture, go } = shop(options({}, { exposure, visit: { cookie: "cart_visit" } }, own));
  fixture.set(percent(50), "cart");
  fixture.set(percent(50));
  const [under, late, third] = [named(10, 20), named(20, 30), named(30, 40)];
  const page = ["Sec-Fetch-Mode", "navigate"];
  const cookiesOf = ({ client }: Awaited<ReturnType<typeof go>>) =>
    [
      ...(client.heads[0]?.fields ?? []).join("\n").matchAll(/^cutover_journey=[^;]*|^\w+_visit=[^;]*/gm),
    ].join("; ");
  const begun = await go(under, "/checkout", "POST");
  expect(begun.told).toBe("new bucket");
  const inCart = await go(third, "/basket/1", "GET", [...page, "Cookie", "a=b"]);
  expect(inCart.told).toBe("new bucket");
  expect(fixture.exposure.standing("cart")).toMatchObject({ openAmount: 0, isOver: false });

  fixture.exposure.opened("cart", "A", 700);
  expect((await go(late)).told).toBe("new bucket");
  fixture.exposure.opened("cart", "B", 301);
  expect((await go(late, "/basket/1")).told).toBe("legacy exposure");
  expect((await go(late)).told).toBe("legacy after");
  expect((await go(late, "/checkout", "POST")).told).toBe("legacy after");
  const why = await explain(fixture.context, "checkout", { shopper: named(40, 50) });
  expect(why?.sentence).toMatch(
    /^legacy, because cart, which it goes after, has the same request on legacy: .*its cap/,
  );
  // What has begun goes on where it is: a journey of payment's, and who is on new in cart by a visit.
  expect((await go(under, "/cart/1", "GET", ["Cookie", cookiesOf(begun)])).told).toBe("new journey");
  expect((await go(third, "/basket/1", "GET", ["Cookie", cookiesOf(inCart)])).told).toBe("new visit");
  expect((await go(third, "/cart/1", "GET", ["Cookie", cookiesOf(inCart)])).told).toBe("new bucket");

  fixture.exposure.closed("cart", "B");
  expect((await go(named(40, 50))).told).toBe("new bucket");
  // Nothing of it is payment's own.
  expect(fixture.exposure.standing("checkout")).toBeUndefined();
});

test("cart's cohorts count by its own rules for the same request, whose body is read for them", async () => {
  const cohorts = [
    { name: "staff", when: { list: "staff" }, side: "new" },
    { name: "bulk", when: { json: "/kind", in: ["bulk"] }, side: "legacy" },
  ];
  const routes = [{ name: "pay", path: "/pay", methods: ["POST"] }];
  const own = { routes, owners: [], journey: undefined };
  const shopper = named(20, 30);
  const { fixture } = shop(options({ lists: { staff: [shopper] } }, { cohorts }, own));
  const pay = async (by: string, kind: string) => {
    const before = fixture.attempts.length;
    const fields = ["Host", "shop.example", "X-Shopper-Id", by, "Content-Type", "application/json"];
    fixture.send({ method: "POST", target: "/pay", fields }, JSON.stringify({ kind }));
    for (let turns = 0; fixture.attempts.length === before && turns < 50; turns++) await turn();
    return fixture.decisions.at(-1);
  };
  fixture.set(percent(50));
  expect(await pay(shopper, "one")).toBe("new bucket");
  expect(await pay(named(30, 40), "one")).toBe("legacy bucket");
  fixture.set(percent(50), "cart");
  expect(await pay(named(30, 40), "one")).toBe("new bucket");
  expect(await pay(named(30, 40), "bulk")).toBe("legacy bucket");
});

describe("browsers", () => {
  const visits = { visit: { cookie: "cart_visit", for: "30m" } };
  const at = (browser: Browser) => (shopAt: ReturnType<typeof createBrowsers>, path: string) =>
    shopAt.browse({ jar: new Map(browser.jar), account: browser.account }, "GET", path);

  test("whose visit in cart is on legacy stay there in what goes after it, until it is over", async () => {
    const both = createBrowsers(options({}, { ...visits, shopper: ["cookie:account", "visitor"] }));
    const browser = both.open();
    expect((await both.browse(browser, "GET", "/basket/1")).side).toBe("legacy");
    both.fixture.set(percent(100), "cart");
    both.fixture.set(percent(100));
    expect((await at(browser)(both, "/basket/1")).reason).toBe("visit");
    expect(await at(browser)(both, "/cart/1")).toMatchObject({ side: "legacy", reason: "after" });
    both.fixture.time.ms += 31 * 60_000;
    expect(await at(browser)(both, "/cart/1")).toMatchObject({ side: "new", reason: "bucket" });
  });

  test("who log in have one bucket in both: that which cart has linked", async () => {
    const ofCart = { identity: { link: { cookie: "cart_link" } }, shopper: ["cookie:account", "visitor"] };
    for (let n = 0; n < 20; n++) {
      const both = createBrowsers(options({}, ofCart));
      const browser = both.open();
      await both.browse(browser, "GET", "/basket/1");
      browser.account = `ana-${n}`;
      await both.browse(browser, "GET", "/basket/1");
      const elsewhere = both.open(`ana-${n}`);
      for (const points of [10, 30, 50, 70, 90]) {
        both.fixture.set(percent(points), "cart");
        both.fixture.set(percent(points));
        const { side } = await at(browser)(both, "/basket/1");
        expect((await at(browser)(both, "/cart/1")).side).toBe(side);
        expect((await at(elsewhere)(both, "/cart/1")).side).toBe(side);
      }
    }
  });

  test("of an account whose visit in cart began on another device go to its side here, too", async () => {
    const ofCart = {
      ...visits,
      identity: { link: { cookie: "cart_link" } },
      shopper: ["cookie:account", "visitor"],
    };
    const both = createBrowsers(options({}, ofCart));
    const browser = both.open();
    await both.browse(browser, "GET", "/basket/1");
    browser.account = "ana";
    expect((await both.browse(browser, "GET", "/basket/1")).side).toBe("legacy");
    both.fixture.set(percent(100), "cart");
    both.fixture.set(percent(100));
    const elsewhere = both.open("ana");
    expect((await at(elsewhere)(both, "/cart/1")).side).toBe("legacy");
    expect(await at(elsewhere)(both, "/basket/1")).toMatchObject({ side: "legacy", reason: "visit" });
    both.fixture.time.ms += 31 * 60_000;
    expect((await at(elsewhere)(both, "/cart/1")).side).toBe("new");
  });

  test("end their link with the journey that ends in what goes after it", async () => {
    const ofCart = { identity: { link: { cookie: "cart_link" } }, shopper: ["cookie:account", "visitor"] };
    const both = createBrowsers(options({}, ofCart));
    const browser = both.open();
    await both.browse(browser, "GET", "/basket/1");
    browser.account = "ana";
    await both.browse(browser, "GET", "/basket/1");
    expect(browser.jar.has("cart_link")).toBe(true);
    await both.browse(browser, "POST", "/checkout");
    await both.browse(browser, "POST", "/orders/7/pay");
    expect(browser.jar.has("cart_link")).toBe(false);
  });
});

describe("an explanation", () => {
  const ask = (ofCart: object = {}) => {
    const { fixture } = shop(options({}, ofCart));
    const why = async (question: Question) =>
      (await explain(fixture.context, "checkout", question))?.sentence;
    return { fixture, why };
  };

  test("says by whom a percent is held, and at how much", async () => {
    const { fixture, why } = ask();
    const shopper = named(20, 30);
    fixture.set({ ...percent(10), version: 9 }, "cart");
    fixture.set({ ...percent(50), version: 4 });
    const bucket = bucketOf(saltPrefix("shop"), shopper);
    expect(await why({ shopper })).toBe(
      `legacy, because the shopper's bucket ${bucket} is not below 10000, which is 10% of 100000; version 4 at 50%, held at 10% by cart, version 9.`,
    );
    fixture.set({ ...percent(60), version: 10 }, "cart");
    expect(await why({ shopper })).toContain("is below 50000, which is 50% of 100000; version 4 at 50%.");
  });

  test("goes by the bucket that an account was linked to in another cutover of the group", async () => {
    const of = { shopper: ["cookie:account", "visitor"], identity: { link: { cookie: "cart_link" } } };
    const both = createBrowsers({ cutover: { group: "shop" }, others: { cart: { ...cart, ...of } } });
    const browser = both.open();
    await both.browse(browser, "GET", "/cart/1");
    const bucket = bucketOf(saltPrefix("shop"), browser.jar.get("cutover_visitor") ?? "");
    browser.account = "ana";
    await both.browse(browser, "GET", "/cart/1");
    for (const name of ["checkout", "cart"]) {
      const found = await explain(both.fixture.context, name, { shopper: "ana" });
      expect([name, found?.bucket]).toEqual([name, bucket]);
    }
  });

  test("says whose rollback it is, and why cart has the request on legacy", async () => {
    const { fixture, why } = ask({ cohorts: [{ name: "my", when: { host: "*.my" }, side: "legacy" }] });
    fixture.set({ ...percent(0), state: "rolled_back", version: 9 }, "cart");
    fixture.set({ ...percent(50), version: 4 });
    expect(await why({ shopper: named(0, 5) })).toContain(
      "legacy, because cart, which it goes after, is rolled back: new journeys start on legacy (bucket ",
    );
    const { fixture: other, why: whyThere } = ask();
    other.set({ ...percent(10), version: 9 }, "cart");
    other.set({ ...percent(50), version: 4 });
    expect(await whyThere({ shopper: named(20, 30), visit: "new" })).toMatch(
      /^legacy, because cart, which it goes after, has the same request on legacy: the shopper's bucket \d+ is not below 10000/,
    );
  });
});
