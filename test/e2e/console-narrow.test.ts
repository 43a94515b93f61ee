/** The page where there is little room: a change that waits for another person, names that are long, a window zoomed to 200%. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type AdminFixture, secrets, startAdmin, tokens } from "../support/admin-fixture.ts";
import { launchChromium } from "../support/chromium.ts";
import { hiddenAt, overflowOf, phone, smallPhone, visitsOf } from "../support/console-page.ts";
import { scenes } from "./screenshots/scenes.ts";
import { serve } from "./screenshots/site.ts";

const long = "the-checkout-of-the-whole-shop-of-the-year-2026";
const zoomed: BrowserContextOptions = { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 };

let browser: Browser;
let admin: AdminFixture;
const visits = visitsOf(() => browser);

beforeAll(async () => {
  browser = await launchChromium();
});
beforeEach(async () => {
  admin = await startAdmin({ names: ["checkout", long], auth: tokens, approvalOver: 10 });
});
afterEach(async () => {
  await visits.leave();
  await admin.close();
});
afterAll(() => browser?.close());

async function open(options: BrowserContextOptions, cutover = "checkout"): Promise<Page> {
  const page = await visits.open(`${admin.url}/?cutover=${cutover}`, options);
  await page.locator("#sign-in input[type=password]").fill(secrets.operator);
  await page.keyboard.press("Enter");
  await page.locator("#roll-back").waitFor();
  return page;
}

async function propose(): Promise<void> {
  const reason = "a reason that is long, since whoever is to approve it wants to know all. ".repeat(3);
  const answer = await fetch(`${admin.url}/api/v1/cutovers/checkout/percent`, {
    method: "PUT",
    headers: { authorization: `Bearer ${secrets.admin}`, "content-type": "application/json" },
    body: JSON.stringify({ percent: 40, reason }),
  });
  expect(answer.status).toBe(202);
}

test.each([
  ["320×568", smallPhone],
  ["390×844", phone],
  ["at 200%", zoomed],
] as const)(
  "on %s what waits for another person covers neither the way to roll back nor the page",
  async (_, options) => {
    await propose();
    const page = await open(options);
    await page.locator("#approve").waitFor();
    expect(await hiddenAt(page, "#roll-back", 100)).toEqual([]);
    const covered = await page
      .locator(".bar")
      .evaluate((bar) => bar.getBoundingClientRect().height / innerHeight);
    expect(covered).toBeLessThan(1 / 3);
    await page.evaluate(() => scrollTo(0, 0));
    const headline = await page.locator("h1").boundingBox();
    const bar = await page.locator(".bar").boundingBox();
    expect((headline?.y ?? 0) + (headline?.height ?? 0)).toBeLessThan(bar?.y ?? 0);
    await page.locator("#approve").click();
    await page.locator(".toast").waitFor();
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
  },
);

test("a long name in the band makes it no higher than short ones do", async () => {
  const page = await open(smallPhone, long);
  const band = await page.locator(".band").boundingBox();
  expect(band?.height).toBeLessThan(160);
  expect(await overflowOf(page)).toBeLessThanOrEqual(0);
});

test("who has raised is not told to review what he has changed himself", async () => {
  const page = await open({});
  await page.locator("#raise").click();
  const sheet = page.locator("#sheet-raise");
  await sheet.locator("[name=target]").fill("5");
  await sheet.locator("[name=reason]").fill("first step");
  await sheet.locator("[name=typed]").fill("5");
  await page.locator("#raise-now").click();
  await sheet.locator(".notice").filter({ hasText: "Committed" }).waitFor();
  await page.locator("h1").filter({ hasText: "5%" }).waitFor();
  expect(await sheet.locator(".warning").count()).toBe(0);
});

test.each(Object.entries(scenes))("on a desk no table of %s is cut", async (_, scene) => {
  const site = await serve(scene.state);
  try {
    const page = await visits.open(site.url, { viewport: { width: 1280, height: 800 } });
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll(".wide")]
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1)
        .map(({ textContent }) => textContent),
    );
    expect(cut).toEqual([]);
  } finally {
    site.close();
  }
});

test("who rolls back without a session any more is asked to sign in, not to try again", async () => {
  const page = await open({});
  await page.locator("#roll-back").click();
  await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
  await page.context().clearCookies();
  await page.locator("#roll-back-now").click();
  await page.getByText("Not applied: your session has ended. Sign in again.").waitFor();
  await page.locator("#token").fill(secrets.responder);
  await page.keyboard.press("Enter");
  await page.locator("#roll-back").waitFor();
});
