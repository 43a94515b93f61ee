/** What the charts show, fetched when it is looked at, and the charts' own script, loaded once the page stands. */
import type { PaymentsView } from "../../admin/api/series/payments-view.ts";
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { staleAfterMs } from "../../admin/api/words/verdict.ts";
import { type ConsoleState, chosenOf, toldOf } from "../state.ts";
import type { Range, Ui } from "../ui.ts";
import { joined, lastAt } from "../words/series.ts";
import type { ApiCalls } from "./calls.ts";
import type { Charts } from "./charts.ts";

const hourMs = 3_600_000;
const spanMs: Readonly<Record<Range, number>> = {
  ...{ "30m": hourMs / 2, "3h": 3 * hourMs, "24h": 24 * hourMs },
  ...{ "7d": 168 * hourMs, "30d": 720 * hourMs },
};
/** Of a day nothing is drawn that is finer than a minute; of the payments neither. */
const seldomMs = 60_000;

/** Charts and table show it. */
type Fetched = Pick<Ui, "series" | "payments">;

export interface EvidenceKeeper {
  /** Fetches what the range asks for and is not known. @returns what is known */
  renew(state: ConsoleState, ui: Pick<Ui, "range">): Promise<Fetched>;
  draw(state: ConsoleState, ui: Ui): void;
}

export function openEvidence(calls: ApiCalls): EvidenceKeeper {
  let create: ((at: HTMLElement) => Charts) | undefined;
  let charts: { readonly at: HTMLElement; readonly drawn: Charts } | undefined;
  let loading: Promise<void> | undefined;
  let known: { readonly range: Range; readonly series: SeriesView; readonly atMs: number } | undefined;
  let paid: { readonly range: Range; readonly payments: PaymentsView; readonly atMs: number } | undefined;

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

  function fetchFrom<T>(name: string, what: string, sinceMs: number): Promise<T | undefined> {
    const since = new Date(sinceMs).toISOString();
    return calls.get<T>(`api/v1/cutovers/${encodeURIComponent(name)}/${what}?since=${since}`);
  }

  async function renewSeries(name: string, range: Range, firstMs: number): Promise<void> {
    const before = known?.range === range ? known : undefined;
    const isFine = spanMs[range] <= 3 * hourMs;
    if (!isFine && before !== undefined && performance.now() - before.atMs < seldomMs) return;
    // Of fine steps only the last ones are asked for: the last of those that are known may have been told too early.
    const last = isFine ? lastAt(before?.series) : undefined;
    const told = await fetchFrom<SeriesView>(name, "series", Math.max(firstMs, last ?? firstMs));
    if (told === undefined) return;
    const series = joined(last === undefined ? undefined : before?.series, told, firstMs);
    known = { range, series, atMs: performance.now() };
  }

  /** Whole each time: an old cohort is paid, too. */
  async function renewPayments(name: string, range: Range, firstMs: number): Promise<void> {
    if (paid?.range === range && performance.now() - paid.atMs < seldomMs) return;
    const payments = await fetchFrom<PaymentsView>(name, "payments", firstMs);
    if (payments !== undefined) paid = { range, payments, atMs: performance.now() };
  }

  return {
    async renew(state, { range }) {
      const view = chosenOf(state);
      if (view === undefined) return { series: undefined, payments: undefined };
      const firstMs = Date.parse(state.at) - spanMs[range];
      loading ??= load().catch(() => undefined);
      await Promise.all([
        ...[renewSeries, renewPayments].map((renewed) => renewed(view.name, range, firstMs)),
        loading,
      ]);
      return { series: known?.series, payments: paid?.payments };
    },

    draw(state, ui) {
      const view = chosenOf(state);
      const drawn = place();
      if (drawn === undefined || known === undefined || view === undefined) return;
      const { history = [], guard } = toldOf(state, view.name);
      drawn.draw({
        series: known.series,
        cohorts: paid?.payments.cohorts ?? [],
        tolerance: guard?.tolerance ?? 1,
        isStale: ui.ageMs > staleAfterMs,
        zone: state.zone,
        spanSeconds: spanMs[ui.range] / 1000,
        untilSeconds: Date.parse(state.at) / 1000,
        changes: history.map(({ at, version }) => ({
          at: Date.parse(at) / 1000,
          label: `v${version - 1}→v${version}`,
        })),
      });
    },
  };
}
