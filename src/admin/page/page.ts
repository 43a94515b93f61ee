/**
 * The console at the root: the page with all that it shows, its files, and the forms that work without its script. The page
 * and its files are public; what it shows of the cutovers is not: with tokens configured a request without a session gets
 * the page empty, where one signs in.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { gzip, gzipSync } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { systemTimers, within } from "../../base/clock.ts";
import { consoleFiles, renderConsole } from "../../console/port.tsx";
import type { ConsoleState, Locale, PageNotice } from "../../console/state.ts";
import type { Gate } from "../access/gate.ts";
import type { CutoverView } from "../api/cutover-view.ts";
import type { HistoryEntryView } from "../api/history-view.ts";
import type { PlanView } from "../api/plan/plan-view.ts";
import { signInFailureText } from "../api/sign-in.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { askingOf } from "../every-request.ts";
import type { Fleet } from "../fleet.ts";
import { readHistory } from "../routes/history.ts";
import { instanceOf } from "../routes/reads.ts";
import type { Views } from "../view.ts";

export interface PageParts {
  readonly app: AdminApp;
  readonly context: AdminContext;
  readonly gate: Gate;
  readonly views: Views;
  readonly fleet: Fleet;
}

/** Answers with the page. */
export type SendPage = (
  request: FastifyRequest,
  reply: FastifyReply,
  asked: { readonly cutover?: string | undefined; readonly notice?: PageNotice | undefined },
) => Promise<FastifyReply>;

const query = z.object({
  cutover: z.string().optional(),
  intent: z.string().optional(),
  "sign-in": z.string().optional(),
});

/** @returns what answers with the page, for the forms on it */
export function pageRoutes(parts: PageParts): SendPage {
  const { app, context, gate } = parts;
  const style = textOf("style");
  const policy = policyOf(style);
  const toAll = { config: { isPublic: true }, schema: { hide: true } };

  const send: SendPage = async (request, reply, asked) => {
    const state = await stateFor(parts, request, reply, asked);
    const page = renderConsole(state, style);
    const isPacked = takesPacked(request);
    if (isPacked) reply.header("content-encoding", "gzip");
    return (
      reply
        .header("content-security-policy", policy)
        // With none at all the forms would come from nowhere: their origin would be `null` (Fetch, "append a request Origin").
        .header("referrer-policy", "same-origin")
        .header("vary", "accept-encoding")
        .type("text/html; charset=utf-8")
        .send(isPacked ? await packPage(page) : page)
    );
  };

  app.get("/", toAll, async (request, reply) => {
    const asking = askingOf(request);
    const { headers, page } = asking;
    const isKnown = context.auth === "none" || headers.authorization !== undefined || page !== undefined;
    if (isKnown) {
      const { actor, page: session } = await gate.admit(asking);
      request.actor = actor;
      request.signedIn = session ?? null;
    }
    return send(request, reply, { cutover: query.safeParse(request.query).data?.cutover });
  });
  for (const kind of ["script", "charts"] as const) scriptRoute(app, kind);
  return send;
}

/** Small enough for the first flight of a connection; the CSRF token in it is another each time (BREACH). */
const packPage = promisify(gzip);

function takesPacked({ headers }: FastifyRequest): boolean {
  return /\bgzip\b/.test(String(headers["accept-encoding"] ?? ""));
}

/** Browsers that take it are sent it as small as it gets: it was packed once. */
function scriptRoute(app: AdminApp, kind: "script" | "charts"): void {
  const text = textOf(kind);
  const packed = gzipSync(text, { level: 9 });
  const toAll = { config: { isPublic: true }, schema: { hide: true } };
  app.get(`/${consoleFiles[kind]}`, toAll, async (request, reply) => {
    const isPacked = takesPacked(request);
    if (isPacked) reply.header("content-encoding", "gzip");
    reply.header("vary", "accept-encoding").type("text/javascript; charset=utf-8");
    return reply.send(isPacked ? packed : text);
  });
}

/** As the build has made it: a program that runs from its source takes what stands in dist/, too. */
function textOf(kind: keyof typeof consoleFiles): string {
  return readFileSync(new URL(`../../../dist/console/${consoleFiles[kind]}`, import.meta.url), "utf8");
}

/** Nothing but its own files, and the style that stands in it. */
function policyOf(style: string): string {
  const digest = createHash("sha256").update(style).digest("base64");
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'sha256-${digest}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Entries of the history that the page has from the start. */
const historyLimit = 30;
/** A page does not wait for a store out of reach: its script asks again. */
const patienceMs = 500;

async function historyAtOnce(context: AdminContext, name: string): Promise<HistoryEntryView[] | undefined> {
  if (!context.follower.contact().up) return undefined;
  const reading = readHistory(context, name, historyLimit);
  return within(patienceMs, systemTimers, reading).catch(() => undefined);
}

/** As far as the store tells it at once: the script asks again. */
async function planAtOnce(
  { plans }: AdminContext,
  { name, plan }: CutoverView,
): Promise<PlanView | undefined> {
  if (plan === undefined) return undefined;
  return within(patienceMs, systemTimers, plans.show(name)).catch(() => undefined);
}

async function stateFor(
  { context, gate, views, fleet }: PageParts,
  request: FastifyRequest,
  reply: FastifyReply,
  { cutover, notice }: Parameters<SendPage>[2],
): Promise<ConsoleState> {
  const asked = query.safeParse(request.query).data ?? {};
  const { actor, signedIn } = request;
  const locale = localeOf(request.headers["accept-language"]);
  const shown = {
    page: {
      ...context.console,
      instance: context.profile().name ?? context.instance.id,
      build: context.version,
      locale,
      hasOlder: context.older.isThere(),
      access: { isOpen: context.auth === "none", hasIssuer: gate.issuer()?.page !== undefined },
    },
    at: new Date(context.clock.now()).toISOString(),
    zone: locale === "id-ID" ? "Asia/Jakarta" : "UTC",
  } as const;
  const failure = signInFailureText(asked["sign-in"]);
  const failed: PageNotice | undefined =
    failure === undefined ? undefined : { kind: "failed", text: failure, details: [] };
  if (actor === null) {
    return { ...shown, who: undefined, cutovers: [], told: {}, instances: [], notice: notice ?? failed };
  }
  const records = await fleet.read();
  const names = views.names();
  const [only] = names;
  const chosen = names.find((name) => name === cutover) ?? (names.length === 1 ? only : undefined);
  const told = names.map((name) => [name, { guard: views.guard(name, records) }] as const);
  const cutovers = views.all(records);
  const view = cutovers.find(({ name }) => name === chosen);
  const beside =
    view === undefined
      ? []
      : await Promise.all([historyAtOnce(context, view.name), planAtOnce(context, view)]);
  const [history, plan] = beside;
  return {
    ...shown,
    who: actor,
    csrf: signedIn === null ? undefined : reply.generateCsrf(),
    cutovers,
    chosen,
    told: {
      ...Object.fromEntries(told),
      ...(chosen === undefined ? {} : { [chosen]: { guard: views.guard(chosen, records), history, plan } }),
    },
    instances: records.map(instanceOf),
    notice: notice ?? failed,
    intent: asked.intent === "rollback" ? "rollback" : undefined,
  };
}

/** Numbers as the reader's first language has them, of those that are known. */
function localeOf(accepted = ""): Locale {
  return /^id\b/i.test(accepted.trim()) ? "id-ID" : "en";
}
