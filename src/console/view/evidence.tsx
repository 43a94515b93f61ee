/** The charts: drawn once their script is there; what they show stands in a sentence and, if wanted, in a table. */
import type { PaymentsView } from "../../admin/api/series/payments-view.ts";
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { spanText } from "../../admin/api/words/span.ts";
import type { Range } from "../ui.ts";
import { Heads, type ShownOne } from "./shown.tsx";

const ranges: readonly (readonly [Range, string])[] = [
  ["30m", "30 min"],
  ["3h", "3 h"],
  ["24h", "24 h"],
];
/** Those that a Prometheus is asked for. */
const olderRanges: readonly (readonly [Range, string])[] = [
  ["7d", "7 days"],
  ["30d", "30 days"],
];

export function EvidenceCharts(shown: ShownOne) {
  const { ui, deeds, state } = shown;
  if (!ui.isLive || ui.series === undefined) return null;
  return (
    <section aria-labelledby="evidence">
      <div class="heading">
        <h2 id="evidence">Evidence</h2>
        <fieldset class="ranges">
          <legend class="unseen">How far back</legend>
          {[...ranges, ...(state.page.hasOlder ? olderRanges : [])].map(([range, words]) => (
            <button
              type="button"
              key={range}
              aria-pressed={ui.range === range}
              onClick={() => deeds.choose(range)}
            >
              {words}
            </button>
          ))}
          <button type="button" aria-pressed={ui.isTable} onClick={() => deeds.showTable(!ui.isTable)}>
            {tableWords}
          </button>
        </fieldset>
      </div>
      <p class="note">{[sentenceOf(ui.series, shown), ...paidSentence(ui.payments, shown)].join(" ")}</p>
      {ui.series.missing !== undefined && (
        <p class="note loud">{`▲ Older figures are missing. ${ui.series.missing}.`}</p>
      )}
      <div id="charts" hidden={ui.isTable} />
      {ui.isTable && <SeriesTable {...shown} series={ui.series} />}
      {ui.isTable && <PaymentsTable {...shown} cohorts={ui.payments?.cohorts ?? []} />}
    </section>
  );
}

const tableWords = "Show as table";

/** What the charts show, for whoever does not see them. */
function sentenceOf({ points, stepSeconds, from }: SeriesView, { view, figures }: ShownOne): string {
  if (points.length === 0) return "Nothing was counted yet: the first figures come within 20 s.";
  const sum = (side: "legacy" | "new") => {
    const requests = points.reduce((all, point) => all + point[side].requests, 0);
    const errors = points.reduce((all, point) => all + point[side].errors, 0);
    if (requests === 0) return `${view[side]} had no requests`;
    return `${view[side]} failed ${figures.rate(errors / requests)} of ${figures.count(requests)} requests`;
  };
  const span = spanText(points.length * stepSeconds * 1000);
  const whose = from === "prometheus" ? " that Prometheus has" : "";
  return `In ${span} of figures${whose} ${sum("legacy")}, ${sum("new")}.`;
}

type Cohorts = PaymentsView["cohorts"];

/** @returns nothing where nobody began */
function paidSentence(payments: PaymentsView | undefined, { view, figures }: ShownOne): string[] {
  const cohorts = payments?.cohorts ?? [];
  if (cohorts.length === 0) return [];
  const of = (side: "legacy" | "new") => {
    const begun = cohorts.reduce((all, cohort) => all + cohort[side].begun, 0);
    const paid = cohorts.reduce((all, cohort) => all + cohort[side].paid, 0);
    return begun === 0
      ? `none began on ${view[side]}`
      : `${figures.count(paid)} of ${figures.count(begun)} on ${view[side]}`;
  };
  return [`Paid of the journeys begun then: ${of("legacy")}, ${of("new")}.`];
}

function PaymentsTable({ cohorts, figures, state }: ShownOne & { readonly cohorts: Cohorts }) {
  if (cohorts.length === 0) return null;
  return (
    <section class="wide" tabIndex={0} aria-label="Payments">
      <table class="numbers">
        <thead>
          <tr>
            <Heads names={["began", "side", "journeys", "paid by now", "of 100"]} />
          </tr>
        </thead>
        <tbody>
          {cohorts
            .slice(-mostRows)
            .reverse()
            .flatMap((cohort) =>
              (["legacy", "new"] as const).map((side) => {
                const { begun, paid } = cohort[side];
                return (
                  <tr key={cohort.at + side} class={side}>
                    <th scope="row">{figures.day(cohort.at, state.at)}</th>
                    <td>{side}</td>
                    <td>{figures.count(begun)}</td>
                    <td>{figures.count(paid)}</td>
                    <td>{begun === 0 ? "–" : figures.count((100 * paid) / begun)}</td>
                  </tr>
                );
              }),
            )}
        </tbody>
      </table>
    </section>
  );
}

/** More rows than these nobody reads. */
const mostRows = 180;

function SeriesTable({ series, figures, state }: ShownOne & { readonly series: SeriesView }) {
  const rate = ({ requests, errors }: SeriesView["points"][number]["new"]) =>
    figures.rate(requests === 0 ? null : errors / requests);
  return (
    <section class="wide" tabIndex={0} aria-labelledby="evidence">
      <table class="numbers">
        <thead>
          <tr>
            <Heads names={["from", "side", "requests", "errors", "p50", "p95", "p99", "in flight"]} />
          </tr>
        </thead>
        <tbody>
          {series.points
            .slice(-mostRows)
            .reverse()
            .flatMap((point) =>
              (["legacy", "new"] as const).map((side) => {
                const { requests, p50, p95, p99, inFlight } = point[side];
                return (
                  <tr key={point.at + side} class={side}>
                    <th scope="row">{figures.moment(point.at, state.at)}</th>
                    <td>{side}</td>
                    <td>{figures.count(requests)}</td>
                    <td>{rate(point[side])}</td>
                    <td>{figures.latency(p50)}</td>
                    <td>{figures.latency(p95)}</td>
                    <td>{figures.latency(p99)}</td>
                    <td>{figures.count(inFlight)}</td>
                  </tr>
                );
              }),
            )}
        </tbody>
      </table>
    </section>
  );
}
