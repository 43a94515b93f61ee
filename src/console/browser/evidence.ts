/** What the charts show, fetched when it is looked at, and the charts' own script, loaded once the page stands. */
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { type ConsoleState, chosenOf, toldOf } from "../state.ts";
import type { Range, Ui } from "../ui.ts";
import { staleAfterMs } from "../words/liveness.ts";
import type { ApiCalls } from "./calls.ts";
import type { Charts } from "./charts.ts";

const spanMs: Readonly<Record<Range, number>> = { "30m": 1_800_000, "3h": 10_800_000, "24h": 86_400_000 };

interface EvidenceKeeper {
  /** Fetches anew what the range asks for. @returns what is known; `undefined`: the instance tells none */
  renew(state: ConsoleState, ui: Ui): Promise<SeriesView | undefined>;
  draw(state: ConsoleState, ui: Ui): void;
}

export function openEvidence(calls: ApiCalls): EvidenceKeeper {
  let create: ((at: HTMLElement) => Charts) | undefined;
  let charts: { readonly at: HTMLElement; readonly drawn: Charts } | undefined;
  let loading: Promise<void> | undefined;
  let series: SeriesView | undefined;

  async function load(): Promise<void> {
    // A name that the bundler does not follow: the charts are a file of their own.
    const path = new URL("./charts.js", import.meta.url).href;
    const { createCharts }: typeof import("./charts.ts") = await import(path);
    create = createCharts;
  }

  /** Their place is there once there is something to show. */
  function place(): Charts | undefined {
    const at = document.getElementById("charts");
    if (at === null || create === undefined) return undefined;
    if (charts?.at !== at) charts = { at, drawn: create(at) };
    return charts.drawn;
  }

  return {
    async renew(state, ui) {
      const view = chosenOf(state);
      if (view === undefined) return undefined;
      const since = new Date(Date.parse(state.at) - spanMs[ui.range]).toISOString();
      const path = `api/v1/cutovers/${encodeURIComponent(view.name)}/series?since=${since}`;
      series = (await calls.get<SeriesView>(path)) ?? series;
      loading ??= load().catch(() => undefined);
      await loading;
      return series;
    },

    draw(state, ui) {
      const view = chosenOf(state);
      const drawn = place();
      if (drawn === undefined || series === undefined || view === undefined) return;
      const { history = [] } = toldOf(state, view.name);
      drawn.draw({
        series,
        legacy: view.legacy,
        new: view.new,
        isStale: ui.ageMs > staleAfterMs,
        zone: state.zone,
        spanSeconds: spanMs[ui.range] / 1000,
        untilSeconds: Date.parse(state.at) / 1000,
        changes: history.map(({ at, version }) => ({
          at: Date.parse(at) / 1000,
          label: `v${version}`,
        })),
      });
    },
  };
}
