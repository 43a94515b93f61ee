/**
 * The counts of requests (counts.ts) put into words at a scrape. Label text is made once, in the order of the
 * arrays, so that a scrape joins text and numbers and does nothing else.
 *
 * Which series exist from the start, at 0: those of both sides of every configured cutover, and those of
 * side="none" of the cutover `none`. side="none" of a configured cutover (refused, or given up by the client,
 * before a side was chosen) appears when first used. The cutover `none` has no sides.
 */
import { reasons } from "../../decide/decide.ts";
import { outcomes } from "../../proxy/outcome.ts";
import { servedSides } from "../../proxy/witness.ts";
import { type Side, sides } from "../../state/rules/model.ts";
import { type Family, labelPairs } from "../exposition.ts";
import { type FlightForm, oldestOf } from "../traffic/flights.ts";
import { statusClasses } from "../traffic/side-counts.ts";
import { type CutoverRoutes, journeySteps } from "./counts.ts";
import type { Exemplars } from "./exemplars.ts";
import { type FromTheStart, histogramFamilies } from "./histograms.ts";
import type { CountValues } from "./series.ts";

/** @param table of createCounts: the configured cutovers, then `none` */
export function createCountFamilies(
  table: readonly CutoverRoutes[],
  counts: CountValues,
  exemplars: Exemplars,
): readonly Family[] {
  const lastCutover = table.length - 1;
  const fromTheStart = (cutover: number, side: number): boolean =>
    (cutover === lastCutover) === (servedSides[side] === "none");
  return [
    requestsFamily(table, counts.requests, fromTheStart),
    ...histogramFamilies(table, counts, fromTheStart, exemplars),
    decisionsFamily(table.slice(0, lastCutover), counts.decisions),
    responsesFamily(table, counts.responses, fromTheStart),
    ...journeyFamilies(table, counts.journeys),
    inflightFamily(table, counts.inflight, fromTheStart),
  ];
}

/** @param flight how a side's requests stand in all processes; asked at a scrape */
export function oldestFamily(
  cutovers: readonly string[],
  flight: (cutover: string, side: Side) => FlightForm,
): Family {
  const name = "cutover_inflight_oldest_seconds";
  return {
    name,
    type: "gauge",
    help: "The longest that a request in flight waits for the head of its side's answer; 0 while none does.",
    samples: () =>
      cutovers.flatMap((cutover) =>
        sides.map((side) => {
          const oldest = (oldestOf(flight(cutover, side)) ?? 0) / 1000;
          return `${name}{${labelPairs({ cutover, side })}} ${oldest}`;
        }),
      ),
  };
}

function responsesFamily(
  table: readonly CutoverRoutes[],
  values: Float64Array,
  fromTheStart: FromTheStart,
): Family {
  const name = "cutover_responses_total";
  const rows = sideRows(table, fromTheStart);
  const ends = statusClasses.map((statusClass) => `${labelPairs({ class: statusClass })}} `);
  return {
    name,
    type: "counter",
    help: "Answers that the side itself gave to the end, by the class of their status.",
    samples() {
      let index = 0;
      return rows.flatMap(({ labels, shown }) =>
        ends.flatMap((end) => {
          const value = values[index++] ?? 0;
          return value !== 0 || shown ? [`${name}{${labels},${end}${value}`] : [];
        }),
      );
    },
  };
}

function requestsFamily(
  table: readonly CutoverRoutes[],
  values: Float64Array,
  fromTheStart: FromTheStart,
): Family {
  const name = "cutover_requests_total";
  const routes = table.flatMap((cutover, index) =>
    cutover.routes.map((route) => ({
      start: `${name}{${labelPairs({ cutover: cutover.name, route })},`,
      shown: servedSides.map((_, side) => fromTheStart(index, side)),
    })),
  );
  const ends = servedSides.map((side) => outcomes.map((outcome) => `${labelPairs({ side, outcome })}} `));
  return {
    name,
    type: "counter",
    help: "Requests that are over, by side and outcome, counted when the outcome is known; one that fell back from new to legacy is counted on each, as it ended there.",
    *samples() {
      let index = 0;
      for (const { start, shown } of routes) {
        for (const [side, endsOfSide] of ends.entries()) {
          for (const end of endsOfSide) {
            const value = values[index++] ?? 0;
            if (value !== 0 || shown[side]) yield start + end + value;
          }
        }
      }
    },
  };
}

function decisionsFamily(cutovers: readonly CutoverRoutes[], values: Float64Array): Family {
  const name = "cutover_decisions_total";
  const starts = cutovers.map((cutover) => `${name}{${labelPairs({ cutover: cutover.name })},`);
  const ends = sides.flatMap((side) => reasons.map((reason) => `${labelPairs({ side, reason })}} `));
  return {
    name,
    type: "counter",
    help: "Decisions on which side serves a request, by the reason for it, counted when made; one that falls back counts again, as fallback.",
    samples() {
      let index = 0;
      return starts.flatMap((start) => ends.map((end) => `${start}${end}${values[index++] ?? 0}`));
    },
  };
}

function inflightFamily(
  table: readonly CutoverRoutes[],
  values: Float64Array,
  fromTheStart: FromTheStart,
): Family {
  const name = "cutover_inflight_requests";
  const rows = sideRows(table, fromTheStart);
  return {
    name,
    type: "gauge",
    help: "Requests begun on a side and not over yet.",
    samples() {
      return rows.flatMap(({ labels, shown }, index) => {
        const value = values[index] ?? 0;
        return value !== 0 || shown ? [`${name}{${labels}} ${value}`] : [];
      });
    },
  };
}

const journeyMetrics = {
  started: {
    name: "cutover_journeys_started_total",
    help: "Journeys that have begun, by the reason for the side. Of cutovers with a journey block.",
  },
  ended: {
    name: "cutover_journeys_ended_total",
    help: "Journeys that an answer has ended, by what that request was decided by. Of cutovers with a journey block.",
  },
  paid: {
    name: "cutover_payments_total",
    help: "Answers below 400 to requests of payment routes that are no failure, by the reason for the side. Of cutovers with a payment route.",
  },
} as const;

function journeyFamilies(table: readonly CutoverRoutes[], values: Float64Array): readonly Family[] {
  const ends = sides.flatMap((side) => reasons.map((reason) => `${labelPairs({ side, reason })}} `));
  return journeySteps.map((step, place) => {
    const { name, help } = journeyMetrics[step];
    return {
      name,
      type: "counter",
      help,
      *samples() {
        for (const [index, { name: cutover, journeys, payments }] of table.entries()) {
          if ((step === "paid" ? payments : journeys) !== true) continue;
          const first = (index * journeySteps.length + place) * ends.length;
          const start = `${name}{${labelPairs({ cutover })},`;
          for (const [at, end] of ends.entries()) yield start + end + (values[first + at] ?? 0);
        }
      },
    };
  });
}

/** One row per cutover and side, in the order of the arrays. */
function sideRows(
  table: readonly CutoverRoutes[],
  fromTheStart: FromTheStart,
): readonly { readonly labels: string; readonly shown: boolean }[] {
  return table.flatMap((cutover, index) =>
    servedSides.map((side, sideIndex) => ({
      labels: labelPairs({ cutover: cutover.name, side }),
      shown: fromTheStart(index, sideIndex),
    })),
  );
}
