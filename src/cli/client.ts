/**
 * The admin API's client. What it is sent and what it answers have the types of the API's own schemas; an answer
 * that does not fit them is not taken for one.
 */

import * as z from "zod";
import { type CutoverView, cutoverView } from "../admin/api/cutover-view.ts";
import { type ExplainQuery, type Explanation, explanation } from "../admin/api/explanation.ts";
import { type GuardView, guardView } from "../admin/api/guard/guard-view.ts";
import { annotationView, historyEntry } from "../admin/api/history-view.ts";
import { type Identity, type InstanceView, identity, instanceView } from "../admin/api/instance-view.ts";
import {
  type changeListBody,
  type ListAnswer,
  type ListView,
  listAnswer,
  listHistoryEntry,
  listView,
  memberAnswer,
  waitingList,
} from "../admin/api/lists/list-view.ts";
import {
  type OwnerAnswer,
  type OwnerView,
  ownerAnswer,
  ownerView,
  waitingOwner,
} from "../admin/api/owner-view.ts";
import {
  type DoubtView,
  type doubtQuery,
  doubtView,
  type SettleAnswer,
  settleAnswer,
  type settleBody,
} from "../admin/api/past/doubt-view.ts";
import {
  type FreezeAnswer,
  type FreezeView,
  freezeAnswer,
  type freezeBody,
  freezeView,
} from "../admin/api/plan/freeze-view.ts";
import { type PlanView, type pausePlanBody, planView } from "../admin/api/plan/plan-view.ts";
import { type ScheduledView, scheduledView } from "../admin/api/plan/raise-view.ts";
import type { scheduleBody } from "../admin/api/plan/schedule-view.ts";
import { type SeriesView, seriesView } from "../admin/api/series/series-view.ts";
import type { maintenanceBody } from "../admin/api/sides/maintenance.ts";
import { type SignInWays, signInWays } from "../admin/api/sign-in.ts";
import {
  type closeBody,
  type holdBody,
  type ProposalView,
  proposalView,
  type resumeBody,
  type rollbackBody,
  type setPercentBody,
  type WriteAnswer,
  type WriteOfAll,
  writeAnswer,
  writeOfAll,
} from "../admin/api/write.ts";
import type { ServerEvent } from "./events.ts";
import { type ApiAnswer, type ApiCall, createTransport, type TransportOptions } from "./transport.ts";

/** The API's waiting time on top of what a write is told to wait. */
const patienceMs = 5000;

/** A part of an import is written in several steps; a change by hand is not, and is not waited for as long. */
const importPatienceMs = 60_000;
const mostByHand = 1000;

/** A server that is newer than this client may use ways and actions this one has no words for. */
const anyAnnotation = annotationView.extend({ via: z.string().nullable() });
const anyHistoryEntry = historyEntry.extend({
  action: z.string(),
  via: z.string().nullable().default(null),
  requestId: z.string().nullable().default(null),
  annotations: z.array(anyAnnotation).default([]),
});
export type AnyHistoryEntry = z.output<typeof anyHistoryEntry>;

/** A large raise may have to wait for another person. */
const written = z.union([writeAnswer, proposalView]);
/** An answer without a body. */
const nothing = z.undefined().transform(() => null);

/** A call that changes a cutover, with its body. */
export type WriteCall =
  | {
      readonly call: "percent";
      /** Whose; absent: the cutover's own. */
      readonly cohort?: string | undefined;
      readonly body: z.input<typeof setPercentBody>;
    }
  | { readonly call: "rollback"; readonly body: z.input<typeof rollbackBody> }
  | { readonly call: "hold"; readonly body: z.input<typeof holdBody> }
  | { readonly call: "resume"; readonly body: z.input<typeof resumeBody> }
  | { readonly call: "maintenance"; readonly body: z.input<typeof maintenanceBody> }
  | { readonly call: "close"; readonly body: z.input<typeof closeBody> };

const puts: ReadonlySet<WriteCall["call"]> = new Set(["percent", "maintenance"]);

interface OwnerChange {
  readonly side: OwnerView["side"];
  readonly reason: string;
  readonly force: boolean;
}
type WaitingOwner = z.output<typeof waitingOwner>;

interface HistoryQuery {
  readonly limit: number;
  /** RFC 3339. */
  readonly since?: string;
}

export interface AdminClient {
  readonly url: string;
  /** Where several addresses are asked as one: each by itself. */
  readonly each?: readonly AdminClient[];
  cutovers(): Promise<ApiAnswer<CutoverView[]>>;
  cutover(name: string): Promise<ApiAnswer<CutoverView>>;
  write(name: string, call: WriteCall): Promise<ApiAnswer<WriteAnswer | ProposalView>>;
  /** A rollback or a hold of every cutover at once. */
  writeAll(call: Extract<WriteCall, { call: "rollback" | "hold" }>): Promise<ApiAnswer<WriteOfAll[]>>;
  /** The raises and closes that wait for another person: one at most. */
  proposals(name: string): Promise<ApiAnswer<ProposalView[]>>;
  approve(name: string, id: string, waitMs: number): Promise<ApiAnswer<WriteAnswer>>;
  withdraw(name: string, id: string): Promise<ApiAnswer<null>>;
  /** Newest first. */
  history(name: string, query: HistoryQuery): Promise<ApiAnswer<AnyHistoryEntry[]>>;
  annotate(name: string, version: number, reason: string): Promise<ApiAnswer<z.output<typeof anyAnnotation>>>;
  owner(name: string, key: string): Promise<ApiAnswer<OwnerView>>;
  /** @param side null: it is released */
  putOwner(name: string, key: string, asked: OwnerChange): Promise<ApiAnswer<OwnerAnswer | WaitingOwner>>;
  /** Of each side the oldest first. */
  doubt(name: string, query: z.output<typeof doubtQuery>): Promise<ApiAnswer<DoubtView[]>>;
  settleDoubt(name: string, body: z.input<typeof settleBody>): Promise<ApiAnswer<SettleAnswer>>;
  list(name: string): Promise<ApiAnswer<ListView>>;
  isOnList(name: string, member: string): Promise<ApiAnswer<z.output<typeof memberAnswer>>>;
  listHistory(name: string): Promise<ApiAnswer<z.output<typeof listHistoryEntry>[]>>;
  changeList(
    name: string,
    body: z.input<typeof changeListBody>,
  ): Promise<ApiAnswer<ListAnswer | z.output<typeof waitingList>>>;
  explain(name: string, query: ExplainQuery): Promise<ApiAnswer<Explanation>>;
  guard(name: string): Promise<ApiAnswer<GuardView>>;
  plan(name: string): Promise<ApiAnswer<PlanView>>;
  /** @param since RFC 3339 */
  series(name: string, since: string): Promise<ApiAnswer<SeriesView>>;
  changePlan(
    name: string,
    to: "start" | "pause",
    body: z.input<typeof pausePlanBody>,
  ): Promise<ApiAnswer<WriteAnswer | ProposalView>>;
  /** What is to be set at a time: what waits, then what is over. */
  schedule(name: string): Promise<ApiAnswer<ScheduledView[]>>;
  setAt(name: string, body: z.input<typeof scheduleBody>): Promise<ApiAnswer<ScheduledView | ProposalView>>;
  cancelScheduled(name: string, id: string): Promise<ApiAnswer<null>>;
  /** What is frozen. */
  frozen(): Promise<ApiAnswer<FreezeView>>;
  freeze(body: z.input<typeof freezeBody>): Promise<ApiAnswer<FreezeAnswer>>;
  unfreeze(reason: string): Promise<ApiAnswer<FreezeAnswer>>;
  instances(): Promise<ApiAnswer<InstanceView[]>>;
  whoAmI(): Promise<ApiAnswer<Identity>>;
  /** Without a token, too. */
  signInWays(): Promise<ApiAnswer<SignInWays>>;
  /** Server-sent events until the signal aborts or the connection ends; the iteration rejects when it breaks. */
  events(signal: AbortSignal): Promise<ApiAnswer<AsyncIterable<ServerEvent>>>;
}

export function createClient(options: TransportOptions): AdminClient {
  const { ask, listen } = createTransport(options);

  const at = (name: string, rest = "") => `cutovers/${encodeURIComponent(name)}${rest}`;
  const list = (name: string, rest = "") => `lists/${encodeURIComponent(name)}${rest}`;
  const owner = (name: string, key: string) => at(name, `/owners/${encodeURIComponent(key)}`);
  const proposal = (name: string, id: string) => at(name, `/proposals/${encodeURIComponent(id)}`);
  const get = <T>(schema: z.ZodType<T>, path: string, query: ApiCall["query"] = {}) =>
    ask(schema, { method: "GET", path, query }, patienceMs);

  return {
    url: options.url.href.replace(/\/$/, ""),
    cutovers: () => get(z.array(cutoverView), "cutovers"),
    cutover: (name) => get(cutoverView, at(name)),
    write(name, asked) {
      const { call, body } = asked;
      const cohort = call === "percent" ? asked.cohort : undefined;
      const path = at(
        name,
        `${cohort === undefined ? "" : `/cohorts/${encodeURIComponent(cohort)}`}/${call}`,
      );
      const method = puts.has(call) ? "PUT" : "POST";
      return ask(written, { method, path, body }, (body.waitMs ?? 0) + patienceMs);
    },
    writeAll: ({ call, body: { ifVersion: _, ...body } }) =>
      ask(z.array(writeOfAll), { method: "POST", path: call, body }, (body.waitMs ?? 0) + patienceMs),
    proposals: (name) => get(z.array(proposalView), at(name, "/proposals")),
    approve: (name, id, waitMs) =>
      ask(
        writeAnswer,
        { method: "POST", path: `${proposal(name, id)}/approve`, body: { waitMs } },
        waitMs + patienceMs,
      ),
    withdraw: (name, id) => ask(nothing, { method: "DELETE", path: proposal(name, id) }, patienceMs),
    history: (name, { limit, since }) =>
      get(z.array(anyHistoryEntry), at(name, "/history"), { limit: String(limit), since }),
    annotate: (name, version, reason) =>
      ask(
        anyAnnotation,
        { method: "POST", path: at(name, `/history/${version}/annotate`), body: { reason } },
        patienceMs,
      ),
    owner: (name, key) => get(ownerView, owner(name, key)),
    putOwner: (name, key, { side, ...body }) =>
      ask(
        z.union([ownerAnswer, waitingOwner]),
        side === null
          ? { method: "DELETE", path: owner(name, key), body }
          : { method: "PUT", path: owner(name, key), body: { side, ...body } },
        patienceMs,
      ),
    doubt: (name, { side, limit }) =>
      get(z.array(doubtView), at(name, "/doubt"), { side, limit: String(limit) }),
    settleDoubt: (name, body) =>
      ask(settleAnswer, { method: "POST", path: at(name, "/doubt/settle"), body }, patienceMs),
    list: (name) => get(listView, list(name)),
    isOnList: (name, member) => get(memberAnswer, list(name, "/has"), { member }),
    listHistory: (name) => get(z.array(listHistoryEntry), list(name, "/history")),
    changeList: (name, body) =>
      ask(
        z.union([listAnswer, waitingList]),
        { method: "PUT", path: list(name), body },
        (body.add?.length ?? 0) + (body.remove?.length ?? 0) > mostByHand ? importPatienceMs : patienceMs,
      ),
    guard: (name) => get(guardView, at(name, "/guard")),
    plan: (name) => get(planView, at(name, "/plan")),
    series: (name, since) => get(seriesView, at(name, "/series"), { since }),
    changePlan: (name, to, body) =>
      ask(written, { method: "POST", path: at(name, `/plan/${to}`), body }, (body.waitMs ?? 0) + patienceMs),
    schedule: (name) => get(z.array(scheduledView), at(name, "/schedule")),
    setAt: (name, body) =>
      ask(
        z.union([proposalView, scheduledView]),
        { method: "POST", path: at(name, "/schedule"), body },
        patienceMs,
      ),
    cancelScheduled: (name, id) =>
      ask(nothing, { method: "DELETE", path: at(name, `/schedule/${encodeURIComponent(id)}`) }, patienceMs),
    frozen: () => get(freezeView, "freeze"),
    freeze: (body) => ask(freezeAnswer, { method: "POST", path: "freeze", body }, patienceMs),
    unfreeze: (reason) =>
      ask(freezeAnswer, { method: "POST", path: "unfreeze", body: { reason } }, patienceMs),
    instances: () => get(z.array(instanceView), "instances"),
    whoAmI: () => get(identity, "whoami"),
    signInWays: () => get(signInWays, "sign-in"),
    explain: (name, query) => get(explanation, at(name, "/explain"), { ...query }),
    events: (signal) => listen("events", patienceMs, signal),
  };
}
