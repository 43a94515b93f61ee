/** What stands beside the charts, once the script is there: sentences and tables of what they show. */
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { expect, test } from "vitest";
import type { PaymentsView } from "../../../src/admin/api/series/payments-view.ts";
import type { SeriesView } from "../../../src/admin/api/series/series-view.ts";
import type { ConsoleState } from "../../../src/console/state.ts";
import { firstUi, type Ui } from "../../../src/console/ui.ts";
import { App } from "../../../src/console/view/app.tsx";
import { createFigures } from "../../../src/console/words/figures.ts";
import { differences } from "../../../src/console/words/series.ts";
import { scenes } from "../../e2e/screenshots/scenes.ts";

const side = (requests: number, errors: number) => ({
  ...{ requests, errors, p50: null, p95: null, p99: null, inFlight: 0 },
});
const at = "2026-05-01T02:00:00.000Z";
const series: SeriesView = {
  stepSeconds: 60,
  points: [{ at, instances: 3, legacy: side(900, 9), new: side(0, 0) }],
};
const payments: PaymentsView = {
  stepSeconds: 60,
  cohorts: [{ at, legacy: { begun: 40, paid: 31 }, new: { begun: 0, paid: 0 } }],
};

function textOf(ui: Partial<Ui>, page: Partial<ConsoleState["page"]> = {}): string {
  const state = scenes.light?.state;
  if (state === undefined) throw new Error("no scene");
  const shown = { ...state, page: { ...state.page, ...page } };
  const figures = createFigures("en", "UTC");
  const html = renderToString(
    h(App, { state: shown, ui: { ...firstUi(shown), isLive: true, ...ui }, figures }),
  );
  return html.replaceAll(/<[^>]+>/g, " ").replaceAll(/\s+/g, " ");
}

test("a side without requests, and one on which nobody began, are said in words", () => {
  const text = textOf({ series, payments });
  expect(text).toContain(
    "In 60 s of figures social-shop failed 1.0% of 900 requests, marketplace had no requests. Paid of the journeys begun then: 31 of 40 on social-shop, none began on marketplace.",
  );
  expect(textOf({ series })).not.toContain("Paid of the journeys");
});

test("weeks and months are offered where a Prometheus can be asked, and whose figures they are is said", () => {
  expect(textOf({ series })).not.toContain("7 days");
  expect(textOf({ series }, { hasOlder: true })).toContain("24 h 7 days 30 days Show as table");
  const from = { ...series, from: "prometheus" as const };
  expect(textOf({ series: from })).toContain("In 60 s of figures that Prometheus has social-shop failed");
});

test("a Prometheus that does not answer is said beside what the instances have", () => {
  const text = textOf({ series: { ...series, missing: "Prometheus: no answer in time" } });
  expect(text).toContain("▲ Older figures are missing. Prometheus: no answer in time.");
  expect(text).toContain("social-shop failed 1.0% of 900 requests");
});

test("the table tells payments, too", () => {
  const text = textOf({ series, payments, isTable: true });
  expect(text).toContain(
    "began side journeys paid by now of 100 02:00 UTC legacy 40 31 78 02:00 UTC new 0 0 –",
  );
});

test("the margin is what the tolerated odds leave above legacy's rate, and nothing where they leave none", () => {
  const points = [{ at, instances: 1, legacy: side(1000, 100), new: side(1000, 100) }];
  expect(differences(points)[0]?.margin).toBeCloseTo(0, 12);
  // Odds of 1 to 9, doubled: 2 to 9.
  expect(differences(points, 2)[0]?.margin).toBeCloseTo(2 / 11 - 0.1, 12);
});
