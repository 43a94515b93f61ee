/** What the charts show, fetched when it is looked at, and the charts' own script, loaded once the page stands. */
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { staleAfterMs } from "../../admin/api/words/verdict.ts";
import { type ConsoleState, chosenOf, toldOf } from "../state.ts";
import type { Range, Ui } from "../ui.ts";
import { joined, lastAt } from "../words/series.ts";
import type { ApiCalls } from "./calls.ts";
import type { Charts } from "./charts.ts";

const spanMs: Readonly<Record<Range, number>> = { "30m": 1_800_000, "3h": 10_800_000, "24h": 86_400_000 };
/** Of a day nothing is drawn that is finer than a minute. */
const dayRenewMs = 60_000;

export interface EvidenceKeeper {
  /** Fetches what the range asks for and is not known. @returns what is known; `undefined`: the instance tells none */
  renew(state: ConsoleState, ui: Ui): Promise<SeriesView | undefined>;
  draw(state: ConsoleState, ui: Ui): void;
}

export function openEvidence(calls: ApiCalls): EvidenceKeeper {
  let create: ((at: HTMLElement) => Charts) | undefined;
  let charts: { readonly at: HTMLElement; readonly drawn: Charts } | undefined;
  let loading: Promise<void> | undefined;
  let known: { readonly range: Range; readonly series: SeriesView; readonly atMs: number } | undefined;

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

  async function fetchFrom(name: string, sinceMs: number): Promise<SeriesView | undefined> {
    const since = new Date(sinceMs).toISOString();
    return calls.get<SeriesView>(`api/v1/cutovers/${encodeURIComponent(name)}/series?since=${since}`);
  }

  return {
    async renew(state, { range }) {
      const view = chosenOf(state);
      if (view === undefined) return undefined;
      const firstMs = Date.parse(state.at) - spanMs[range];
      const before = known?.range === range ? known : undefined;
      if (range === "24h" && before !== undefined && performance.now() - before.atMs < dayRenewMs) {
        return before.series;
      }
      // Of fine steps only the last ones are asked for: the last of those that are known may have been told too early.
      const last = range === "24h" ? undefined : lastAt(before?.series);
      const told = await fetchFrom(view.name, Math.max(firstMs, last ?? firstMs));
      if (told !== undefined) {
        const series = joined(last === undefined ? undefined : before?.series, told, firstMs);
        known = { range, series, atMs: performance.now() };
      }
      loading ??= load().catch(() => undefined);
      await loading;
      return known?.series;
    },

    draw(state, ui) {
      const view = chosenOf(state);
      const drawn = place();
      if (drawn === undefined || known === undefined || view === undefined) return;
      const { history = [] } = toldOf(state, view.name);
      drawn.draw({
        series: known.series,
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
