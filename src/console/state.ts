/** What the console shows, as one value: made by the server for the first render, and renewed by events in the browser. PURE. */
import type { CutoverView, MetricsEvent } from "../admin/api/cutover-view.ts";
import type { GuardView } from "../admin/api/guard/guard-view.ts";
import type { HistoryEntryView } from "../admin/api/history-view.ts";
import type { InstanceView } from "../admin/api/instance-view.ts";
import type { PlanView } from "../admin/api/plan/plan-view.ts";
import { tokenRoles } from "../admin/api/rules.ts";

type ReaderRole = (typeof tokenRoles)[number];

/** How numbers are written. */
export type Locale = "en" | "id-ID";
export type Zone = "UTC" | "Asia/Jakarta";

/** What does not change while the page is open. */
interface PageFacts {
  /** As configured; absent: none is named. */
  readonly environment?: string | undefined;
  readonly links: Readonly<Partial<Record<"runbook" | "grafana" | "alerts", string | undefined>>>;
  readonly instance: string;
  /** Of the program. */
  readonly build: string;
  readonly locale: Locale;
  /** Whether figures of longer ago than a day can be asked for. */
  readonly hasOlder?: boolean | undefined;
  /** Whether people sign in here at all, and whether at an issuer. */
  readonly access: { readonly isOpen: boolean; readonly hasIssuer: boolean };
}

/** What is told of one cutover beside its view. */
interface Beside {
  readonly guard?: GuardView | undefined;
  /** Newest first. */
  readonly history?: readonly HistoryEntryView[] | undefined;
  readonly plan?: PlanView | undefined;
}

export interface ConsoleState {
  readonly page: PageFacts;
  /** `undefined`: nobody is signed in, and nothing of the cutovers is told. */
  readonly who: { readonly name: string; readonly role: ReaderRole } | undefined;
  /** To be sent with every change; absent where nobody signs in. */
  readonly csrf?: string | undefined;
  readonly cutovers: readonly CutoverView[];
  /** The cutover that is shown; absent: all of them in a line each. */
  readonly chosen?: string | undefined;
  readonly told: Readonly<Record<string, Beside>>;
  readonly instances: readonly InstanceView[];
  /** RFC 3339, the server's clock. */
  readonly at: string;
  readonly zone: Zone;
  /** What a form sent before this page came of, or why somebody is not signed in. */
  readonly notice?: PageNotice | undefined;
  /** Opens the sheet; does nothing by itself. */
  readonly intent?: "rollback" | undefined;
}

/** `partial`: made, and not certain of every instance. `details`: a sentence each. */
export interface PageNotice {
  readonly kind: "done" | "partial" | "failed";
  readonly text: string;
  readonly details: readonly string[];
}

export function chosenOf({ cutovers, chosen }: ConsoleState): CutoverView | undefined {
  return chosen === undefined ? undefined : cutovers.find(({ name }) => name === chosen);
}

export function toldOf({ told }: ConsoleState, name: string): Beside {
  return told[name] ?? {};
}

/** Whether who is signed in may do what takes this role. */
export function mayDo({ who }: Pick<ConsoleState, "who">, least: ReaderRole): boolean {
  return who !== undefined && tokenRoles.indexOf(who.role) >= tokenRoles.indexOf(least);
}

export function withTold(state: ConsoleState, name: string, more: Beside): ConsoleState {
  return { ...state, told: { ...state.told, [name]: { ...state.told[name], ...more } } };
}

export function withSnapshot(state: ConsoleState, cutovers: readonly CutoverView[]): ConsoleState {
  return { ...state, cutovers };
}

/** One cutover has changed. */
export function withChange(state: ConsoleState, view: CutoverView): ConsoleState {
  const cutovers = state.cutovers.map((known) => (known.name === view.name ? view : known));
  return { ...state, cutovers };
}

/** What stands in a view only while it is so. */
const comesAndGoes = [
  ...(["proposal", "exposure", "freeze", "window", "plan", "deadline", "schedule"] as const),
];

function without<K extends keyof CutoverView>(view: CutoverView, keys: readonly K[]): Omit<CutoverView, K> {
  const rest = { ...view };
  for (const key of keys) delete rest[key];
  return rest;
}

/** The figures of this second. What they leave out is not there any more. */
export function withMetrics(state: ConsoleState, figures: MetricsEvent): ConsoleState {
  const byName = new Map(figures.map((each) => [each.name, each]));
  const cutovers = state.cutovers.map((view): CutoverView => {
    const now = byName.get(view.name);
    if (now === undefined) return view;
    const { guard: _, ...own } = now;
    return { ...without(view, comesAndGoes), ...own };
  });
  const guards = figures.flatMap(({ name, guard }) =>
    guard === undefined ? [] : [[name, { ...state.told[name], guard }] as const],
  );
  const told = { ...state.told, ...Object.fromEntries(guards) };
  return { ...state, cutovers, told };
}
