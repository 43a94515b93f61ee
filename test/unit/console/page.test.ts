import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CutoverView } from "../../../src/admin/api/cutover-view.ts";
import { type GuardView, guardViewOf } from "../../../src/admin/api/guard/guard-view.ts";
import type { PlanView } from "../../../src/admin/api/plan/plan-view.ts";
import { renderConsole } from "../../../src/console/port.tsx";
import type { ConsoleState } from "../../../src/console/state.ts";

const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);

const idle = { clientErrors: 0, shares: null, inFlight: 0, oldestInFlightSeconds: null };
const shares = { "2xx": 0.98, "3xx": 0, "4xx": 0.019, "5xx": 0.001 };
const busy = { clientErrors: 82, shares, inFlight: 138, oldestInFlightSeconds: 9.2 };

const view: CutoverView = {
  name: "checkout",
  legacy: "social-shop",
  new: "marketplace",
  percent: 12.345,
  state: "open",
  version: 42,
  pinEpoch: 0,
  updatedAt: "2025-03-01T11:04:09.120Z",
  updatedBy: "ops-1",
  reason: "step 2",
  scope: "fleet",
  traffic: {
    windowSeconds: 60,
    legacy: { requests: 0, errors: 0, errorRate: null, p50: null, p99: null, ...idle },
    new: { requests: 4312, errors: 4, errorRate: 4 / 4312, p50: 0.0184, p99: 0.2101, ...busy },
  },
  journeys: null,
  unfinished: null,
  instances: { live: 6, applied: 6, silent: [] },
  stillLegacy: [],
  warnings: [],
};
const state: ConsoleState = {
  page: {
    links: {},
    instance: "proxy-1",
    build: "1.2.3",
    locale: "en",
    access: { isOpen: false, hasIssuer: false },
  },
  who: { name: "ana", role: "operator" },
  csrf: "token",
  cutovers: [view],
  chosen: "checkout",
  told: {},
  instances: [],
  at: "2025-03-01T12:00:00.000Z",
  zone: "UTC",
};

/** The page without what its script starts from. */
function pageOf(of: ConsoleState): string {
  return renderConsole(of, "").replace(/<script type="application\/json".*?<\/script>/s, "");
}
/** What a person reads of it. */
function textOf(of: ConsoleState): string {
  return pageOf(of)
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll("&quot;", '"')
    .replaceAll(/\s+/g, " ");
}
const shown = (change: Partial<CutoverView>) => textOf({ ...state, cutovers: [{ ...view, ...change }] });

const idlePlan: PlanView = {
  ...{ name: "checkout", status: "none", because: "", by: null, reason: null, startedAt: null },
  ...{ percent: 10, next: 25, advance: "auto", steps: [], done: [], dwellSeconds: 0, stoodSeconds: 0 },
  ...{ waiting: [], evidence: null, legacy: null, deadline: null, projection: null },
};

describe("the console, as the server makes it", () => {
  test("tells percent, state, version, both sides' figures and the last change", () => {
    const text = shown({});
    for (const told of [
      "12.345% of new checkouts go to marketplace",
      "social-shop 87.655%",
      "Actual 100.0% of requests (last 60 s, 4,312 of them)",
      "v42 on 6/6 instances",
      "Set by ops-1 55 min ago : “step 2”",
      "as of 12:00:00 UTC",
      "new: marketplace 4,312 0.09% 18 ms 210 ms 98.0% 1.9% 0.10% 138 9 s",
      "legacy: social-shop 0 – – – – – – 0 –",
    ]) {
      expect(text).toContain(told);
    }
  });

  test("tells by the journeys that began what new really gets, where they are known", () => {
    const begun = { windowSeconds: 300, legacy: 3890, new: 422, newLately: 9 };
    const traffic = { ...view.traffic, begun };
    expect(shown({ traffic })).toContain("Actual 9.8% of new checkouts (last 5 min, 4,312 of them)");
    const none = { ...begun, legacy: 0, new: 0 };
    expect(shown({ traffic: { ...traffic, begun: none } })).toContain("Actual 100.0% of requests (last 60 s");
  });

  test("tells how long the evidence for the next step is still to come, where new is not proven", () => {
    const waiting = [{ gate: "evidence", text: "not proven yet", secondsLeft: 2400 }];
    const withPlan = (verdict: string, secondsLeft: number | null) => {
      const guard = {
        ...guardViewOf("checkout", undefined, []),
        guarded: true,
        verdict,
        sentence: "the facts",
      };
      const plan: PlanView = { ...idlePlan, waiting: waiting.map((each) => ({ ...each, secondsLeft })) };
      return textOf({ ...state, told: { checkout: { guard, plan } } });
    };
    expect(withPlan("insufficient evidence", 2400)).toContain("the facts; about 40 min to go");
    expect(withPlan("insufficient evidence", null)).not.toContain("about");
    expect(withPlan("worse", 2400)).not.toContain("about 40 min");
  });

  test("tells of each instance how fast it had the change, when it wrote last, and what begins on it", () => {
    const instance = {
      ...{ id: "a", name: "shop-1", address: "shop-1:9900", pid: 7, startedAt: state.at },
      ...{ seenAt: state.at, versions: { checkout: 42 }, config: null },
      inFlight: { checkout: { legacy: 8, new: 1 } },
      begun: { checkout: { legacy: 1390, new: 43 } },
      tookMs: { checkout: 31 },
    };
    const { begun, tookMs, ...old } = instance;
    const told = (one: ConsoleState["instances"][number]) => textOf({ ...state, instances: [one] });
    expect(told(instance)).toContain(
      "shop-1 v42 ✓ in 31 ms written 12:00:00 UTC ● legacy 8 ■ new 1 ● legacy 1,390 ■ new 43 shop-1:9900",
    );
    expect(told(old)).toContain("shop-1 v42 ✓ applied written 12:00:00 UTC ● legacy 8 ■ new 1 – shop-1:9900");
    const slow = { ...instance, tookMs: { checkout: 61_000 } };
    expect(told(slow)).toContain("✓ in 61 s");
    expect(told({ ...instance, versions: { checkout: 41 } })).toContain("▲ v41, 1 behind");
  });

  test("says of journeys on a side on which none begin any more that they drain", () => {
    const open = (count: number) => ({ open: count, atLeast: false, oldestStartedAt: null });
    const journeys = { legacy: open(12), new: open(3) };
    const text = (percent: number, more: Partial<CutoverView> = {}) => shown({ journeys, percent, ...more });
    expect(text(10)).not.toContain("draining");
    expect(text(0, { state: "rolled_back" })).toContain("3, draining –");
    expect(text(100)).toContain("12, draining –");
    expect(text(100)).not.toContain("3, draining –");
  });

  test.each([
    ["en", 0, "Unpaid on marketplace IDR 141,250,000 of at most IDR 250,000,050"],
    ["id-ID", 0, "Unpaid on marketplace Rp 141.250.000 of at most Rp 250.000.050"],
    ["en", 2, "Unpaid on marketplace IDR 1,412,500 of at most IDR 2,500,000.50"],
    ["id-ID", 2, "Unpaid on marketplace Rp 1.412.500 of at most Rp 2.500.000,50"],
  ] as const)("writes amounts in minor units as %s has them, of %d decimals", (locale, decimals, text) => {
    const exposure = {
      ...{ openAmount: 141_250_000, maxOpenAmount: 250_000_050, reopensAt: 200_000_000, currency: "IDR" },
      ...{ decimals, over: false },
    };
    const of = { ...state, cutovers: [{ ...view, exposure }], page: { ...state.page, locale } };
    expect(textOf(of)).toContain(text);
  });

  test("writes numbers and moments as Indonesians do, and what programs read as ever", () => {
    const of: ConsoleState = { ...state, page: { ...state.page, locale: "id-ID" }, zone: "Asia/Jakarta" };
    const text = textOf(of);
    expect(text).toContain("12,345% of new checkouts go to marketplace");
    expect(text).toContain("4.312 of them");
    expect(text).toContain("as of 19:00:00 WIB");
    expect(pageOf(of)).toContain('<time datetime="2025-03-01T12:00:00.000Z">');
  });

  test("says what somebody must look at, and no HTML that stands in it", () => {
    const page = pageOf({
      ...state,
      cutovers: [{ ...view, warnings: [{ code: "slow", text: "new: <b>138</b> & more" }] }],
    });
    expect(page).toContain('<p class="warning">new: &lt;b>138&lt;/b> &amp; more</p>');
  });

  test("tells at 100% what still goes to legacy", () => {
    const stillLegacy = [{ reason: "visit", text: "visits until 2025-03-01T12:30:00.000Z" }];
    expect(shown({ stillLegacy })).not.toContain("Still to legacy");
    expect(shown({ stillLegacy, percent: 100 })).toContain("Still to legacy: visits until 12:30:00 UTC");
    expect(shown({ percent: 100 })).not.toContain("Still to legacy");
  });

  test("tells what is under way on each side, where that is known", () => {
    const open = (count: number, oldestStartedAt: string | null) => ({
      open: count,
      atLeast: false,
      oldestStartedAt,
    });
    const journeys = { legacy: open(12, "2025-03-01T11:46:00Z"), new: open(0, null) };
    expect(shown({ journeys })).toContain("legacy: social-shop 0 – – – – – – 0 – 12 14 min");
    const unfinished = { legacy: { ...open(7, null), atLeast: true }, new: open(1, null) };
    expect(shown({ journeys, unfinished })).toContain("12 14 min at least 7 –");
    expect(shown({})).not.toContain("journeys oldest");
  });

  test("names a state that is not open, and an instance that lags", () => {
    expect(shown({ state: "rolled_back" })).toContain("ROLLED BACK");
    expect(shown({ state: "rolled_back" })).toContain("New journeys go to social-shop until it is resumed");
    expect(shown({ state: "held" })).toContain("HELD");
    expect(shown({ state: "closed" })).toContain("social-shop is closed: everything goes to marketplace");
    expect(shown({ instances: { live: 6, applied: 5, silent: [] } })).toContain(
      "5/6 instances: not everywhere yet",
    );
    expect(shown({ version: 0 })).toContain("Never changed");
  });

  test("never ticks without a guard", () => {
    const told = { checkout: { guard: guardViewOf("checkout", undefined, []) } };
    const text = textOf({ ...state, told });
    expect(text).toContain("No guard: nobody is watching but you");
    expect(text).not.toContain("✓ marketplace");
  });

  test("says that the guard is off, and of one what it rests on", () => {
    const off = { checkout: { guard: guardViewOf("checkout", undefined, []) } };
    expect(textOf({ ...state, told: off })).toContain("Off: this cutover has no guard");
    const guard: GuardView = {
      ...{
        guarded: true,
        verdict: "worse",
        because: ["failures"],
        action: "rollback",
        sentence: "the facts",
      },
      ...{ by: "fleet", at: "2025-03-01T11:59:59.000Z", leader: { id: "a", name: "shop-1" } },
      ...{ silent: ["shop-2"], differing: [], metrics: [] },
      evidence: {
        tests: {
          failures: { odds: 2000, actsAt: 1000, hasFired: true },
          slow: { odds: 31.6228, actsAt: 1000, hasFired: false },
        },
        sides: { legacy: { units: 1, failed: 0 }, new: { units: 1, failed: 1 } },
        difference: { estimate: 0.021, least: 0.012, most: 0.03 },
      },
    };
    const text = textOf({ ...state, told: { checkout: { guard } } });
    for (const told of [
      "marketplace is worse (difference +2.1 pts, +1.2 to +3.0)",
      "worse : the facts – what follows: rollback",
      "new fails more often 2,000 to 1 1,000 to 1 ▲ found",
      "new is slower 32 to 1 1,000 to 1 50%",
      "By the counts of all instances, judged by shop-1 at 11:59:59 UTC",
      "Without the counts of shop-2: blind for them",
    ]) {
      expect(text).toContain(told);
    }
  });

  test("tells the plan: what is done, now, next, what that waits for, and the finish against the deadline", () => {
    const step = (percent: number, at: string) => ({
      percent,
      at,
      takesSeconds: 600,
      costs: "dwell" as const,
    });
    const plan: PlanView = {
      ...{ name: "checkout", status: "running", because: "", by: "ana", reason: "as agreed" },
      ...{ startedAt: "2025-03-01T09:00:00.000Z", percent: 12.345, next: 25, advance: "auto" },
      ...{ steps: [5, 12.345, 25, 100], dwellSeconds: 600, stoodSeconds: 300, evidence: null, legacy: null },
      done: [{ percent: 5, at: "2025-03-01T11:00:00.000Z", by: "plan", because: "it stood" }],
      waiting: [{ gate: "dwell", text: "the step has not stood for its time", secondsLeft: 300 }],
      deadline: { at: "2025-03-02T00:00:00.000Z", reason: "the law" },
      projection: {
        ...{ finish: "2025-03-02T01:00:00.000Z", isMeasured: true, against: "cannot be met" },
        steps: [step(25, "2025-03-01T12:05:00.000Z"), step(100, "2025-03-02T01:00:00.000Z")],
        costliest: step(100, "2025-03-02T01:00:00.000Z"),
      },
    };
    const text = textOf({ ...state, told: { checkout: { plan } } });
    for (const told of [
      "Plan 25% by 12:05 UTC",
      "The plan runs – started by ana 3 h ago: “as agreed”",
      "✓ 5% done 11:00 UTC",
      "▲ 12.345% now for 5 min of 10 min",
      "◇ 25% next 12:05 UTC",
      "◇ 100% later 2 Mar, 01:00 UTC",
      "25% waits for dwell : the step has not stood for its time, 5 min to go",
      "finish 2 Mar, 01:00 UTC",
      "deadline 2 Mar, 00:00 UTC, the law: ▲ cannot be met",
      "costliest the step to 100%: 10 min for its dwell",
    ]) {
      expect(text).toContain(told);
    }
    const held = textOf({ ...state, cutovers: [{ ...view, state: "held" }], told: { checkout: { plan } } });
    expect(held).not.toContain("Plan 25% by");
    expect(textOf(state)).toContain("No plan is configured");
    const brief = { status: "running" as const, percent: 5, next: 25, waiting: [], finish: null };
    const sentence = "at 5%, next 25%; finish 2025-03-02T01:00:00.000Z";
    expect(shown({ plan: { ...brief, sentence } })).toContain(
      "Its plan: at 5%, next 25%; finish 2 Mar, 01:00:00 UTC",
    );
  });

  test("tells what holds everybody back, what is set at a time, and a date", () => {
    const until = "2025-03-01T18:00:00.000Z";
    const text = shown({
      freeze: { until, since: "2025-03-01T10:00:00.000Z", by: "ana", reason: "Lebaran" },
      window: { until, reason: "weekend" },
      deadline: { at: "2025-04-12T00:00:00.000Z", reason: "the law", against: null },
      schedule: [{ id: "a", percent: 25, at: "2025-03-02T02:00:00.000Z", by: "ben", reason: "Sunday" }],
    });
    for (const told of [
      "freeze ▲ everything is frozen until 18:00 UTC, by ana: “Lebaran”",
      "window no raise until 18:00 UTC: weekend",
      "deadline 12 Apr, 00:00 UTC, the law",
      "2 Mar, 02:00 UTC 25%, by ben: “Sunday”",
    ]) {
      expect(text).toContain(told);
    }
  });

  test("tells the money at risk", () => {
    const amounts = { openAmount: 123_456_700, maxOpenAmount: 250_000_000, reopensAt: 200_000_000 };
    const text = shown({ exposure: { ...amounts, currency: "USD", over: false } });
    expect(text).toContain("Unpaid on marketplace $1,234,567 of at most $2,500,000");
  });

  test("offers a rollback that works without its script, and whatever else is wrong", () => {
    const page = pageOf(state);
    expect(page).toContain(
      '<form method="get" action="./"><input type="hidden" name="cutover" value="checkout"',
    );
    expect(page).not.toContain("<dialog open");
    const opened = pageOf({ ...state, intent: "rollback" });
    expect(opened).toMatch(/<dialog [^>]*id="sheet-rollback"[^>]* open/);
    expect(opened).toContain('<form method="post" action="act">');
    expect(opened).toContain('<input type="hidden" name="csrf" value="token"');
  });

  test("has nothing to tap for who may only look", () => {
    const page = pageOf({ ...state, who: { name: "eve", role: "viewer" } });
    expect(page).not.toContain('id="roll-back"');
    expect(page).not.toContain('id="hold"');
    expect(page).toContain("You are viewer here");
  });

  test("says of what waits for another person why it would be refused, where it would be", () => {
    const proposal = {
      ...({
        id: "f3a1c09b",
        name: "checkout",
        action: "set",
        force: false,
        percent: 50,
        version: 42,
      } as const),
      ...{ by: "eve", reason: "step 4", at: state.at, expiresAt: "2025-03-01T12:30:00.000Z" },
    };
    const after = { name: "cart", state: "open", percent: 25, heldBy: "cart" } as const;
    const vain = "Approved now it would be refused: cart lets it go no further than 25%: raise cart first.";
    expect(shown({ proposal })).not.toContain("it would be refused");
    expect(shown({ proposal, after })).toContain(vain);
  });

  test("shows several in a line each, with what is of all said once", () => {
    const away = { code: "store_unreachable", text: "the store is out of reach for 38 s" };
    const own = { code: "instances_silent", text: "one silent until 2025-03-01T11:04:09.120Z" };
    const { chosen: _, ...rest } = state;
    const text = textOf({
      ...rest,
      cutovers: [
        { ...view, warnings: [away, own] },
        { ...view, name: "returns", warnings: [away] },
      ],
    });
    expect(text.split(away.text)).toHaveLength(2);
    expect(text).toContain("one silent until 11:04:09 UTC");
    expect(text).toContain("Roll back all to 0%");
    expect(text).toContain("Hold all");
  });

  test("says so when nothing is configured, and shows nothing to who may not see it", () => {
    expect(textOf({ ...state, cutovers: [], chosen: undefined })).toContain("No cutover is configured");
    const closed = textOf({ ...state, who: undefined, cutovers: [], chosen: undefined });
    expect(closed).toContain("A token is needed");
    expect(closed).not.toContain("checkout");
  });

  test(`takes no value for a piece of the page, whatever stands in it (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const evil = `</script><img src=x>${text}`;
        const page = renderConsole({ ...state, cutovers: [{ ...view, reason: evil, updatedBy: evil }] }, "");
        expect(page).not.toContain("<img");
        expect(page.split("</script>")).toHaveLength(3);
      }),
      { seed, numRuns: 50, verbose: 1 },
    );
  });
});
