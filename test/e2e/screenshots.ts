/**
 * Takes the pictures of the console that stand in docs/console: `npm run screenshots`, or some by their names. Each scene
 * is a value that the server's own code makes a page of; what its script asks for is answered of the same value, by the
 * same clock, so that a picture changes only when the console does.
 */
import { mkdir, readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import type { CutoverView } from "../../src/admin/api/cutover-view.ts";
import { type GuardView, guardViewOf } from "../../src/admin/api/guard/guard-view.ts";
import type { SeriesView } from "../../src/admin/api/series/series-view.ts";
import { renderConsole } from "../../src/console/port.tsx";
import type { ConsoleState } from "../../src/console/state.ts";
import { launchChromium } from "../support/chromium.ts";

const now = Date.parse("2026-05-01T02:14:09.000Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
const shares = { "2xx": 0.9847, "3xx": 0, "4xx": 0.0144, "5xx": 0.0009 };
const side = { clientErrors: 62, shares, inFlight: 9, oldestInFlightSeconds: 0.18 };
const underWay = (open: number, seconds: number) => ({ open, atLeast: false, oldestStartedAt: ago(seconds) });

const view: CutoverView = {
  ...{ name: "checkout", legacy: "social-shop", new: "marketplace", percent: 10, state: "open", version: 42 },
  ...{ pinEpoch: 0, updatedAt: ago(840), updatedBy: "ops-1", reason: "step 2", scope: "fleet" },
  traffic: {
    windowSeconds: 60,
    legacy: { requests: 3890, errors: 27, errorRate: 27 / 3890, p50: 0.021, p99: 0.24, ...side },
    new: { requests: 422, errors: 2, errorRate: 2 / 422, p50: 0.018, p99: 0.19, ...side, inFlight: 2 },
  },
  journeys: { legacy: underWay(412, 1620), new: underWay(41, 780) },
  unfinished: { legacy: underWay(96, 5400), new: underWay(9, 820) },
  instances: { live: 6, applied: 6, silent: [] },
  store: { reachable: true, writable: true, since: null, word: null },
  ...{ stillLegacy: [], warnings: [] },
};
const unguarded = guardViewOf("checkout", undefined, []);
const healthy: GuardView = {
  ...unguarded,
  guarded: true,
  ...{ verdict: "healthy", because: [] },
  sentence: "new fails 0.5% (21 of 4,312), legacy 0.7% (-0.6 to 0.3 points of difference)",
};
const worse: GuardView = {
  ...unguarded,
  guarded: true,
  ...{ verdict: "worse", because: ["failures"], action: "rollback" },
  sentence: "new fails 3.1% (134 of 4,312), legacy 0.9% (1.2 to 3.0 points of difference): odds 8,200 to 1",
};
const entry = (
  version: number,
  seconds: number,
  from: number,
  to: number,
  reason: string,
  via: "console" | "cli",
) => ({
  ...{ version, at: ago(seconds), by: "ops-1", action: "set" as const, reason, via, requestId: null },
  ...{ from: { percent: from, state: "open" as const }, to: { percent: to, state: "open" as const } },
  annotations: [],
});
const history = [
  entry(42, 840, 5, 10, "step 2", "console"),
  entry(41, 9200, 1, 5, "step 1: a day of payments looks right", "cli"),
  entry(40, 88_000, 0, 1, "first shoppers", "cli"),
];
const instances = Array.from({ length: 6 }, (_, number) => ({
  ...{ id: `id-${number}`, name: `shop-${number + 1}:8080`, address: `shop-${number + 1}:9900`, pid: 7000 },
  ...{ startedAt: ago(90_000), seenAt: ago(0), versions: { checkout: 42 } },
  config: { hash: "9f86d081884c", loadedAt: ago(90_000), refusedAt: null },
}));
const state: ConsoleState = {
  page: {
    ...{ environment: "Production", instance: "shop-1:8080", build: "0.1.0", locale: "en" },
    links: {
      runbook: "https://example.com/r",
      grafana: "https://example.com/g",
      alerts: "https://example.com/a",
    },
    access: { isOpen: false, hasIssuer: true },
  },
  ...{ who: { name: "ops-1", role: "operator" }, csrf: "token", cutovers: [view], chosen: "checkout" },
  ...{ told: { checkout: { guard: healthy, history } }, instances, at: ago(0), zone: "UTC" },
};

/** @param change of the view @param guard the verdict */
function sceneOf(change: Partial<CutoverView>, guard = healthy): ConsoleState {
  return { ...state, cutovers: [{ ...view, ...change }], told: { checkout: { guard, history } } };
}

const hung = { inFlight: 138, oldestInFlightSeconds: 9.2 };
const second = { ...view, name: "returns", percent: 0, version: 0, state: "open" as const };
const third = { ...view, name: "account", percent: 50, state: "held" as const, version: 12 };
const { chosen: _, ...all } = state;

interface Scene {
  readonly state: ConsoleState;
  readonly options?: BrowserContextOptions;
  /** What a person does before the picture is taken. */
  readonly act?: (page: Page, stop: () => void) => Promise<void>;
  readonly isWhole?: boolean;
}

const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 };
const scenes: Readonly<Record<string, Scene>> = {
  light: { state, isWhole: true },
  dark: { state, isWhole: true, options: { colorScheme: "dark" } },
  phone: { state, options: phone },
  sheet: {
    state,
    options: phone,
    async act(page) {
      await page.locator("#roll-back").click();
      await page.locator("#roll-back-now:not([aria-disabled=true])").waitFor();
    },
  },
  worse: { state: sceneOf({}, worse) },
  hung: {
    state: sceneOf({
      traffic: { ...view.traffic, new: { ...view.traffic.new, ...hung } },
      warnings: [{ code: "hung", text: "new: 138 in flight, oldest 9 s, none answered for 9 s" }],
    }),
  },
  "rolled-back": {
    state: sceneOf({
      percent: 0,
      state: "rolled_back",
      version: 43,
      updatedAt: ago(41),
      reason: "Errors up",
    }),
  },
  raise: {
    state: sceneOf({}, unguarded),
    async act(page) {
      await page.locator("#raise").click();
      await page.locator("#sheet-raise").waitFor();
    },
  },
  stale: {
    state,
    async act(page, stop) {
      stop();
      await page.locator(".chip.stale").waitFor();
    },
  },
  overview: {
    state: {
      ...all,
      cutovers: [view, second, third],
      told: { checkout: { guard: healthy }, returns: { guard: unguarded }, account: { guard: worse } },
    },
  },
};

/** Half an hour, the same each time. */
function seriesOf({ cutovers: [first], told }: ConsoleState): SeriesView {
  const isWorse = told.checkout?.guard?.verdict === "worse";
  const share = (first?.percent ?? 0) / 100;
  const points = Array.from({ length: 180 }, (_, step) => {
    const wave = (period: number) => 1 + 0.25 * Math.sin(step / period) + 0.1 * Math.sin(step * 1.7);
    const of = (requests: number, rate: number, ms: number, period: number) => ({
      ...{ requests, errors: Math.round(requests * rate * wave(period)) },
      ...{
        p50: (ms * wave(period)) / 4000,
        p95: (ms * wave(period)) / 1600,
        p99: (ms * wave(period)) / 1000,
      },
      inFlight: Math.round((requests * ms * wave(period)) / 200_000),
    });
    const isBefore = step < 96;
    return {
      ...{ at: ago((180 - step) * 10), instances: 6 },
      legacy: of(6500, 0.007, 240, 17),
      new: of(Math.round(7000 * (isBefore ? 0.05 : share)), isWorse && step > 130 ? 0.031 : 0.006, 190, 11),
    };
  });
  return { stepSeconds: 10, points };
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const files = { "/console.js": "console.js", "/charts.js": "charts.js" } as const;

async function serve(scene: ConsoleState) {
  const style = await readFile(`${root}/dist/console/console.css`, "utf8");
  let isSilent = false;
  const timers = new Set<NodeJS.Timeout>();
  const json = (response: ServerResponse, body: unknown) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  const server = createServer(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://scene");
    if (isSilent) return;
    if (pathname === "/console.js" || pathname === "/charts.js") {
      const text = await readFile(`${root}/dist/console/${files[pathname]}`, "utf8");
      response.writeHead(200, { "content-type": "text/javascript" }).end(text);
    } else if (pathname === "/api/v1/events") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const tick = { serverTime: scene.at, store: { up: true, stalenessSeconds: 0 } };
      const tell = () => isSilent || response.write(`event: tick\ndata: ${JSON.stringify(tick)}\n\n`);
      tell();
      timers.add(setInterval(tell, 500));
    } else if (pathname.endsWith("/series")) json(response, seriesOf(scene));
    else if (pathname.endsWith("/history")) json(response, scene.told.checkout?.history ?? []);
    else if (pathname === "/api/v1/instances") json(response, scene.instances);
    else if (pathname === "/") {
      response
        .writeHead(200, { "content-type": "text/html; charset=utf-8" })
        .end(renderConsole(scene, style));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens nowhere");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    stop: () => {
      isSilent = true;
    },
    close() {
      for (const timer of timers) clearInterval(timer);
      server.closeAllConnections();
      server.close();
    },
  };
}

const wanted = process.argv.slice(2);
const folder = `${root}/docs/console`;
await mkdir(folder, { recursive: true });
const browser = await launchChromium();
for (const [name, scene] of Object.entries(scenes)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const site = await serve(scene.state);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...scene.options });
  const page = await context.newPage();
  await page.goto(site.url);
  await page.locator(".chip.live").waitFor();
  if (scene.state.chosen !== undefined) await page.locator("#charts canvas").first().waitFor();
  await scene.act?.(page, site.stop);
  const animations = "disabled" as const;
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: scene.isWhole === true, animations });
  console.log(`docs/console/${name}.png`);
  await context.close();
  site.close();
}
await browser.close();
