/** The calls that tell figures of the past: the instances' own, and older ones of a Prometheus. */
import type { OlderSeries } from "../../telemetry/older/older.ts";
import { cutoverName } from "../api/cutover-view.ts";
import { paymentsView } from "../api/series/payments-view.ts";
import { type SeriesView, seriesQuery, seriesView } from "../api/series/series-view.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { refusalAnswers } from "../openapi.ts";
import type { Views } from "../view.ts";
import type { FleetSeries } from "./fleet-series.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A page asks a little later than it has reckoned from. */
const slackMs = 60_000;

export function seriesRoutes(
  app: AdminApp,
  { clock, older }: AdminContext,
  views: Views,
  series: Pick<FleetSeries, "read" | "payments">,
): void {
  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/series",
    schema: {
      operationId: "getSeries",
      summary: "Figures of the past, of all instances together",
      tags: ["cutovers"],
      params: cutoverName,
      querystring: seriesQuery,
      response: {
        200: seriesView.describe("The figures"),
        ...refusalAnswers(["not_found", "invalid"]),
      },
    },
    handler: async ({ params: { name }, query: { since } }) => {
      views.assertKnown(name);
      const nowMs = clock.now();
      const sinceMs = since === undefined ? nowMs - dayMs : Date.parse(since);
      const own = ownView(series.read(name, sinceMs, nowMs));
      return olderThan(own, { name, sinceMs, nowMs, older });
    },
  });

  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/payments",
    schema: {
      operationId: "getPayments",
      summary: "How many of the journeys that began together are paid by now, of the last 24 h",
      tags: ["cutovers"],
      params: cutoverName,
      querystring: seriesQuery,
      response: {
        200: paymentsView.describe("The cohorts"),
        ...refusalAnswers(["not_found", "invalid"]),
      },
    },
    handler: async ({ params: { name }, query: { since } }) => {
      views.assertKnown(name);
      const nowMs = clock.now();
      const sinceMs = since === undefined ? nowMs - dayMs : Date.parse(since);
      const { stepSeconds, cohorts } = series.payments(name, sinceMs, nowMs);
      return { stepSeconds, cohorts: cohorts.map((cohort) => ({ ...cohort, at: isoOf(cohort.at) })) };
    },
  });
}

interface Asked {
  readonly name: string;
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly older: Pick<OlderSeries, "isThere" | "read">;
}

/** What the instances know, or where they know less than half of what is asked for, what Prometheus does. */
async function olderThan(own: SeriesView, { name, sinceMs, nowMs, older }: Asked): Promise<SeriesView> {
  const spanMs = nowMs - sinceMs;
  if (!older.isThere() || spanMs <= 3 * hourMs + slackMs) return own;
  const knownMs = nowMs - Date.parse(own.points[0]?.at ?? isoOf(nowMs));
  if (spanMs <= dayMs + slackMs && knownMs >= spanMs / 2) return own;
  const found = await older.read(name, sinceMs, nowMs);
  if (found.kind === "nothing") return { ...own, missing: `Prometheus: ${found.why}` };
  const points = found.points.map((point) => ({ ...point, at: isoOf(point.at) }));
  if (points.length === 0) return { ...own, missing: "Prometheus has no figures of this time" };
  return { stepSeconds: found.stepSeconds, from: "prometheus", points };
}

function ownView({ stepSeconds, points }: ReturnType<FleetSeries["read"]>): SeriesView {
  const told = points.map(({ at, ...point }) => ({ at: isoOf(at), ...point }));
  return { stepSeconds, from: "instances", points: told };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
