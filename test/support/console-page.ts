/** Pages of the console in a browser: opened as by a person who has never been there, and judged by what they say. */
import { readFile } from "node:fs/promises";
import type axe from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

export const phone: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  hasTouch: true,
  isMobile: true,
};
export const smallPhone: BrowserContextOptions = { ...phone, viewport: { width: 320, height: 568 } };

export interface Visits {
  /** @returns once the script has taken the page over, where there is one */
  open(url: string, options?: BrowserContextOptions): Promise<Page>;
  /** What pages have complained of since the last time. */
  troubles(): readonly string[];
  /** Closes all. */
  leave(): Promise<void>;
}

export function visitsOf(browser: () => Browser): Visits {
  const troubles: string[] = [];
  return {
    async open(url, options = {}) {
      const context = await browser().newContext(options);
      const page = await context.newPage();
      page.on("pageerror", (error) => troubles.push(error.message));
      page.on("console", (line) => {
        if (line.type() === "error" || line.type() === "warning") troubles.push(line.text());
      });
      await page.goto(url);
      if (options.javaScriptEnabled !== false) await page.locator("#live, #sign-in").first().waitFor();
      return page;
    },
    troubles: () => troubles.splice(0),
    async leave() {
      troubles.length = 0;
      await Promise.all(
        browser()
          .contexts()
          .map((context) => context.close()),
      );
    },
  };
}

/** What axe-core holds against a page as it stands, of what is serious. It is evaluated: the page lets no script in. */
export async function seriousOf(page: Page): Promise<string[]> {
  const source = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
  await page.evaluate(source);
  const run = 'axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] })';
  const { violations } = await page.evaluate<axe.AxeResults>(run);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** Calls that change something, by their paths. */
export function changesOf(page: Page): string[] {
  const found: string[] = [];
  page.on("request", (request) => {
    if (request.method() !== "GET") found.push(new URL(request.url()).pathname);
  });
  return found;
}

/** Px by which the page is wider than its window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

/** @returns the scroll positions, a step apart, at which what is selected is not in view, or something lies on it */
export async function hiddenAt(page: Page, selector: string, step: number): Promise<number[]> {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const found: number[] = [];
  for (let top = 0; top <= height; top += step) {
    await page.evaluate((to) => scrollTo(0, to), top);
    const isSeen = await page.locator(selector).evaluate((element) => {
      const { left, right, top: above, bottom } = element.getBoundingClientRect();
      const points = [
        [left + 4, above + 4],
        [(left + right) / 2, (above + bottom) / 2],
        [right - 4, bottom - 4],
      ] as const;
      const isIn = above >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth;
      return isIn && points.every(([x, y]) => element.contains(document.elementFromPoint(x, y)));
    });
    if (!isSeen) found.push(top);
  }
  return found;
}
