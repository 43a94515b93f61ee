import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CutoverView } from "../../../../src/admin/api/cutover-view.ts";
import { escapeHtml, html, type PageFacts, renderPage } from "../../../../src/admin/page/page.ts";

const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);
const frame = readFileSync(new URL("../../../../src/admin/page/status.html", import.meta.url), "utf8");

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
const facts: PageFacts = {
  cutovers: [view],
  now: Date.UTC(2025, 2, 1, 12),
  instance: "proxy-1",
  version: "1.2.3",
};
const page = (change: Partial<CutoverView>) =>
  renderPage(frame, { ...facts, cutovers: [{ ...view, ...change }] });

describe("html", () => {
  test("escapes what is text and keeps what is HTML", () => {
    expect(html`<p title="${`"'<>&`}">${html`<b>${1}</b>`}${[html`x`, html`y`]}</p>`.html).toBe(
      '<p title="&quot;&#39;&lt;&gt;&amp;"><b>1</b>x\ny</p>',
    );
  });

  test(`leaves no character that HTML reads, whatever the text (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeHtml(`\u202e${text}`)).toMatch(/^\\u\{202e\}/);
        expect(escapeHtml(text)).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
      }),
      { seed, verbose: 1 },
    );
  });
});

describe("the status page", () => {
  test("says what somebody must look at, and no HTML that stands in it", () => {
    const warnings = [{ code: "hung", text: "new: <b>138</b> in flight" }];
    expect(page({ warnings })).toContain('<p class="warning">new: &lt;b&gt;138&lt;/b&gt; in flight</p>');
  });

  test("tells at 100% what still goes to legacy, and no HTML that stands in it", () => {
    const stillLegacy = [{ reason: "visit", text: "visits <until> 2025-03-01T12:30:00.000Z" }];
    expect(page({ stillLegacy })).not.toContain("Still to legacy");
    expect(page({ stillLegacy, percent: 100 })).toContain(
      "<p>Still to legacy:</p>\n<ul><li>visits &lt;until&gt; 2025-03-01 12:30:00 UTC</li></ul>",
    );
    expect(page({ percent: 100 })).not.toContain("Still to legacy");
  });

  test("tells what is open on each side, where that is known", () => {
    const open = (count: number, oldestStartedAt: string | null) => ({
      open: count,
      atLeast: false,
      oldestStartedAt,
    });
    const journeys = { legacy: open(12, "2025-03-01T11:46:00Z"), new: open(0, null) };
    expect(page({ journeys })).toContain(
      '<tr class="legacy"><th scope="row">legacy</th><td>12</td><td>14 min</td></tr>\n' +
        '<tr class="new"><th scope="row">new</th><td>0</td><td>–</td></tr>',
    );
    const both = page({
      journeys,
      unfinished: { legacy: { ...open(7, null), atLeast: true }, new: open(1, null) },
    });
    expect(both).toContain("<td>12</td><td>14 min</td><td>at least 7</td><td>–</td>");
    expect(page({})).not.toContain("journeys under way");
  });

  test("tells percent, state, version, both sides' figures and the last change", () => {
    const text = page({});
    for (const told of [
      "as of 2025-03-01 12:00:00 UTC, told by proxy-1",
      "checkout: open",
      "<strong>12.345%</strong> of new journeys start on marketplace",
      "<td>4,312</td><td>0.09%</td><td>18 ms</td><td>210 ms</td>",
      '<th scope="row">new</th><td>98.00%</td>\n<td>1.90%</td>\n<td>0.10%</td><td>138</td><td>9 s</td>',
      "<td>0</td><td>–</td><td>–</td><td>–</td>",
      '<th scope="row">legacy</th><td>–</td>\n<td>–</td>\n<td>–</td><td>0</td><td>–</td>',
      "Version 42, applied on 6 of 6 instances",
      "2025-03-01 11:04:09 UTC</time> by ops-1, “step 2”",
    ]) {
      expect(text).toContain(told);
    }
  });

  test("names a state that is not open, and an instance that lags", () => {
    expect(page({ state: "rolled_back" })).toContain("ROLLED BACK");
    expect(page({ state: "rolled_back" })).toContain("New journeys go to social-shop until it is resumed");
    expect(page({ state: "held" })).toContain("HELD");
    expect(page({ state: "closed" })).toContain("social-shop is closed: everything goes to marketplace");
    expect(page({ instances: { live: 6, applied: 5, silent: [] } })).toContain("not everywhere yet");
    expect(page({ version: 0 })).toContain("Never changed");
  });

  test("says every warning: what is of all cutovers once, the rest with its own", () => {
    const away = { code: "store_unreachable", text: "the store is out of reach for 38 s" };
    const own = { code: "instances_silent", text: "one silent, starts new until 2025-03-01T11:04:09.120Z" };
    const cutovers = [
      { ...view, warnings: [away, own] },
      { ...view, name: "returns", warnings: [away] },
    ];
    const text = renderPage(frame, { ...facts, cutovers });
    expect(text.split(away.text)).toHaveLength(2);
    expect(text).toContain("one silent, starts new until 2025-03-01 11:04:09 UTC");
  });

  test("says so when nothing is configured, and shows nothing to who may not see it", () => {
    expect(renderPage(frame, { ...facts, cutovers: [] })).toContain("No cutover is configured");
    const closed = renderPage(frame, { ...facts, cutovers: undefined });
    expect(closed).toContain("A token is needed");
    expect(closed).not.toContain("checkout");
  });

  test("takes no value for a piece of the page", () => {
    const text = page({ reason: "$& {{version}} </p><script>", updatedBy: "<img onerror=x>" });
    expect(text).toContain("“$&amp; {{version}} &lt;/p&gt;&lt;script&gt;”");
    expect(text).toContain("&lt;img onerror=x&gt;");
  });
});
