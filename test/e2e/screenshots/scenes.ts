/**
 * What the pictures show: each scene is a value that the server's own code makes a page of, and what a person does then.
 * All by one moment, so that a picture changes only when the console does.
 */
import type { BrowserContextOptions, Page } from "playwright-core";
import type { CutoverView } from "../../../src/admin/api/cutover-view.ts";
import { type GuardView, guardViewOf } from "../../../src/admin/api/guard/guard-view.ts";
import type { PlanView } from "../../../src/admin/api/plan/plan-view.ts";
import type { PaymentsView } from "../../../src/admin/api/series/payments-view.ts";
import type { SeriesView } from "../../../src/admin/api/series/series-view.ts";
import type { ConsoleState } from "../../../src/console/state.ts";

export const now = Date.parse("2026-05-01T02:14:09.000Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
const shares = { "2xx": 0.9847, "3xx": 0, "4xx": 0.0144, "5xx": 0.0009 };
const side = { clientErrors: 62, shares, inFlight: 9, oldestInFlightSeconds: 0.18 };
const underWay = (open: number, seconds: number) => ({ open, atLeast: false, oldestStartedAt: ago(seconds) });

const view: CutoverView = {
  ...{ name: "checkout", legacy: "social-shop", new: "marketplace", percent: 10, state: "open", version: 42 },
  ...{ pinEpoch: 0, updatedAt: ago(840), updatedBy: "ops-1", reason: "step 2", scope: "fleet" },
  traffic: {
    windowSeconds: 60,
    begun: { windowSeconds: 300, legacy: 3890, new: 422, newLately: 9 },
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
const judged = {
  ...unguarded,
  ...{ guarded: true, by: "fleet" as const, at: ago(1), leader: { id: "id-2", name: "shop-3:8080" } },
};
const evidenceOf = (failures: number, failed: number, estimate: number, least: number, most: number) => ({
  tests: {
    failures: { odds: failures, actsAt: 1000, hasFired: failures >= 1000 },
    tooMany: { odds: 0.02, actsAt: 2000, hasFired: false },
    tooManyOnLegacy: { odds: 0.001, actsAt: 2000, hasFired: false },
    paid: { odds: 1.4, actsAt: 1333, hasFired: false },
    slow: { odds: 0.6, actsAt: 4000, hasFired: false },
  },
  sides: { legacy: { units: 38_120, failed: 267 }, new: { units: 4312, failed } },
  difference: { estimate, least, most },
});
export const healthy: GuardView = {
  ...judged,
  ...{ verdict: "healthy", because: [] },
  sentence: "new fails 0.5% (21 of 4,312), legacy 0.7% (-0.6 to 0.3 points of difference): healthy",
  evidence: evidenceOf(0.3, 21, -0.002, -0.006, 0.003),
};
export const worse: GuardView = {
  ...judged,
  ...{ verdict: "worse", because: ["failures"], action: "rollback" },
  sentence:
    "new fails 3.1% (134 of 4,312), legacy 0.7% (1.4 to 3.5 points of difference): worse with odds 8,200 to 1",
  evidence: evidenceOf(8200, 134, 0.024, 0.014, 0.035),
};
const later = (hours: number) => ago(-3600 * hours);
const stepAt = (percent: number, hours: number, costs: "dwell" | "windows") => ({
  ...{ percent, at: later(hours), takesSeconds: 86_400, costs },
});
const plan: PlanView = {
  ...{ name: "checkout", status: "running", because: "", by: "ops-1", reason: "as agreed on Monday" },
  ...{ startedAt: ago(180_000), percent: 10, next: 25, advance: "auto", steps: [1, 5, 10, 25, 50, 99, 100] },
  done: [
    { percent: 1, at: ago(180_000), by: "plan", because: "the first step" },
    { percent: 5, at: ago(93_600), by: "plan", because: "proven" },
    { percent: 10, at: ago(840), by: "plan", because: "proven" },
  ],
  ...{ dwellSeconds: 86_400, stoodSeconds: 840 },
  evidence: "not worse than 2 times: odds 3.1 to 1 of 20 to 1, about 40 min to go",
  legacy: "legacy could take everybody back",
  waiting: [
    { gate: "dwell", text: "the step has not stood for its time", secondsLeft: 85_560 },
    { gate: "evidence", text: "it is not proven yet that new is not worse than 2 times", secondsLeft: 2400 },
  ],
  deadline: { at: later(240), reason: "the law" },
  projection: {
    ...{ finish: later(178), isMeasured: true, against: "on time" },
    steps: [
      stepAt(25, 23.8, "dwell"),
      stepAt(50, 110, "windows"),
      stepAt(99, 134, "dwell"),
      stepAt(100, 178, "dwell"),
    ],
    costliest: { ...stepAt(50, 110, "windows"), takesSeconds: 310_320 },
  },
};
const exposure = {
  ...{ openAmount: 141_250_000, maxOpenAmount: 250_000_000, reopensAt: 200_000_000, currency: "IDR" },
  over: false,
};
/** Which of the last minute's requests failed goes with what the guard has found. */
export const worseView: CutoverView = {
  ...view,
  traffic: { ...view.traffic, new: { ...view.traffic.new, errors: 13, errorRate: 13 / 422 } },
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
  inFlight: { checkout: { legacy: 1 + (number % 2), new: number === 3 ? 2 : 0 } },
  begun: { checkout: { legacy: 640 + 5 * number, new: 66 + 3 * number } },
  tookMs: { checkout: 8 + 31 * number },
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
  ...{
    told: { checkout: { guard: healthy, history, plan: { ...plan, status: "none" } } },
    instances,
    at: ago(0),
    zone: "UTC",
  },
};

/** @param change of the view @param guard the verdict */
function sceneOf(change: Partial<CutoverView>, guard = healthy): ConsoleState {
  return { ...state, cutovers: [{ ...view, ...change }], told: { checkout: { guard, history } } };
}

const hung = { inFlight: 138, oldestInFlightSeconds: 9.2 };
const second = { ...view, name: "returns", percent: 0, version: 0, state: "open" as const };
const third = { ...view, name: "account", percent: 50, state: "held" as const, version: 12 };
const { chosen: _, ...all } = state;

export interface Scene {
  readonly state: ConsoleState;
  readonly options?: BrowserContextOptions;
  /** What a person does before the picture is taken. */
  readonly act?: (page: Page, stop: () => void) => Promise<void>;
  readonly isWhole?: boolean;
}

const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 };
export const scenes: Readonly<Record<string, Scene>> = {
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
  worse: { state: sceneOf(worseView, worse) },
  hung: {
    state: sceneOf({
      traffic: { ...view.traffic, new: { ...view.traffic.new, ...hung } },
      warnings: [{ code: "hung", text: "new: 138 in flight, oldest 9 s, none answered for 9 s" }],
    }),
  },
  "rolled-back": {
    state: sceneOf(
      {
        percent: 0,
        state: "rolled_back",
        version: 43,
        updatedAt: ago(41),
        reason: "Errors up",
      },
      { ...judged, verdict: null, because: [], sentence: "nothing goes to new" },
    ),
  },
  raise: {
    state: sceneOf({}, unguarded),
    async act(page) {
      await page.locator("#raise").click();
      await page.locator("#sheet-raise").waitFor();
    },
  },
  plan: {
    state: {
      ...sceneOf({ exposure }),
      page: { ...state.page, locale: "id-ID" },
      ...{ zone: "Asia/Jakarta", told: { checkout: { guard: healthy, history, plan } } },
    },
    async act(page) {
      await page.locator("#plan").evaluate((heading) => heading.scrollIntoView());
      await page.locator(".steps").waitFor();
    },
  },
  "plan-phone": {
    state: { ...sceneOf({ exposure }), told: { checkout: { guard: healthy, history, plan } } },
    options: phone,
    async act(page) {
      await page.locator("#plan").evaluate((heading) => heading.scrollIntoView());
    },
  },
  "rolled-back-sheet": {
    state: sceneOf(worseView, worse),
    options: phone,
    async act(page) {
      await page.locator("#roll-back").click();
      await page.locator("#roll-back-now:not([aria-disabled=true])").click();
      await page.locator("#sheet-rollback .notice.done").waitFor();
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

/** Of half an hour, the same each time: what began lately is not paid yet. */
export function paymentsOf({ told }: ConsoleState): PaymentsView {
  const isWorse = told.checkout?.guard?.verdict === "worse";
  const cohorts = Array.from({ length: 30 }, (_, minute) => {
    const age = 30 - minute;
    const of = (begun: number, most: number) => {
      const wave = 1 + 0.04 * Math.sin(minute * 1.7);
      return { begun, paid: Math.round(begun * most * wave * (1 - Math.exp(-age / 6))) };
    };
    const isLate = isWorse && age < 8;
    return { at: ago(age * 60), legacy: of(778, 0.62), new: of(84, isLate ? 0.2 : 0.63) };
  });
  return { stepSeconds: 60, cohorts };
}

/** Half an hour, the same each time. */
export function seriesOf({ cutovers: [first], told }: ConsoleState): SeriesView {
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
