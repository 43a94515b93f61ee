/**
 * Tells a person what would be decided for a shopper or a key, and why; the same function decides. A shopper's journey is
 * found in the store: what stands in a cookie, which outranks it, only its client knows.
 */
import { coversHost, hostNameOf } from "../config/values/hosts.ts";
import { textOfWhen } from "../config/values/when.ts";
import { bucketOf, bytesOf } from "../decide/bucket.ts";
import {
  type Cohort,
  type Decision,
  decide,
  ownPercentFor,
  percentFor,
  rolledBackBy,
} from "../decide/decide.ts";
import type { Asks, Match } from "../decide/route.ts";
import { decisionSentence, type Owning } from "../decide/sentence.ts";
import type { RequestView } from "../decide/sources.ts";
import { holdsByHead } from "../decide/when/when.ts";
import type { Ownership, Pins } from "../ownership/port.ts";
import type { Following } from "../state/follow/snapshot.ts";
import { type CutoverState, initialState, type Side } from "../state/rules/model.ts";
import { aheadOf, type LeaderTold } from "./cohorts/ahead.ts";
import { cohortOf } from "./cohorts/cohorts.ts";
import type { ExchangeContext } from "./context.ts";
import { routeOf } from "./request/arrival.ts";
import { accountLink, linkingOf } from "./request/cookies/link.ts";
import { ownerKey } from "./request/gather.ts";
import type { CompiledCutover, CompiledRoute, Table } from "./routes.ts";

export interface Question {
  /** As text; hashed as its UTF-8 bytes. */
  readonly shopper?: string | undefined;
  /** With its query, where a route asks for that. */
  readonly path?: string | undefined;
  /** The host that the request is for; without it, any that the cutover is for. */
  readonly host?: string | undefined;
  readonly method?: string | undefined;
  /** The side that a tester asks for whose secret is right. */
  readonly force?: Side | undefined;
  /** The side of a visit under way, as a cookie would tell of it. */
  readonly visit?: Side | undefined;
  /** An order's or an idempotency key, as text. */
  readonly key?: string | undefined;
  /** The cohort that it is taken for one of; without it, the first whose rule goes by nothing but what is asked. */
  readonly cohort?: string | undefined;
}

export interface Explained {
  readonly decision: Decision;
  readonly bucket: number | undefined;
  readonly cohort: Cohort | undefined;
  /** What the bucket is held against. */
  readonly percentThousandths: number;
  readonly state: CutoverState;
  /** Who owns the key that was asked about. */
  readonly owner: { readonly side: Side | undefined; readonly by: Owning } | undefined;
  /** The shopper's journey in the store. */
  readonly journey: { readonly side: Side; readonly startedAt: number } | undefined;
  /** Those that a request of that path may be on, in the order in which they are asked; the first whose `when` holds is it. */
  readonly routes: readonly RouteAsked[];
  /** One sentence that says why. */
  readonly sentence: string;
}

export interface RouteAsked {
  readonly cutover: string;
  readonly name: string;
  /** What has yet to be asked of the request, for people; absent: nothing. */
  readonly when: string | undefined;
  /** Whether an answer of it may begin a journey. */
  readonly starts: boolean;
}

interface ExplainContext extends Pick<ExchangeContext, "clock" | "rollbacks" | "lists" | "exposure"> {
  readonly table: Table;
  readonly following: Following;
  readonly ownership: Pick<Ownership, "ownerOf">;
  readonly pins: Pick<Pins, "find">;
}

/** @returns `undefined` when the cutover does not exist or the path is on none of its routes */
export async function explain(
  context: ExplainContext,
  name: string,
  question: Question,
): Promise<Explained | undefined> {
  const { table, following, ownership, pins } = context;
  const cutover = table.cutovers.get(name);
  if (cutover === undefined) return undefined;
  const routes = routesAsked(table, cutover, question);
  if (routes === undefined) return undefined;
  const shopper = shopperAsked(cutover, question);
  const { journey } = cutover;
  const [owner, pin] = await Promise.all([
    question.key ? ownerOf(cutover, bytesOf(question.key), ownership) : undefined,
    shopper !== undefined && journey !== undefined
      ? pins.find(name, shopper, journey.life.maxTtl, { keepsNone: true, differs: () => true })
      : undefined,
  ]);
  const first = linkingOf(table, cutover);
  const linked = shopper === undefined ? undefined : await accountLink(context, first, shopper);
  const bucket = linked?.bucket ?? (shopper === undefined ? undefined : bucketOf(cutover.salt, shopper));
  const snapshot = following.current();
  const state = snapshot.states.get(name) ?? initialState();
  const stale = cutover.staleAfterMs !== undefined && following.isStale(cutover.staleAfterMs);
  const cohort = cohortAsked(cutover, shopper, question, context);
  const after = aheadOf(leadersAsked(cutover, shopper, question, context), bucket, snapshot, following);
  const { force: forced, visit = first === cutover ? linked?.visit : undefined } = question;
  const { anonymousMoves } = cutover;
  const forcedWhileRolledBack = cutover.force?.whileRolledBack === true;
  const isBeginning = visit === undefined || routes[0]?.starts === true;
  const exposed = cutover.exposure !== undefined && context.exposure.isOver(name) && isBeginning;
  const facts = {
    owner: owner?.side,
    journey: pin,
    forced,
    forcedWhileRolledBack,
    cohort,
    bucket,
    stale,
    visit,
    anonymousMoves,
    after,
    exposed,
  };
  const decision = decide(state, facts);
  const percentThousandths = percentFor(state, facts);
  const ownThousandths = ownPercentFor(state, cohort);
  const by = rolledBackBy(state, after);
  const takenBy = by === "own" ? undefined : by?.name;
  const told = {
    ...decision,
    bucket,
    cohort: cohort?.name,
    percentThousandths,
    ownThousandths,
    after,
    takenBy,
    version: state.version,
    owning: owner?.by,
    isLinked: linked !== undefined,
  };
  const found = { decision, bucket, cohort, percentThousandths, state, owner, journey: pin, routes };
  return { ...found, sentence: decisionSentence(told) };
}

/** @returns the routes that a request as it is asked about may be on; `undefined` where none is the cutover's */
function routesAsked(
  table: Table,
  cutover: CompiledCutover,
  { host, path, method = "GET" }: Question,
): readonly RouteAsked[] | undefined {
  if (path === undefined && host === undefined) return [];
  // A wildcard stands for a host below it.
  const hosts = host === undefined ? ["", ...cutover.hosts] : [host];
  for (const one of hosts) {
    if (path === undefined) {
      if (isFor(cutover, one)) return [];
      continue;
    }
    const routes = routesAmong(matchesOn(table, one, method, path));
    if (routes.some((route) => route.cutover === cutover.name)) return routes;
  }
  return undefined;
}

/** Of a request nothing is known but its host, its method, its path and its query. */
export function matchesOn(
  table: Table,
  host: string,
  method: string,
  target: string,
): readonly Match<CompiledRoute>[] {
  const mark = target.indexOf("?");
  const [path, query] = mark === -1 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
  const asks: Asks = ({ query: tests, ...others }) => {
    const head = { fields: [], fieldNames: [], query: bytesOf(query), hasBody: true };
    if (tests !== undefined && !holdsByHead({ query: tests }, head)) return false;
    return Object.values(others).some((list) => list !== undefined) ? undefined : true;
  };
  const routed = routeOf(table, host, method, path, undefined, asks);
  if (routed === "ambiguous") return [];
  const { choices = [], match } = routed;
  return [...choices, ...(match === undefined ? [] : [match])];
}

export function routesAmong(matches: readonly Match<CompiledRoute>[]): RouteAsked[] {
  return matches.map(({ value, when }) => {
    const starts = value.starts !== undefined;
    return { cutover: value.cutover.name, name: value.name, when: when && textOfWhen(when), starts };
  });
}

function isFor({ hosts }: CompiledCutover, host: string): boolean {
  const name = hostNameOf(host);
  return hosts.length === 0 || hosts.some((wide) => coversHost(wide, name));
}

/** Of what is asked nothing but the shopper and the host is known: a rule that goes by anything else does not hold. */
function cohortAsked(
  { cohorts }: CompiledCutover,
  shopper: string | undefined,
  { host = "", cohort: asked }: Question,
  around: Pick<ExplainContext, "table" | "lists">,
): Cohort | undefined {
  if (asked !== undefined) return cohorts.find(({ cohort }) => cohort.name === asked)?.cohort;
  return cohortOf(cohorts, around, { view: emptyView, shopper, host, peer: nobody });
}

/** What is asked of the cutovers that it goes after: of the same shopper, who has neither journey nor visit there. */
function leadersAsked(
  { leaders }: CompiledCutover,
  shopper: string | undefined,
  question: Question,
  around: Pick<ExplainContext, "table" | "lists" | "exposure">,
): LeaderTold[] {
  return leaders.flatMap((name) => {
    const cutover = around.table.cutovers.get(name);
    if (cutover === undefined) return [];
    const cohort = cohortAsked(cutover, shopper, question, around);
    const isOverCap = cutover.exposure !== undefined && around.exposure.isOver(name);
    return { cutover, cohort, pin: undefined, visit: undefined, isOverCap };
  });
}

const nobody = { address: "", encrypted: false };
const emptyView: RequestView = {
  fields: [],
  fieldNames: [],
  query: "",
  paramNames: [],
  paramValues: [],
  json: undefined,
  form: undefined,
  text: undefined,
};

/** @returns `undefined` for a name that is none, whichever source it comes from */
function shopperAsked({ shopper: sources }: CompiledCutover, { shopper }: Question): string | undefined {
  if (!shopper) return undefined;
  const bytes = bytesOf(shopper);
  return sources.every(({ except }) => except?.has(bytes)) ? undefined : bytes;
}

async function ownerOf(
  cutover: CompiledCutover,
  key: string,
  ownership: ExplainContext["ownership"],
): Promise<{ side: Side | undefined; by: Owning }> {
  for (const owner of cutover.owners) {
    const { side } = ownerKey(owner, key);
    if (side !== undefined) return { side, by: "pattern" };
  }
  const owner = await ownership.ownerOf(cutover.name, key);
  if (owner === "unknown") return { side: undefined, by: "unknown" };
  return { side: owner, by: owner === undefined ? "nobody" : "record" };
}
