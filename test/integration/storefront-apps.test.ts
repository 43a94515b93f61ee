/**
 * Shoppers with an app that keeps no cookie in front of a shop as shops are: nothing but the store holds their journeys, and
 * nothing but a field tells who they are: one of their own, or what stays of the bearer token that changes at a login.
 * CUTOVER_BARS=full: 2,000 apps at each of 10, 25, 50 and 90%.
 */
import { Agent } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accepted } from "../support/admin-api.ts";
import { expectedSide } from "../support/bucket.ts";
import { appIdentities, createStorefrontApp, type StorefrontApp } from "../support/storefront-app.ts";
import { all, amiss, nothingLost, openStorefronts, type Storefronts, salt } from "../support/storefronts.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const appsAtOnePercent = isFull ? 2000 : 60;
const percents = isFull ? [10, 25, 50, 90] : [25];
/** How far the share on new may be off, in points; few apps spread wider. */
const points = isFull ? 3.5 : 24;
const some = isFull ? 300 : 30;

const settings = [
  { identity: "token", engine: "undici", workers: 2 },
  { identity: "account", engine: "http-proxy", workers: 1 },
] as const;

describe.each(isFull ? settings : settings.slice(0, 1))(
  "apps told apart by their $identity, through $engine with workers: $workers",
  (setting) => {
    const { identity, engine, workers } = setting;
    const dispatcher = new Agent({ connections: 32 });
    let fleet: Storefronts;
    beforeAll(async () => {
      fleet = await openStorefronts({
        dialect: "graphql",
        change: (yaml) =>
          `engine: ${engine}\nworkers: ${workers}\n${yaml
            .replace('shopper: ["visitor"]', `shopper: ['${appIdentities[identity]}']`)
            .replace(/^ +(?:cookies|visit): .*\n/gm, "")}`,
      });
    });
    afterAll(async () => {
      await dispatcher.close();
      await fleet.close();
    });

    const come = (count: number) =>
      Array.from({ length: count }, () =>
        createStorefrontApp({ origin: fleet.serve.proxy, dispatcher, identity }),
      );
    const browse = async (app: StorefrontApp) => {
      await app.arrive();
      await app.fill();
    };
    const idOf = ({ id }: StorefrontApp) => id;
    const shopAt = (percent: number) => (app: StorefrontApp) =>
      fleet.shops[expectedSide(salt, app.id, percent)].name;
    const noneLost = () => {
      for (const shop of [fleet.shops.legacy, fleet.shops.new])
        expect(shop.counts()).toMatchObject(nothingLost);
    };

    test.each(percents)(
      "are on new at %d% exactly those whose bucket is below it, through a login in mid-cart",
      async (percent) => {
        accepted(await fleet.admin.set(percent));
        const apps = come(appsAtOnePercent);
        await all(apps, async (app, index) => {
          await browse(app);
          if (index % 2 === 0) await app.login();
          await app.buy();
        });
        expect(amiss(apps, idOf, shopAt(percent))).toEqual([]);
        const onNew = apps.filter(({ seen }) => seen.includes(fleet.shops.new.name)).length;
        expect(Math.abs((100 * onNew) / apps.length - percent)).toBeLessThan(points);
        noneLost();
      },
    );

    test("keep their shop from the cart on, though percent is raised and they sign in", async () => {
      accepted(await fleet.admin.set(20));
      const [browsing, filled] = [come(some), come(some)];
      await all(browsing, (app) => app.arrive());
      expect(amiss(browsing, idOf, shopAt(20))).toEqual([]);
      await all(filled, browse);
      accepted(await fleet.admin.set(70));
      // Who has only looked has nothing on either side yet.
      for (const { seen } of browsing) seen.splice(0);
      await all(browsing, (app) => app.fill());
      accepted(await fleet.admin.set(80));
      const everybody = [...browsing, ...filled];
      await all(everybody, async (app, index) => {
        if (index % 2 === 0) await app.login();
        await app.buy();
      });
      expect(amiss(browsing, idOf, shopAt(70))).toEqual([]);
      expect(amiss(filled, idOf, shopAt(20))).toEqual([]);
      noneLost();
    });

    test("finish on new what they began there before a rollback, signed in since; who comes after it is on legacy", async () => {
      accepted(await fleet.admin.set(60));
      const begun = come(some);
      await all(begun, browse);
      accepted(await fleet.admin.call("rollback"));
      const later = come(some / 2);
      await all(later, browse);
      await all([...begun, ...later], async (app) => {
        await app.login();
        await app.buy();
      });
      expect(amiss(begun, idOf, shopAt(60))).toEqual([]);
      expect(begun.some(({ seen }) => seen.includes(fleet.shops.new.name))).toBe(true);
      expect(amiss(later, idOf, () => fleet.shops.legacy.name)).toEqual([]);
      noneLost();
      accepted(await fleet.admin.call("resume"));
    });
  },
);
