/**
 * Shops as shops are (src/demo/storefronts) behind the configurations of the demonstration, and shoppers with browsers that
 * keep their cookies: who is on which side, and that nobody changes it in mid-visit, through raises, a login and a rollback.
 * CUTOVER_BARS=full: 2,000 shoppers at each of 10, 25, 50 and 90%.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createStorefrontShopper, type StorefrontShopper } from "../../src/demo/storefronts/shopper.ts";
import { dialects } from "../../src/demo/storefronts/storefront.ts";
import { type AdminApi, accepted } from "../support/admin-api.ts";
import { expectedSide } from "../support/bucket.ts";
import { all, amiss, nothingLost, openStorefronts, type Storefronts, salt } from "../support/storefronts.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const shoppersAtOnePercent = isFull ? 2000 : 100;
const percents = isFull ? [10, 25, 50, 90] : [25];
/** How far the share on new may be off, in points; few shoppers spread wider. */
const points = isFull ? 3.5 : 16;

describe.each(dialects)("shoppers of a shop of %s", (dialect) => {
  let fleet: Storefronts;
  let shops: Storefronts["shops"];
  let admin: AdminApi;

  beforeAll(async () => {
    fleet = await openStorefronts({ dialect });
    ({ shops, admin } = fleet);
  });
  afterAll(() => fleet.close());

  const come = (count: number) =>
    Array.from({ length: count }, () => createStorefrontShopper({ origin: fleet.serve.proxy, dialect }));
  const browse = async (shopper: StorefrontShopper) => {
    await shopper.go("arrive");
    await shopper.go("fill");
  };
  const buy = async (shopper: StorefrontShopper) => {
    await shopper.go("order");
    await shopper.go("pay");
    await shopper.go("confirm");
  };
  const nameOf = (side: "legacy" | "new") => shops[side].name;
  const sideAt = (shopper: StorefrontShopper, percent: number) =>
    nameOf(expectedSide(salt, shopper.visitor() ?? "", percent));
  const visitorOf = (shopper: StorefrontShopper) => shopper.visitor();
  const noneLost = () => {
    for (const shop of [shops.legacy, shops.new]) expect(shop.counts()).toMatchObject(nothingLost);
  };

  test.each(percents)(
    "are on new at %d% exactly whose visitor's bucket is below it, from the first page to the confirmation",
    async (percent) => {
      accepted(await admin.set(percent));
      const shoppers = come(shoppersAtOnePercent);
      await all(shoppers, async (shopper) => {
        await browse(shopper);
        await buy(shopper);
      });
      expect(amiss(shoppers, visitorOf, (shopper) => sideAt(shopper, percent))).toEqual([]);
      const onNew = shoppers.filter((shopper) => shopper.seen.includes(nameOf("new"))).length;
      expect(Math.abs((100 * onNew) / shoppers.length - percent)).toBeLessThan(points);
      noneLost();
    },
  );

  test("keep their shop though percent is raised between page and cart, cart and payment, and they sign in", async () => {
    accepted(await admin.set(20));
    const [browsing, filling, signingIn] = [come(40), come(40), come(40)];
    await all(browsing, (shopper) => shopper.go("arrive"));
    await all([...filling, ...signingIn], browse);
    accepted(await admin.set(70));
    await all(browsing, (shopper) => shopper.go("fill"));
    await all(signingIn, (shopper, index) => shopper.login(`account-${index}`));
    const everybody = [...browsing, ...filling, ...signingIn];
    await all(everybody, buy);
    expect(amiss(everybody, visitorOf, (shopper) => sideAt(shopper, 20))).toEqual([]);
    expect(everybody.some((shopper) => shopper.seen.includes(nameOf("new")))).toBe(true);
    noneLost();
  });

  test("finish on new what they began there before a rollback, and who comes after it is on legacy", async () => {
    accepted(await admin.set(60));
    const begun = come(40);
    await all(begun, browse);
    accepted(await admin.call("rollback"));
    const later = come(20);
    await all(later, browse);
    await all([...begun, ...later], buy);
    expect(amiss(begun, visitorOf, (shopper) => sideAt(shopper, 60))).toEqual([]);
    expect(amiss(later, visitorOf, () => nameOf("legacy"))).toEqual([]);
    noneLost();
    accepted(await admin.call("resume"));
  });
});
