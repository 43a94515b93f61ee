/** A login changes no sides: the visitor's bucket goes on for the account, on all its devices. */
import { describe, expect, test } from "vitest";
import { bucketOf } from "../../../../../src/decide/bucket.ts";
import { explain } from "../../../../../src/proxy/explain.ts";
import { type Browser, createBrowsers } from "../../../../support/browsers.ts";

const bucketIn = ({ jar }: Browser) => bucketOf("checkout:", jar.get("cutover_visitor") ?? "");

/** @returns a name whose bucket is on the side at 50% */
function named(side: "legacy" | "new", who = "ann"): string {
  const names = Array.from({ length: 200 }, (_, n) => `${who}-${n}`);
  return names.find((name) => bucketOf("checkout:", name) < 50_000 === (side === "new")) ?? "";
}

const shop = (cutover: object = {}) =>
  createBrowsers({
    cutover: { identity: { link: {} }, ...cutover },
    state: { percentThousandths: 50_000, version: 1 },
  });

/** Opens browsers until there is one whose visitor is on the side. */
async function visitorOn(
  side: "legacy" | "new",
  { open, browse }: ReturnType<typeof shop>,
): Promise<Browser> {
  for (;;) {
    const browser = open();
    if ((await browse(browser)).side === side) return browser;
  }
}

describe("through a login", () => {
  test.each(["legacy", "new"] as const)("who was on %s stays there", async (side) => {
    const it = shop();
    const browser = await visitorOn(side, it);
    browser.account = named(side === "new" ? "legacy" : "new");
    for (const minutes of [0, 1, 60, 1430]) {
      it.fixture.time.ms += minutes * 60_000;
      if (minutes === 1430) break;
      const one = await it.browse(browser);
      expect([one.side, one.reason]).toEqual([side, "bucket"]);
      expect(one.sent).toEqual([`account=${browser.account}`]);
    }
    it.fixture.time.ms += 86_400_000;
    expect((await it.browse(browser)).side).not.toBe(side);
  });

  test("the cookie is given once, to whom keeps one, and goes on to no shop", async () => {
    const it = shop();
    const browser = it.open();
    const first = await it.browse(browser);
    expect([...first.given.keys()].sort()).toEqual(["cutover_link", "cutover_visitor"]);
    expect(first.given.get("cutover_link")).toMatch(new RegExp(`^1\\.${bucketIn(browser).toString(36)}\\.`));
    expect([...(await it.browse(browser)).given.keys()]).toEqual([]);
    browser.account = "ann";
    expect([...(await it.browse(browser)).given.keys()]).toEqual(["cutover_link"]);
    expect([...(await it.browse(browser)).given.keys()]).toEqual([]);
  });

  test("a raise moves the account by the visitor's bucket, and a logout moves nobody", async () => {
    const it = shop();
    const browser = await visitorOn("legacy", it);
    const bucket = bucketIn(browser);
    browser.account = named("new");
    await it.browse(browser);
    it.fixture.set({ percentThousandths: bucket, version: 2 });
    expect((await it.browse(browser)).side).toBe("legacy");
    it.fixture.set({ percentThousandths: bucket + 1, version: 3 });
    expect((await it.browse(browser)).side).toBe("new");
    browser.account = undefined;
    expect((await it.browse(browser)).side).toBe("new");
  });

  test("one account on two devices is on one side: what the first has brought outranks the other's", async () => {
    const it = shop({ visit: {} });
    const [one, other] = [await visitorOn("new", it), await visitorOn("legacy", it)];
    one.account = other.account = named("legacy");
    expect((await it.browse(one)).side).toBe("new");
    expect((await it.browse(other)).side).toBe("new");
    // Now it has cookies of its own that say so.
    expect((await it.browse(other)).given).toEqual(new Map());
    const third = it.open(one.account);
    expect((await it.browse(third)).side).toBe("new");
  });

  test("the account's visit on one device goes on on another, though percent is raised meanwhile", async () => {
    const it = shop({ visit: {} });
    const one = await visitorOn("legacy", it);
    one.account = named("legacy");
    await it.browse(one);
    it.fixture.set({ percentThousandths: 100_000, version: 2 });
    expect((await it.browse(one)).reason).toBe("visit");
    const other = it.open(one.account);
    const first = await it.browse(other);
    expect([first.side, first.reason]).toEqual(["legacy", "visit"]);
    expect((await it.browse(other)).reason).toBe("visit");
    it.fixture.time.ms += 1_800_000;
    for (const browser of [one, other]) expect((await it.browse(browser)).side).toBe("new");
  });

  test("an account that browses by its own bucket is not moved by a login elsewhere, which goes to it", async () => {
    const it = shop({ visit: {} });
    const one = it.open(named("legacy"));
    expect((await it.browse(one)).side).toBe("legacy");
    const other = await visitorOn("new", it);
    other.account = one.account;
    expect((await it.browse(other)).side).toBe("legacy");
    expect((await it.browse(one)).side).toBe("legacy");
  });

  test("a journey that began before the login, or on another device, goes on where it is", async () => {
    const it = shop();
    const one = await visitorOn("new", it);
    expect((await it.browse(one, "POST", "/checkout")).side).toBe("new");
    one.account = named("legacy");
    expect((await it.browse(one)).reason).toBe("journey");
    const other = await visitorOn("new", it);
    const pinned = it.open(named("legacy", "bob"));
    expect((await it.browse(pinned, "POST", "/checkout")).side).toBe("legacy");
    other.account = pinned.account;
    expect((await it.browse(other)).side).toBe("legacy");
  });

  test("it ends with the journey: the account goes by its own bucket again", async () => {
    const it = shop();
    const browser = await visitorOn("new", it);
    browser.account = named("legacy");
    await it.browse(browser);
    expect((await it.browse(browser, "POST", "/checkout")).side).toBe("new");
    const paid = await it.browse(browser, "POST", "/orders/77/pay");
    expect([paid.side, paid.given.get("cutover_link")]).toEqual(["new", ""]);
    it.fixture.time.ms += 61_000;
    browser.jar.delete("cutover_journey");
    const after = await it.browse(browser);
    expect([after.side, after.reason]).toEqual(["legacy", "bucket"]);
  });

  test("who names an account that anybody may name settles nothing for its owner", async () => {
    const it = createBrowsers({
      cutover: { identity: { link: {} }, shopper: ["query:account", "visitor"] },
      state: { percentThousandths: 50_000, version: 1 },
    });
    const stranger = await visitorOn("new", it);
    const path = `/cart/1?account=${named("legacy")}`;
    expect((await it.browse(stranger, "GET", path)).side).toBe("new");
    expect((await it.browse(it.open(), "GET", path)).side).toBe("legacy");
  });

  test("without the store each device goes by what it brings", async () => {
    const away = () => Promise.reject(new Error("away"));
    const it = createBrowsers({
      cutover: { identity: { link: {} } },
      state: { percentThousandths: 50_000, version: 1 },
      pins: { start: away, find: away, keep: away },
    });
    const browser = await visitorOn("new", it);
    browser.account = named("legacy");
    expect((await it.browse(browser)).side).toBe("new");
    expect((await it.browse(browser)).side).toBe("new");
  });

  test("explain says by which bucket an account goes", async () => {
    const it = shop();
    const browser = await visitorOn("new", it);
    browser.account = named("legacy");
    await it.browse(browser);
    const told = await explain(it.fixture.context, "checkout", { shopper: browser.account });
    expect(told?.decision).toEqual({ side: "new", reason: "bucket" });
    expect(told?.bucket).toBe(bucketIn(browser));
    expect(told?.sentence).toContain("the account goes by that bucket since its login");
    const other = await explain(it.fixture.context, "checkout", { shopper: "somebody" });
    expect(other?.sentence).not.toContain("login");
  });
});

test("without a link nobody is given one, and a login goes by the account's bucket", async () => {
  const it = createBrowsers({ state: { percentThousandths: 50_000, version: 1 } });
  const browser = it.open();
  while ((await it.browse(browser)).side !== "new") browser.jar.clear();
  expect([...browser.jar.keys()]).toEqual(["cutover_visitor"]);
  browser.account = named("legacy");
  expect((await it.browse(browser)).side).toBe("legacy");
});
