/** Every scene of the pictures, with guard, plan and money, on small windows, in each palette, and by axe-core. */
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/chromium.ts";
import { overflowOf, phone, seriousOf, smallPhone, visitsOf } from "../support/console-page.ts";
import { scenes } from "./screenshots/scenes.ts";
import { serve } from "./screenshots/site.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const looks: readonly (readonly [string, BrowserContextOptions])[] = [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["forced colours", { forcedColors: "active" }],
  ["at 200%", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
  ["320×568", smallPhone],
  ["390×844", phone],
];

describe.runIf(isFull).each(looks)("%s", (_, options) => {
  let browser: Browser;
  const visits = visitsOf(() => browser);
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(() => visits.leave());
  afterAll(() => browser?.close());

  test.each(Object.entries(scenes))(
    "%s has nothing serious, nothing beside the window, and nothing cut",
    async (_, scene) => {
      const site = await serve(scene.state);
      try {
        const page = await visits.open(site.url, options);
        await scene.act?.(page, site.stop);
        expect(await seriousOf(page)).toEqual([]);
        expect(await overflowOf(page)).toBeLessThanOrEqual(0);
        const cut = await page.evaluate(() =>
          [...document.querySelectorAll("h1, h2, p, li, dd, dt, button, .button, label")]
            .filter((element) => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1)
            .filter((element) => getComputedStyle(element).overflowX !== "visible")
            .map((element) => element.outerHTML.slice(0, 120)),
        );
        expect(cut).toEqual([]);
      } finally {
        site.close();
      }
    },
  );
});
