/** What the page itself is doing, beside what it shows: which sheet is open, what is on its way, how old all is. PURE. */
import type { PaymentsView } from "../admin/api/series/payments-view.ts";
import type { SeriesView } from "../admin/api/series/series-view.ts";
import type { WriteAnswer } from "../admin/api/write.ts";
import type { ConsoleState, PageNotice, Zone } from "./state.ts";

export type Sheet = "rollback" | "raise" | "resume" | "start_plan" | "pause_plan" | "rollback_all" | "help";

/** How far back the charts go. */
export type Range = "30m" | "3h" | "24h" | "7d" | "30d";

export interface Ui {
  /** Whether the script has taken the page over; before that, forms and links do all. */
  readonly isLive: boolean;
  /** How old what is shown is, ms. */
  readonly ageMs: number;
  readonly sheet: Sheet | undefined;
  /** The sheet's deadly button does nothing yet. */
  readonly isDead: boolean;
  /** The version that a dialog was opened on: what it sends names it. */
  readonly onVersion: number | undefined;
  /** A call is on its way: nothing is sent twice. */
  readonly isSending: boolean;
  /** What the open sheet has come to. */
  readonly outcome: PageNotice | undefined;
  /** Short word of something done, with what takes it back. */
  readonly toast: { readonly text: string; readonly undo: WriteAnswer | undefined } | undefined;
  /** What the raise dialog has in its field. */
  readonly target: string;
  readonly range: Range;
  readonly isTable: boolean;
  /** What the charts show; `undefined`: nothing is told yet. */
  readonly series: SeriesView | undefined;
  /** What the chart of payments shows; without cohorts there is none. */
  readonly payments: PaymentsView | undefined;
  readonly hasKeys: boolean;
  /** What tells a person that they are signed out, or why a sign-in came to nothing. */
  readonly signInNote: string | undefined;
}

export function firstUi({ intent, chosen }: Pick<ConsoleState, "intent" | "chosen">): Ui {
  const all = intent === undefined ? undefined : "rollback_all";
  return {
    isLive: false,
    ageMs: 0,
    sheet: chosen === undefined ? all : intent,
    isDead: false,
    onVersion: undefined,
    isSending: false,
    outcome: undefined,
    toast: undefined,
    target: "",
    range: "30m",
    isTable: false,
    series: undefined,
    payments: undefined,
    hasKeys: true,
    signInNote: undefined,
  };
}

/** What a person can set off. ApiCalls that change answer nothing: what came of them is shown. */
export interface Deeds {
  open(sheet: Sheet): void;
  close(): void;
  rollBack(reason: string): void;
  rollBackAll(): void;
  hold(): void;
  holdAll(): void;
  undo(): void;
  resume(reason: string): void;
  raise(percent: number, reason: string): void;
  changePlan(does: "start" | "pause", reason: string): void;
  approve(id: string): void;
  withdraw(id: string): void;
  aim(target: string): void;
  choose(range: Range): void;
  showTable(isTable: boolean): void;
  setZone(zone: Zone): void;
  setKeys(hasKeys: boolean): void;
  signIn(token: string): void;
  signOut(): void;
}

/** Before the script is there nothing is set off. */
export const noDeeds: Deeds = {
  open: () => {},
  close: () => {},
  rollBack: () => {},
  rollBackAll: () => {},
  hold: () => {},
  holdAll: () => {},
  undo: () => {},
  resume: () => {},
  raise: () => {},
  changePlan: () => {},
  approve: () => {},
  withdraw: () => {},
  aim: () => {},
  choose: () => {},
  showTable: () => {},
  setZone: () => {},
  setKeys: () => {},
  signIn: () => {},
  signOut: () => {},
};
