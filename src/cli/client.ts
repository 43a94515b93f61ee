/**
 * The admin API's client. What it is sent and what it answers have the types of the API's own schemas; an answer
 * that does not fit them is not taken for one.
 */
import * as z from "zod";
import { type CutoverView, cutoverView } from "../admin/api/cutover-view.ts";
import { type ExplainQuery, type Explanation, explanation } from "../admin/api/explanation.ts";
import { annotationView, historyEntry } from "../admin/api/history-view.ts";
import { type Identity, type InstanceView, identity, instanceView } from "../admin/api/instance-view.ts";
import {
  type OwnerAnswer,
  type OwnerView,
  ownerAnswer,
  ownerView,
  waitingOwner,
} from "../admin/api/owner-view.ts";
import { problemDetails } from "../admin/api/problem-details.ts";
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
import { codeOf } from "../base/errors.ts";
import { jsonOf } from "../base/json.ts";
import { readEvents, type ServerEvent } from "./events.ts";

/** The API's waiting time on top of what a write is told to wait. */
const patienceMs = 5000;

/** A server that is newer than this client may use codes and actions this one has no words for. */
const anyProblem = problemDetails.extend({ code: z.string() });
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
  | { readonly call: "percent"; readonly body: z.input<typeof setPercentBody> }
  | { readonly call: "rollback"; readonly body: z.input<typeof rollbackBody> }
  | { readonly call: "hold"; readonly body: z.input<typeof holdBody> }
  | { readonly call: "resume"; readonly body: z.input<typeof resumeBody> }
  | { readonly call: "close"; readonly body: z.input<typeof closeBody> };

export type ApiAnswer<T> =
  | { readonly kind: "ok"; readonly value: T }
  /** The API answered with a problem (RFC 9457). */
  | { readonly kind: "refused"; readonly problem: z.output<typeof anyProblem> }
  /** No answer. `sent` = the request may have arrived, and a write may have been made. */
  | { readonly kind: "unreachable"; readonly why: string; readonly sent: boolean }
  /** Something answered that is not the admin API. */
  | { readonly kind: "foreign"; readonly status: number; readonly sent: boolean };

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
  explain(name: string, query: ExplainQuery): Promise<ApiAnswer<Explanation>>;
  instances(): Promise<ApiAnswer<InstanceView[]>>;
  whoAmI(): Promise<ApiAnswer<Identity>>;
  /** Server-sent events until the signal aborts or the connection ends; the iteration rejects when it breaks. */
  events(signal: AbortSignal): Promise<ApiAnswer<AsyncIterable<ServerEvent>>>;
}

interface ClientOptions {
  /** http or https, without query and credentials; a path is kept as prefix. */
  readonly url: URL;
  readonly token?: string | undefined;
}

export function createClient(options: ClientOptions): AdminClient {
  const { ask, listen } = createTransport(options);

  const at = (name: string, rest = "") => `cutovers/${encodeURIComponent(name)}${rest}`;
  const owner = (name: string, key: string) => at(name, `/owners/${encodeURIComponent(key)}`);
  const proposal = (name: string, id: string) => at(name, `/proposals/${encodeURIComponent(id)}`);
  const get = <T>(schema: z.ZodType<T>, path: string, query: Request["query"] = {}) =>
    ask(schema, { method: "GET", path, query }, patienceMs);

  return {
    url: options.url.href.replace(/\/$/, ""),
    cutovers: () => get(z.array(cutoverView), "cutovers"),
    cutover: (name) => get(cutoverView, at(name)),
    write: (name, { call, body }) =>
      ask(
        written,
        { method: call === "percent" ? "PUT" : "POST", path: at(name, `/${call}`), body },
        (body.waitMs ?? 0) + patienceMs,
      ),
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
    instances: () => get(z.array(instanceView), "instances"),
    whoAmI: () => get(identity, "whoami"),
    explain: (name, query) => get(explanation, at(name, "/explain"), { ...query }),
    events: (signal) => listen("events", signal),
  };
}

interface Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

/** Sends requests, and tells apart what may come back. Neither call rejects. */
function createTransport({ url, token }: ClientOptions) {
  const base = new URL(url);
  if (!base.pathname.endsWith("/")) base.pathname += "/";

  async function send(request: Request, accept: string, signal: AbortSignal): Promise<Response> {
    const target = new URL(`api/v1/${request.path}`, base);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, value);
    }
    const headers = new Headers({ accept, "x-cutover-via": "cli" });
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    if (request.body !== undefined) headers.set("content-type", "application/json");
    return fetch(target, {
      method: request.method,
      headers,
      redirect: "manual",
      signal,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
  }

  async function ask<T>(schema: z.ZodType<T>, request: Request, timeoutMs: number): Promise<ApiAnswer<T>> {
    try {
      const response = await send(request, "application/json", AbortSignal.timeout(timeoutMs));
      const body = jsonOf(await response.text());
      if (!response.ok) return refusal(response.status, body);
      const read = schema.safeParse(body);
      return read.success
        ? { kind: "ok", value: read.data }
        : { kind: "foreign", status: response.status, sent: true };
    } catch (error) {
      return unreachable(error, timeoutMs);
    }
  }

  /** The time-out is over once the answer has begun. */
  async function listen(path: string, signal: AbortSignal): Promise<ApiAnswer<AsyncIterable<ServerEvent>>> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(timedOut()), patienceMs);
    try {
      const whole = AbortSignal.any([signal, patience.signal]);
      const response = await send({ method: "GET", path }, "text/event-stream", whole);
      if (!response.ok) return refusal(response.status, jsonOf(await response.text()));
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
      if (response.body === null || !isStream) {
        await response.body?.cancel();
        return { kind: "foreign", status: response.status, sent: true };
      }
      return { kind: "ok", value: readEvents(response.body) };
    } catch (error) {
      return unreachable(error, patienceMs);
    } finally {
      clearTimeout(timer);
    }
  }

  return { ask, listen };
}

function refusal(status: number, body: unknown): ApiAnswer<never> {
  const read = anyProblem.safeParse(body);
  return read.success ? { kind: "refused", problem: read.data } : { kind: "foreign", status, sent: true };
}

function timedOut(): DOMException {
  return new DOMException("no answer in time", "TimeoutError");
}

/** Failures after which it is certain that no byte of the request has left this machine. */
const neverSent = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ENOTFOUND", "the host name is not known"],
  ["EAI_AGAIN", "the name server does not answer"],
  ["EHOSTUNREACH", "no route to the host"],
  ["ENETUNREACH", "no route to the network"],
  ["UND_ERR_CONNECT_TIMEOUT", "no connection in time"],
]);

function unreachable(error: unknown, timeoutMs: number): ApiAnswer<never> {
  if (error instanceof Error && error.name === "TimeoutError") {
    return { kind: "unreachable", why: `no answer within ${timeoutMs / 1000} s`, sent: true };
  }
  const code = troubleOf(error);
  const why = neverSent.get(code);
  if (why !== undefined) return { kind: "unreachable", why, sent: false };
  return { kind: "unreachable", why: `the connection broke (${code})`, sent: true };
}

/** fetch hides the system's error in the cause. */
function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return codeOf(error.cause) ?? codeOf(error) ?? error.message;
}
