/**
 * Keeps the fleet's figures of the last 24 h (telemetry/series) and tells them. Once a step is over and everybody has had
 * the time to publish it, the records of all are read and added up: one reading of the store in 10 s.
 */

import { createSeriesBook, type SeriesBook } from "../../telemetry/series/series.ts";
import { stepMs } from "../../telemetry/traffic/step.ts";
import { cutoverName } from "../api/cutover-view.ts";
import { seriesQuery, seriesView } from "../api/series/series-view.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import type { Fleet } from "../fleet.ts";
import { refusalAnswers } from "../openapi.ts";
import type { Views } from "../view.ts";

/** Records are renewed each second, and clocks differ. */
const lagMs = 3000;
const lookMs = 1000;
const dayMs = 24 * 3_600_000;

interface FleetSeries extends Pick<SeriesBook, "read"> {
  close(): void;
}

export function openFleetSeries({ clock, log }: AdminContext, views: Views, fleet: Fleet): FleetSeries {
  const book = createSeriesBook();
  const lastOver = () => Math.floor((clock.now() - lagMs) / stepMs) * stepMs - stepMs;
  let added = lastOver();

  async function look(): Promise<void> {
    const at = lastOver();
    if (at <= added) return;
    added = at;
    try {
      const records = await fleet.read();
      const names = views.names();
      book.keep(names);
      for (const name of names) {
        book.add(
          name,
          at,
          records.map(({ traffic }) => traffic[name]),
        );
      }
    } catch (error) {
      log.error({ err: error }, "a step of the series could not be added");
    }
  }

  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  return { read: book.read, close: () => clearInterval(timer) };
}

export function seriesRoute(
  app: AdminApp,
  { clock }: AdminContext,
  views: Views,
  series: Pick<FleetSeries, "read">,
): void {
  app.route({
    method: "GET",
    url: "/api/v1/cutovers/:name/series",
    schema: {
      operationId: "getSeries",
      summary: "Figures of the last 24 h, of all instances together",
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
      const { stepSeconds, points } = series.read(name, sinceMs, nowMs);
      return {
        stepSeconds,
        points: points.map(({ at, ...point }) => ({ at: new Date(at).toISOString(), ...point })),
      };
    },
  });
}
