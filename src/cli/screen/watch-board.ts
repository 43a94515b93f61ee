/** What a watcher knows of the cutovers: the last snapshot and all that came after it. */
import * as z from "zod";
import { type CutoverView, cutoverView, metricsEvent } from "../../admin/api/cutover-view.ts";
import type { GuardView } from "../../admin/api/guard/guard-view.ts";
import { tickEvent } from "../../admin/api/instance-view.ts";
import type { SeriesView } from "../../admin/api/series/series-view.ts";
import { jsonOf } from "../../base/json.ts";
import type { ServerEvent } from "../events.ts";

export type Update =
  | { readonly kind: "snapshot" | "change"; readonly changed: readonly CutoverView[] }
  | { readonly kind: "metrics" }
  | { readonly kind: "tick" };

export interface Board {
  /** Takes an event in; `undefined` when it is of no known kind or does not fit its schema. */
  take(event: ServerEvent): Update | undefined;
  /** In the order of the configuration. */
  views(): readonly CutoverView[];
  /** What its guard makes of it; `undefined`: nothing is told yet. */
  guard(name: string): GuardView | undefined;
  /** Figures of the last minutes, as they are fetched beside the events. */
  series(name: string): SeriesView | undefined;
  takeSeries(name: string, series: SeriesView): void;
}

const snapshotEvent = z.array(cutoverView);

/** @param name watches this cutover only */
export function createBoard(name: string | undefined): Board {
  const known = new Map<string, CutoverView>();
  const guards = new Map<string, GuardView>();
  const told = new Map<string, SeriesView>();
  const isWatched = (view: { readonly name: string }) => name === undefined || view.name === name;

  /** Those whose version was not known: after a lost connection, what changed meanwhile. */
  function learn(views: readonly CutoverView[]): CutoverView[] {
    const changed = views.filter((view) => known.get(view.name)?.version !== view.version);
    for (const view of views) known.set(view.name, view);
    return changed;
  }

  return {
    take({ event, data }) {
      const body = jsonOf(data);
      switch (event) {
        case "snapshot": {
          const read = snapshotEvent.safeParse(body);
          if (!read.success) return undefined;
          const views = read.data.filter(isWatched);
          const gone = [...known.keys()].filter((each) => !views.some((view) => view.name === each));
          for (const each of gone) for (const kept of [known, guards, told]) kept.delete(each);
          return { kind: "snapshot", changed: learn(views) };
        }
        case "change": {
          const read = cutoverView.safeParse(body);
          if (!read.success) return undefined;
          return { kind: "change", changed: learn([read.data].filter(isWatched)) };
        }
        case "metrics": {
          const read = metricsEvent.safeParse(body);
          if (!read.success) return undefined;
          for (const figures of read.data) {
            if (figures.guard !== undefined) guards.set(figures.name, figures.guard);
            const view = known.get(figures.name);
            if (view === undefined) continue;
            // What is told no more is no more.
            const { proposal: _, ownerStore: __, freeze: ___, window: ____, ...rest } = view;
            const { plan: _____, deadline: ______, schedule: _______, exposure: ________, ...kept } = rest;
            known.set(figures.name, { ...kept, ...figures });
          }
          return { kind: "metrics" };
        }
        case "tick": {
          const read = tickEvent.safeParse(body);
          if (!read.success) return undefined;
          return { kind: "tick" };
        }
        default:
          return undefined;
      }
    },
    views: () => [...known.values()],
    guard: (cutover) => guards.get(cutover),
    series: (cutover) => told.get(cutover),
    takeSeries: (cutover, series) => void told.set(cutover, series),
  };
}
