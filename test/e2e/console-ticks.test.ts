/** A console that is open for days: a million seconds' worth of figures, as fast as it takes them, and a heap that stays flat. */
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AdminFixture, startAdmin } from "../support/admin-fixture.ts";
import { launchChromium } from "../support/chromium.ts";

const isFull = process.env.CUTOVER_BARS === "full";
/** A million, or as many as are asked for: `CUTOVER_TICKS=20000 npm run bars -- console-ticks`. */
const ticks = Number(process.env.CUTOVER_TICKS ?? 1_000_000);
/** After as many each its size is taken; the first is what the others are held to. */
const stretch = ticks / 20;
const mostGrowth = 1_000_000;

describe.runIf(isFull)("a console that is left open", () => {
  let browser: Browser;
  let admin: AdminFixture;
  beforeAll(async () => {
    [browser, admin] = await Promise.all([launchChromium(), startAdmin()]);
  });
  afterAll(async () => {
    await browser?.close();
    await admin?.close();
  });

  test("takes a million metric ticks, and keeps nothing of them", { timeout: 1_800_000 }, async () => {
    const page = await openWithOwnStream();
    const cdp = await page.context().newCDPSession(page);
    const measured: { readonly ticks: number; readonly heap: number; readonly nodes: number }[] = [];
    const begunAt = performance.now();
    for (let told = 0; told < ticks; told += stretch) {
      await tell(page, told, stretch);
      const sizes = await sizesOf(cdp);
      measured.push({ ticks: told + stretch, ...sizes });
      const seconds = Math.round((performance.now() - begunAt) / 1000);
      const size = `${Math.round(sizes.heap / 1000)} kB, ${sizes.nodes} nodes`;
      console.log(`after ${told + stretch} of ${ticks} ticks and ${seconds} s: ${size}`);
    }
    const [first] = measured;
    const last = measured.at(-1);
    expect((last?.heap ?? 0) - (first?.heap ?? 0)).toBeLessThanOrEqual(mostGrowth);
    expect((last?.nodes ?? 0) - (first?.nodes ?? 0)).toBeLessThanOrEqual(200);
    // It is the page that was fed: it shows the last of them.
    expect(await page.locator(".facts").textContent()).toContain("of them");
    expect(await page.locator("#charts canvas").count()).toBeGreaterThan(0);
  });

  /** The page of a real server, whose stream of events is the test's; its series are half an hour, by its own clock. */
  async function openWithOwnStream(): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    await page.addInitScript(() => {
      class OwnSource extends EventTarget {
        constructor() {
          super();
          Object.assign(globalThis, { source: this });
        }
        close(): void {}
      }
      Object.assign(globalThis, { EventSource: OwnSource });
    });
    await page.route("**/series?*", (route) => {
      const since = Date.parse(new URL(route.request().url()).searchParams.get("since") ?? "");
      const side = { requests: 100, errors: 1, p50: 0.1, p95: 0.2, p99: 0.3, inFlight: 1 };
      const points = Array.from({ length: 180 }, (_, step) => ({
        ...{ at: new Date(since + step * 10_000).toISOString(), instances: 1, legacy: side, new: side },
      }));
      return route.fulfill({ json: { stepSeconds: 10, points } });
    });
    await page.goto(`${admin.url}/`);
    await page.locator("#charts canvas").first().waitFor();
    return page;
  }
});

/** So many seconds, each with figures of its own and a tick. */
async function tell(page: Page, from: number, count: number): Promise<void> {
  await page.evaluate(
    async ({ from, count }) => {
      const [view] = await (await fetch("api/v1/cutovers")).json();
      const { name, traffic, journeys, unfinished, instances, store } = view;
      const source: EventTarget = Reflect.get(globalThis, "source");
      const send = (event: string, data: unknown) =>
        source.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
      const epoch = Date.now();
      for (let tick = from; tick < from + count; tick += 1) {
        const side = {
          ...traffic.new,
          requests: 1000 + (tick % 997),
          errors: tick % 13,
          inFlight: tick % 31,
        };
        const figures = {
          ...{ name, journeys, unfinished, instances, store, stillLegacy: [] },
          traffic: { ...traffic, legacy: side, new: side },
          warnings: tick % 50 === 0 ? [{ code: "slow", text: `new: ${tick} in flight` }] : [],
        };
        send("metrics", [figures]);
        send("tick", { serverTime: new Date(epoch + tick * 1000).toISOString(), store: {} });
        if (tick % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
    },
    { from, count },
  );
}

async function sizesOf(cdp: CDPSession): Promise<{ readonly heap: number; readonly nodes: number }> {
  for (let again = 0; again < 3; again += 1) await cdp.send("HeapProfiler.collectGarbage");
  const { usedSize } = await cdp.send("Runtime.getHeapUsage");
  const { nodes } = await cdp.send("Memory.getDOMCounters");
  return { heap: usedSize, nodes };
}
