/**
 * Shops as shops are (src/demo/storefronts) behind the built program, and shoppers with a real browser: from the page to the
 * confirmation on either side, percent raised after the cart, rolled back before the payment. The shop of forms sends them to
 * a bank on another site, whose page posts the payment back: the browser keeps their `SameSite=Lax` cookies to itself then.
 * CUTOVER_BARS=full: by either engine, by one process and by two, and by TLS, where the browser speaks HTTP/2.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Listener, listen } from "../../src/demo/shops/http.ts";
import { createBank } from "../../src/demo/storefronts/bank.ts";
import { dialects } from "../../src/demo/storefronts/storefront.ts";
import { type AdminApi, accepted } from "../support/admin-api.ts";
import { expectedSide } from "../support/bucket.ts";
import { launchChromium } from "../support/chromium.ts";
import type { Served } from "../support/cutover.ts";
import { secured } from "../support/secured.ts";
import { openStorefronts, orderFormats, type Storefronts, salt } from "../support/storefronts.ts";

const sides = ["legacy", "new"] as const;
type Side = (typeof sides)[number];
const percent = 50;

const isFull = process.env.CUTOVER_BARS === "full";
const plain = { engine: "undici", workers: 1, isSecure: false };
const settings = isFull
  ? [
      plain,
      { engine: "undici", workers: 2, isSecure: true },
      { engine: "http-proxy", workers: 1, isSecure: false },
      { engine: "http-proxy", workers: 2, isSecure: true },
    ]
  : [plain];
const cases = dialects.flatMap((dialect) => settings.map((setting) => ({ dialect, ...setting })));

const { pair } = secured();
let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
});
afterAll(() => browser.close());

/** A browser's window that is looked at from its first address on. */
interface Watched {
  readonly page: Page;
  /** The origins in the address bar, one after another. */
  readonly origins: string[];
  /** The shops that answered, styles and scripts included. */
  readonly shops: Set<string>;
  /** Answers that failed, requests without an answer, errors on the console and in scripts, windows opened. */
  readonly troubles: string[];
  /** The proxy's cookies that it keeps, by their names; of the journey its side and beginning, for it goes on with each page. */
  kept(): Promise<ReadonlyMap<string, string>>;
}

/** @returns a window of a browser without cookies, which nobody else has */
async function openWindow(): Promise<Watched> {
  // The authority is the test's own.
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const origins: string[] = [];
  const shops = new Set<string>();
  const troubles: string[] = [];
  context.on("page", (other) => troubles.push(`a window for ${other.url()}`));
  context.on("weberror", (error) => troubles.push(`a script failed: ${error.error().message}`));
  context.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") troubles.push(`console: ${line.text()}`);
  });
  context.on("requestfailed", (request) => {
    troubles.push(`no answer: ${request.url()} ${request.failure()?.errorText}`);
  });
  context.on("response", (response) => {
    const shop = response.headers()["x-shop"];
    if (shop !== undefined) shops.add(shop);
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
  });
  page.on("framenavigated", (frame) => {
    const { origin } = new URL(frame.url());
    if (origins.at(-1) !== origin) origins.push(origin);
  });
  return {
    page,
    origins,
    shops,
    troubles,
    async kept() {
      const own = (await context.cookies()).filter(({ name }) => name.startsWith("cutover_"));
      const lasting = (name: string, value: string) =>
        name === "cutover_journey" ? value.split(".").slice(0, 4).join(".") : value;
      return new Map(own.map(({ name, value }) => [name, lasting(name, value)]));
    },
  };
}

/** Run in the browser: how the page's document came. */
const protocolOfPage = `performance.getEntriesByType("navigation")[0].nextHopProtocol`;

describe.each(cases)(
  "a browser in front of a shop of $dialect, by $engine in $workers, TLS $isSecure",
  (of) => {
    const { dialect, engine, workers, isSecure } = of;
    let fleet: Storefronts;
    let shops: Storefronts["shops"];
    let bank: Listener;
    let serve: Served;
    let admin: AdminApi;

    beforeAll(async () => {
      // The proxy is on 127.0.0.1: for a browser that is another site.
      bank = await createBank("localhost", 0, () => `${serve.proxy}/?route=payment/return`);
      const change = (yaml: string) => {
        const tls = `port: 0, tls: { cert: '${pair.cert}', key: '${pair.key}' }`;
        // Of the two listeners the first is the proxy's.
        const listening = isSecure ? yaml.replace("port: 0", tls) : yaml;
        return `engine: ${engine}\nworkers: ${workers}\n${listening}`;
      };
      fleet = await openStorefronts({ dialect, bankUrl: bank.url, change });
      ({ shops, serve, admin } = fleet);
    });
    afterEach(() => admin.call("resume"));
    afterAll(async () => {
      await fleet.close();
      await bank.close(0);
    });

    /** @returns a window with the shop's page, of a visitor whose bucket is on the side */
    async function arrive(side: Side): Promise<Watched> {
      for (let tries = 0; tries < 40; tries += 1) {
        const watched = await openWindow();
        await watched.page.goto(`${serve.proxy}/`);
        const visitor = (await watched.kept()).get("cutover_visitor");
        if (expectedSide(salt, visitor ?? "", percent) === side) return watched;
        await watched.page.context().close();
      }
      throw new Error(`of 40 visitors none is on ${side}`);
    }

    /** Orders, goes to the bank, and comes back with the payment. */
    async function payAtBank({ page, kept }: Watched): Promise<void> {
      await page.locator("#order").click();
      await page.locator("#bank").click();
      await page.waitForURL(`${bank.url}/pay`);
      const before = await kept();
      expect([...before.keys()].toSorted()).toEqual(["cutover_journey", "cutover_visit", "cutover_visitor"]);
      accepted(await admin.call("rollback"));
      const returning = page.waitForRequest((one) => one.method() === "POST" && one.url().includes("return"));
      await page.locator("#paid").click();
      const { cookie, "sec-fetch-site": from } = await (await returning).allHeaders();
      expect([from, cookie]).toEqual(["cross-site", undefined]);
      await page.locator("#order", { hasText: / paid$/ }).waitFor();
      expect(await kept()).toEqual(before);
    }

    test.each(sides)("buys on %s alone, through a raise and a rollback", async (side) => {
      accepted(await admin.set(percent));
      const watched = await arrive(side);
      const { page, origins, shops: met, troubles } = watched;
      const [own, other] = side === "new" ? [shops.new, shops.legacy] : [shops.legacy, shops.new];
      const before = own.counts();
      const elsewhere = other.counts();

      await page.locator("#add").click();
      await page.locator("#cart", { hasText: "1 in the cart" }).waitFor();
      accepted(await admin.set(100));
      if (dialect === "forms") await payAtBank(watched);
      else {
        accepted(await admin.call("rollback"));
        await page.locator("#pay").click();
      }
      const confirmation = page.locator("#order", { hasText: / paid$/ });
      await confirmation.waitFor();

      expect(await confirmation.textContent()).toMatch(new RegExp(`^${orderFormats[side]}-[\\w-]+ paid$`));
      expect(await page.evaluate(protocolOfPage)).toBe(isSecure ? "h2" : "http/1.1");
      expect(troubles).toEqual([]);
      expect(origins).toEqual(dialect === "forms" ? [serve.proxy, bank.url, serve.proxy] : [serve.proxy]);
      expect([...met]).toEqual([own.name]);
      const { orders, paid, ...faults } = own.counts();
      expect([orders - before.orders, paid - before.paid]).toEqual([1, 1]);
      expect(faults).toMatchObject({ paidTwice: 0, unknownOrders: 0, emptyCheckouts: 0, strangeAssets: 0 });
      expect(other.counts()).toEqual(elsewhere);
    });
  },
);

test("a browser is seen to have trouble where it has some", async () => {
  const nobody = await listen((_, response) => response.writeHead(404).end(), "127.0.0.1", 0);
  const { page, troubles } = await openWindow();
  const script = `console.warn("odd"); fetch("http://127.0.0.1:1/"); open("about:blank"); fail()`;
  await page.setContent(`<img src="${nobody.url}/"><script>${script}</script>`);
  await expect
    .poll(() => troubles.toSorted())
    .toEqual([
      `404: ${nobody.url}/`,
      "a script failed: Failed to fetch",
      "a script failed: fail is not defined",
      "a window for about:blank",
      expect.stringMatching(/^console: Failed to load resource: net::/),
      expect.stringMatching(/^console: Failed to load resource: the server responded/),
      "console: odd",
      expect.stringMatching(/^no answer: .* net::/),
    ]);
  await nobody.close(0);
});
