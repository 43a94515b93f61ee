/**
 * The status page at the root. The page and its two files are public; what it shows of the cutovers is not: with tokens
 * configured a request without a session gets the page empty, and its script asks the reader for a token, which it trades
 * for a session.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { escapeUnseen } from "../../state/rules/history.ts";
import type { Gate } from "../access/gate.ts";
import type { CutoverView, SidesUnderWay, SideTraffic } from "../api/cutover-view.ts";
import { byWhom, isOfAll } from "../api/rules.ts";
import { signInFailureText } from "../api/sign-in.ts";
import type { AdminApp, AdminContext } from "../context.ts";
import { askingOf } from "../every-request.ts";
import type { Fleet } from "../fleet.ts";
import type { Views } from "../view.ts";

const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export function pageRoutes(
  app: AdminApp,
  context: AdminContext,
  gate: Gate,
  views: Views,
  fleet: Fleet,
): void {
  const frame = asset("status.html");
  const style = asset("status.css");
  const script = asset("status.js");
  const toAll = { config: { isPublic: true }, schema: { hide: true } };

  app.get("/", toAll, async (request, reply) => {
    const asking = askingOf(request);
    const { headers, page } = asking;
    const isKnown = context.auth === "none" || headers.authorization !== undefined || page !== undefined;
    if (isKnown) await gate.admit(asking);
    const body = renderPage(frame, {
      cutovers: isKnown ? views.all(await fleet.read()) : undefined,
      signedIn: page?.actor.name,
      hasIssuer: gate.issuer()?.page !== undefined,
      failure: signInFailureText(failureQuery.safeParse(request.query).data?.["sign-in"]),
      now: context.clock.now(),
      instance: context.profile().name ?? context.instance.id,
      version: context.version,
    });
    return reply.header("content-security-policy", contentPolicy).type("text/html; charset=utf-8").send(body);
  });
  app.get("/status.css", toAll, async (_, reply) => reply.type("text/css; charset=utf-8").send(style));
  app.get("/status.js", toAll, async (_, reply) => reply.type("text/javascript; charset=utf-8").send(script));
}

function asset(name: string): string {
  return readFileSync(new URL(`./${name}`, import.meta.url), "utf8");
}

const failureQuery = z.object({ "sign-in": z.string() });

export interface PageFacts {
  /** Absent for a caller without a token, who sees nothing of the cutovers. */
  readonly cutovers: readonly CutoverView[] | undefined;
  /** By a session; absent: by none. */
  readonly signedIn?: string | undefined;
  /** Whether people sign in at an issuer. */
  readonly hasIssuer?: boolean;
  /** Why a sign-in there came to nothing. */
  readonly failure?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly instance: string;
  readonly version: string;
}

/** @param frame the page with `{{updated}}`, `{{access}}`, `{{who}}`, `{{notice}}`, `{{content}}` and `{{version}}` to fill in */
export function renderPage(frame: string, facts: PageFacts): string {
  const values: ReadonlyMap<string, string> = new Map([
    ["updated", escapeHtml(`as of ${utc(new Date(facts.now).toISOString())}, told by ${facts.instance}`)],
    ["access", facts.cutovers === undefined ? "token" : "granted"],
    ["who", escapeHtml(facts.signedIn ?? "")],
    [
      "notice",
      facts.failure === undefined ? "" : html`<p class="warning" role="alert">${facts.failure}</p>`.html,
    ],
    ["content", content(facts).html],
    ["version", escapeHtml(`cutover ${facts.version}`)],
  ]);
  return frame.replace(/\{\{(\w+)\}\}/g, (_, key: string) => values.get(key) ?? "");
}

function content({ cutovers, now, hasIssuer = false }: PageFacts): Html {
  if (cutovers === undefined) {
    const issuer = html`<p><a id="issuer" href="/sign-in">Sign in</a> at your issuer, or with a token.</p>
`;
    return html`${hasIssuer ? issuer : html``}<p>A token is needed to see the cutovers. From a terminal: <code>CUTOVER_TOKEN=… cutover status</code>.</p>`;
  }
  if (cutovers.length === 0) return html`<p>No cutover is configured.</p>`;
  const common = cutovers.flatMap(({ warnings }) => warnings.filter(({ code }) => isOfAll(code)));
  const texts = [...new Set(common.map(({ text }) => text))];
  return html`${texts.map(warning)}${cutovers.map((view) => section(view, now))}`;
}

function warning(text: string): Html {
  return html`<p class="warning">${utc(text)}</p>`;
}

function section(view: CutoverView, now: number): Html {
  const { live, applied, silent } = view.instances;
  const of = live + silent.length;
  const minutes = Math.round(view.traffic.windowSeconds / 60);
  const span = view.traffic.windowSeconds < 120 ? `${view.traffic.windowSeconds} s` : `${minutes} min`;
  return html`<section>
<h2>${view.name}: ${stateWords[view.state]}</h2>
<p class="share"><strong>${view.percent}%</strong> of new journeys start on ${view.new}</p>
<progress max="100" value="${view.percent}"></progress>
${view.warnings.filter(({ code }) => !isOfAll(code)).map(({ text }) => warning(text))}
${verdict(view)}
${proposed(view)}
<table>
<thead><tr><th scope="col">last ${span}</th><th scope="col">requests</th><th scope="col">errors</th><th scope="col">p50</th><th scope="col">p99</th></tr></thead>
<tbody>
${row("legacy", view.legacy, view.traffic.legacy)}
${row("new", view.new, view.traffic.new)}
</tbody>
</table>
<table>
<thead><tr><th scope="col">answers</th><th scope="col">2xx</th><th scope="col">4xx</th><th scope="col">5xx</th><th scope="col">in flight</th><th scope="col">oldest</th></tr></thead>
<tbody>
${flightRow("legacy", view.traffic.legacy)}
${flightRow("new", view.traffic.new)}
</tbody>
</table>
${underWay(view, now)}
${remainders(view)}
<p>Version ${view.version}, applied on ${applied} of ${of} ${of === 1 ? "instance" : "instances"}${applied < of ? html`: <strong>not everywhere yet</strong>` : ""}</p>
${lastChange(view)}
</section>`;
}

const stateWords = {
  open: "open",
  held: "HELD",
  rolled_back: "ROLLED BACK",
  closed: "CLOSED",
} as const satisfies Record<CutoverView["state"], string>;

function verdict(view: CutoverView): Html {
  switch (view.state) {
    case "open":
      return html``;
    case "held":
      return html`<p>Nothing raises it before it is resumed.</p>`;
    case "rolled_back":
      return html`<p class="warning">New journeys go to ${view.legacy} until it is resumed.</p>`;
    case "closed":
      return html`<p>${view.legacy} is closed: everything goes to ${view.new}.</p>`;
  }
}

/** At 100% it is not to be seen from the share what legacy is still needed for. */
function remainders({ percent, stillLegacy }: CutoverView): Html {
  if (percent < 100 || stillLegacy.length === 0) return html``;
  return html`<p>Still to legacy:</p>
<ul>${stillLegacy.map(({ text }) => html`<li>${utc(text)}</li>`)}</ul>`;
}

function proposed({ name, proposal }: CutoverView): Html {
  if (proposal === undefined) return html``;
  return html`<p><strong>${proposal.action === "close" ? "Closing legacy for good" : `${proposal.percent}%`}</strong> is proposed by ${proposal.by}, “${proposal.reason}”, until <time datetime="${proposal.expiresAt}">${utc(proposal.expiresAt)}</time>. Another person: <code>cutover approve ${name} ${proposal.id}</code></p>`;
}

function row(side: "legacy" | "new", upstream: string, traffic: SideTraffic): Html {
  return html`<tr class="${side}"><th scope="row">${side}: ${upstream}</th><td>${grouped(traffic.requests)}</td><td>${percent(traffic.errorRate)}</td><td>${milliseconds(traffic.p50)}</td><td>${milliseconds(traffic.p99)}</td></tr>`;
}

function flightRow(
  side: "legacy" | "new",
  { shares, inFlight, oldestInFlightSeconds: oldest }: SideTraffic,
): Html {
  const answers = (["2xx", "4xx", "5xx"] as const).map(
    (name) => html`<td>${percent(shares === null ? null : shares[name])}</td>`,
  );
  const waited =
    oldest === null ? "–" : oldest < 0.95 ? `${oldest.toFixed(1)} s` : age(Math.round(oldest) * 1000);
  return html`<tr class="${side}"><th scope="row">${side}</th>${answers}<td>${inFlight}</td><td>${waited}</td></tr>`;
}

function percent(share: number | null): string {
  return share === null ? "–" : `${(share * 100).toFixed(2)}%`;
}

function underWay({ journeys, unfinished }: CutoverView, now: number): Html {
  if (journeys === null && unfinished === null) return html``;
  const cells = (of: SidesUnderWay, side: "legacy" | "new") => {
    if (of === null) return html``;
    const { open: number, atLeast, oldestStartedAt } = of[side];
    const oldest = oldestStartedAt === null ? "–" : age(now - Date.parse(oldestStartedAt));
    return html`<td>${atLeast ? "at least " : ""}${grouped(number)}</td><td>${oldest}</td>`;
  };
  const row = (side: "legacy" | "new") =>
    html`<tr class="${side}"><th scope="row">${side}</th>${cells(journeys, side)}${cells(unfinished, side)}</tr>`;
  const heads = (of: SidesUnderWay, what: string) =>
    of === null ? html`` : html`<th scope="col">${what}</th><th scope="col">oldest</th>`;
  return html`<table>
<thead><tr><th scope="col">now</th>${heads(journeys, "journeys under way")}${heads(unfinished, "unfinished orders")}</tr></thead>
<tbody>
${row("legacy")}
${row("new")}
</tbody>
</table>`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** In the largest whole unit. */
function age(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return `${Math.floor(Math.max(0, ms) / 1000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

function milliseconds(seconds: number | null): string {
  return seconds === null ? "–" : `${Math.round(seconds * 1000)} ms`;
}

function lastChange(view: CutoverView): Html {
  if (view.version === 0) return html`<p class="note">Never changed.</p>`;
  const reason = view.reason === "" ? "no reason given" : `“${view.reason}”`;
  return html`<p class="reason">Last change: <time datetime="${view.updatedAt}">${utc(view.updatedAt)}</time> ${byWhom(view.updatedBy)}, ${reason}</p>`;
}

/** RFC 3339 without what a reader does not need, wherever it stands in the text. */
function utc(text: string): string {
  return text.replace(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z/g, "$1 $2 UTC");
}

/** What is HTML already; any other value is escaped. */
interface Html {
  readonly html: string;
}

type Value = string | number | Html | readonly Html[];

const entities: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"],
]);

export function escapeHtml(text: string): string {
  return escapeUnseen(text).replace(/[&<>"']/g, (character) => entities.get(character) ?? "");
}

export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  const filled = parts.map((part, index) => part + textOf(values[index]));
  return { html: filled.join("") };
}

function textOf(value: Value | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escapeHtml(String(value));
  if ("html" in value) return value.html;
  return value.map((one) => one.html).join("\n");
}
