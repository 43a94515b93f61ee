/**
 * The configuration as the exchange needs it: upstreams, witnesses, salts and sources resolved once, so that a request
 * only looks up.
 */
import type { Deadlines } from "../base/waiting/deadlines.ts";
import type { Config, CutoverConfig, RouteConfig } from "../config/schema.ts";
import { pageCookieNames } from "../config/values/page-cookies.ts";
import { isInBody, type Source } from "../config/values/source.ts";
import type { AnswerRule } from "../decide/answer.ts";
import { isVisitor, type OwnCookie } from "../decide/cookie.ts";
import { compileNaming, type Naming } from "../decide/named.ts";
import type { ClaimLimits } from "../ownership/port.ts";
import type { Side } from "../state/rules/model.ts";
import { type CompiledSplit, cohortSources, compileSplit } from "./cohorts/cohorts.ts";
import { type Destination, destinationsOf, type OwnPages, orElseTime, ownPagesOf } from "./destinations.ts";
import { type CompiledForce, compileForce } from "./force/compiled.ts";
import {
  claimingFieldsOf,
  createTrust,
  createTrustedHeader,
  createVouching,
  type TrustedHeader,
} from "./inbound.ts";
import {
  type CompiledOrders,
  type CompiledOwner,
  compileFailure,
  compileOrders,
  type FailureRule,
  finishingRule,
  type Looks,
  learnedOn,
  looksFor,
} from "./orders.ts";
import type { BodyLimits } from "./request/body-limits.ts";
import { type Documents, openDocuments, readsDocuments } from "./request/choice/documents.ts";
import {
  type CompiledCookies,
  type CompiledVisitor,
  compileCookies,
  compileVisitor,
} from "./request/cookies/compiled.ts";
import {
  compileRouting,
  type FixedRoute,
  hostsOf,
  type PlacedRoute,
  type Routings,
} from "./request/routing.ts";
import type { HeadLimits } from "./request/target.ts";
import type { JourneySecrets } from "./secrets.ts";
import type { Way } from "./upstream/admission.ts";
import { compileWitnesses, type Witness, type Witnesses } from "./witness.ts";

export interface CompiledCutover extends CompiledCookies, CompiledSplit, CompiledOrders {
  readonly name: string;
  /** Those that its routes are for; none where one of them is for every host. */
  readonly hosts: readonly string[];
  readonly shopper: readonly Source[];
  /** Whether who has no other name is given one. */
  readonly visits: boolean;
  /** The header of a shopper that counts from these addresses alone. */
  readonly trustedShopper: TrustedHeader | undefined;
  /** What a request names, and its answer is not to teach. */
  readonly naming: Naming;
  /** Whether a name or a key is looked for in GraphQL documents. */
  readonly readsDocuments: boolean;
  /** How many keys may be claimed. */
  readonly claims: ClaimLimits;
  readonly force: CompiledForce | undefined;
  /** What a shopper comes to see in place of what a side would answer. */
  readonly pages: OwnPages;
  /** Milliseconds after which a silent store sends new shoppers to legacy; `undefined`: never, the state stays. */
  readonly staleAfterMs: number | undefined;
  readonly fallback: boolean;
  /** Whether at 100 percent that goes to new which names no shopper. */
  readonly anonymousMoves: boolean;
  /** Milliseconds that a client has waited for a head when its leaving counts against the side. */
  readonly gaveUpAfterMs: number;
}

/** A route as its witnesses are chosen by. */
interface WitnessedRoute {
  readonly cutover: CompiledCutover;
  readonly name: string;
  /** Which answers finish the orders, and end the carts, that it or its answer names; absent: none. */
  readonly finishes: AnswerRule | undefined;
  /** Whether its requests pay. */
  readonly pays: boolean;
  /** How long the other side may take that is asked for what a side has not; absent: none is asked. */
  readonly orElse: Deadlines | undefined;
}

/** @param route absent for what matches no route; one of no cutover is fixed @returns who wants to know about its exchanges; asked twice a route, once for its preflights */
export type WitnessesOf = (
  route: WitnessedRoute | Pick<FixedRoute, "cutover" | "name"> | undefined,
) => readonly Witness[];

export interface CompiledRoute extends WitnessedRoute {
  readonly destinations: Readonly<Record<Side, Destination>>;
  /** What a request does whose owner cannot be learned in time. */
  readonly unknown: RouteConfig["unknown"];
  /** For how long, in ms, a key that nobody owns may yet get its owner. */
  readonly unknownForMs: number;
  /** Which answers begin a journey; absent: none. */
  readonly starts: AnswerRule | undefined;
  /** Which answers end one; absent: none. */
  readonly ends: AnswerRule | undefined;
  /** To which methods the answers tell of orders made. */
  readonly learns: "none" | "unsafe" | "any";
  /** Which of these do. */
  readonly teaches: AnswerRule;
  /** Which answers are failures of their side although they look like none; absent: none. */
  readonly failure: FailureRule | undefined;
  /** The owners whose keys are learned here. */
  readonly learned: readonly CompiledOwner[];
  readonly looks: Looks;
  /** Whether the body must be buffered: for a source in it, or because what it names must not be learned. */
  readonly buffersBody: boolean;
  /** Whether a source of the shopper or of an owner is in the body. */
  readonly valuesInBody: boolean;
  /** Whether one of these is looked for in any body, so that there is none that cannot be read. */
  readonly searchesBody: boolean;
  /** Which spellings of its path are taken for it, and which are refused. */
  readonly spelling: RouteConfig["match"];
  readonly witnesses: Witnesses;
  /** As it is for a CORS preflight, which begins, ends and claims nothing; absent of that itself. */
  readonly preflight: CompiledRoute | undefined;
}

export interface Table extends Routings<CompiledRoute> {
  /** The GraphQL documents that are known; absent where nothing asks for any. */
  readonly documents: Documents | undefined;
  /** What becomes of paths with encoded slashes, backslashes or dot segments. */
  readonly paths: Config["paths"];
  /** Whether any upstream has other paths than shoppers see. */
  readonly mapsPaths: boolean;
  /** Stripped from all requests: the proxy's own of journeys, visits, logins, visitors and testers, and those of the admin page. */
  readonly ownCookies: readonly OwnCookie[];
  readonly visitor: CompiledVisitor;
  /** Names of fields that identify a shopper or an order: no Connection field may strip them. */
  readonly identityFields: ReadonlySet<string>;
  readonly cutovers: ReadonlyMap<string, CompiledCutover>;
  readonly bodyLimits: BodyLimits;
  readonly headLimits: HeadLimits;
  /** Fields that only a trusted peer may send on: they tell of the client, or change the request. Lower case. */
  readonly claimingFields: ReadonlySet<string>;
  /** Fields by which this proxy knows a request that has been here before; lower case. */
  readonly loopFields: readonly string[];
  /** Headers that name shoppers, and not from this address; and those of testers. */
  readonly unvouchedFields: (address: string) => ReadonlySet<string>;
  /** The cutovers whose testers may come by a link. */
  readonly linked: readonly CompiledCutover[];
  /** Whether what an address says of the way here is believed. */
  readonly trusts: (address: string) => boolean;
  /** Name of a response field that tells how the request was decided; for tests and debugging. */
  readonly decisionHeader: string | undefined;
}

/**
 * @param ways by the names of the upstreams, every one of the configuration
 * @param secrets asked for a cutover's journey secrets at each use
 * @throws Error when there is no way to an upstream that the configuration names
 */
export function compileTable(
  config: Config,
  ways: ReadonlyMap<string, Way>,
  secrets: Pick<JourneySecrets, "of">,
  witnessesOf: WitnessesOf,
): Table {
  const destination = destinationsOf(config, ways);
  const upstreams = Object.values(config.upstreams);
  const cutovers = new Map<string, CompiledCutover>();
  const identityFields = new Set<string>();
  const visitor = compileVisitor(config.visitor);
  const ownCookies: OwnCookie[] = pageCookieNames.map((name) => ({ name, isOwn: () => true }));
  const routes: PlacedRoute<CompiledRoute>[] = [];
  for (const [name, declared] of Object.entries(config.cutovers)) {
    const orders = compileOrders(declared);
    const { owners } = orders;
    const cutover: CompiledCutover = {
      name,
      hosts: hostsOf(declared),
      ...compileSplit(declared, name, config.cutovers),
      shopper: declared.shopper.map((source) =>
        source.kind === "visitor" ? { ...source, name: visitor.cookie.name } : source,
      ),
      visits: declared.shopper.some(({ kind }) => kind === "visitor"),
      trustedShopper: declared.trustedShopper && createTrustedHeader(declared.trustedShopper),
      ...compileCookies(declared, name, () => secrets.of(name), config),
      ...orders,
      naming: compileNaming(owners),
      readsDocuments: readsDocuments(declared),
      claims: { perMinute: declared.owners.budget, memoryShare: declared.owners.memoryShare / 100 },
      force: compileForce(declared, name, () => secrets.of(name)),
      pages: ownPagesOf(declared),
      staleAfterMs: declared.onStale === "legacy" ? config.staleAfter : undefined,
      fallback: declared.fallback,
      anonymousMoves: declared.anonymous === "new-at-100",
      gaveUpAfterMs: declared.gaveUpAfter,
    };
    cutovers.set(name, cutover);
    ownCookies.push(...cutover.ownCookies);
    if (cutover.visits && !ownCookies.some(({ isOwn }) => isOwn === isVisitor)) {
      ownCookies.push({ name: visitor.cookie.name, isOwn: isVisitor });
    }
    const keys = owners.flatMap((owner) => owner.key);
    const sources = [...cutover.shopper, ...keys, ...cohortSources(config, name)];
    for (const source of sources) if (source.kind === "header") identityFields.add(source.name);
    if (cutover.force?.cookie !== undefined) ownCookies.push(cutover.force.cookie);
    const valuesInBody = sources.some(isInBody);
    const searchesBody = sources.some(({ kind }) => kind === "body");
    for (const route of declared.routes) {
      const to = (upstream: string) => destination(upstream, route.timeouts);
      const destinations = { legacy: to(declared.legacy), new: to(declared.new) };
      const own = { valuesInBody, searchesBody, destinations };
      const value = compileRoute(cutover, declared, route, own, witnessesOf);
      const { path: pattern, methods, hosts = declared.hosts, when } = route;
      routes.push({ pattern, methods, hosts, when, value });
    }
  }
  const all = [...cutovers.values()];
  return {
    documents: openDocuments(config),
    ...compileRouting(config, routes, destination, (name) =>
      compileWitnesses(witnessesOf(name === undefined ? undefined : { cutover: undefined, name })),
    ),
    paths: config.paths,
    mapsPaths: upstreams.some(({ rewrite }) => (rewrite?.path.length ?? 0) > 0),
    ownCookies,
    visitor,
    identityFields,
    cutovers,
    headLimits: { headBytes: config.limits.head, targetBytes: config.limits.target },
    bodyLimits: { maxBytes: config.limits.body, paceMs: config.limits.pace },
    claimingFields: claimingFieldsOf(config),
    loopFields: upstreams.some(({ via }) => via === "response") ? ["via", "cdn-loop"] : ["via"],
    unvouchedFields: createVouching(all),
    linked: all.filter(({ force }) => force?.cookie !== undefined),
    trusts: createTrust(config.trustedProxies),
    decisionHeader: config.decisionHeader,
  };
}

function compileRoute(
  cutover: CompiledCutover,
  declared: CutoverConfig,
  route: RouteConfig,
  own: Pick<CompiledRoute, "valuesInBody" | "searchesBody" | "destinations">,
  witnessesOf: WitnessesOf,
): CompiledRoute {
  const { name, journey, unknown, unknownFor: unknownForMs, match: spelling } = route;
  const names = learnedOn(declared, route);
  const learned = cutover.owners.filter((_, i) => names.has(i));
  const teaches = typeof route.learns === "object" ? route.learns : {};
  const made = (of: WitnessedRoute) => ({
    ...of,
    ...own,
    unknown,
    unknownForMs,
    spelling,
    teaches,
    witnesses: compileWitnesses(witnessesOf(of)),
  });
  const nothing = { starts: undefined, ends: undefined, failure: undefined, learned: [] } as const;
  const unclaimed = { ...cutover, owners: cutover.owners.filter(({ learn }) => learn !== undefined) };
  const preflight = {
    ...made({ cutover: unclaimed, name, finishes: undefined, pays: false, orElse: undefined }),
    ...nothing,
    learns: "none",
    looks: looksFor([], []),
    buffersBody: false,
    preflight: undefined,
  } as const;
  const finishes = cutover.countsOrders || cutover.endsCarts ? finishingRule(route) : undefined;
  const rules = [journey?.start, journey?.end, finishes, teaches].flatMap((rule) => rule ?? []);
  const amountFrom = learned.length === 0 ? [] : [cutover.exposure?.amount ?? []].flat();
  const learnedFrom = learned.flatMap(({ learn }) => learn ?? []);
  return {
    ...made({ cutover, name, finishes, pays: route.payment, orElse: orElseTime(route) }),
    buffersBody: own.valuesInBody || learnedFrom.some(isInBody),
    starts: journey?.start,
    ends: journey?.end,
    failure: compileFailure(route),
    learned,
    learns: learned.length === 0 ? "none" : route.learns ? "any" : "unsafe",
    looks: looksFor([...learnedFrom, ...amountFrom], rules),
    preflight,
  };
}
