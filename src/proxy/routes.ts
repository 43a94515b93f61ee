/**
 * The configuration as the exchange needs it: upstreams, meters, salts and sources resolved once, so that a
 * request only looks up.
 */

import { createDeadlines, type Deadlines } from "../base/deadlines.ts";
import type { Config, CutoverConfig, RouteConfig } from "../config/schema.ts";
import type { Source } from "../config/values/source.ts";
import { saltPrefix } from "../decide/bucket.ts";
import type { PinLife } from "../decide/pin.ts";
import { compileRoutes, type Router } from "../decide/route.ts";
import type { Side } from "../state/rules/model.ts";
import type { Meter, MeterRow } from "../telemetry/requests/meter.ts";
import { countsOrders, finishes } from "./finishing.ts";
import type { JourneySecrets } from "./secrets.ts";
import type { Way } from "./upstream/admission.ts";

/** The way to an upstream, and the time an exchange with it may take in all. */
export interface Destination {
  readonly way: Way;
  readonly total: Deadlines;
}

export interface CompiledJourney {
  readonly cookie: string;
  /** What pins may be signed with; the first signs. */
  readonly secrets: () => readonly string[];
  readonly life: PinLife;
}

export interface CompiledOwner {
  readonly key: readonly Source[];
  readonly learn: readonly Source[] | undefined;
  readonly ttlMs: number;
  /** Forms of keys that tell their side. */
  readonly patterns: readonly { readonly pattern: RegExp; readonly side: Side }[];
}

export interface CompiledCutover {
  readonly name: string;
  readonly destinations: Readonly<Record<Side, Destination>>;
  readonly salt: string;
  readonly shopper: readonly Source[];
  readonly journey: CompiledJourney | undefined;
  readonly owners: readonly CompiledOwner[];
  readonly force: { readonly header: string; readonly hashes: ReadonlySet<string> } | undefined;
  /** Milliseconds after which a silent store sends new shoppers to legacy; `undefined` = hold. */
  readonly staleAfterMs: number | undefined;
  readonly fallback: boolean;
  /** Whether it can be told which of its orders are finished. */
  readonly countsOrders: boolean;
}

export interface CompiledRoute {
  readonly cutover: CompiledCutover;
  readonly name: string;
  readonly journey: RouteConfig["journey"];
  /** Whether a 2xx finishes the orders the request names. */
  readonly finishes: boolean;
  /** What a request does whose owner can not be learned in time. */
  readonly unknown: RouteConfig["unknown"];
  readonly row: MeterRow;
  /** Whether a source of the shopper or of an owner is in the JSON body, so that it must be held. */
  readonly holdsBody: boolean;
}

export interface Table {
  readonly router: Router<CompiledRoute>;
  /** Where requests go that no cutover matches. */
  readonly fallthrough: Destination;
  /** Counts what matches no route. */
  readonly noneRow: MeterRow;
  /** Every journey cookie: stripped from all requests. */
  readonly journeyCookies: readonly string[];
  /** Names of fields that identify a shopper, an order or a tester: no Connection field may strip them. */
  readonly identityFields: ReadonlySet<string>;
  readonly cutovers: ReadonlyMap<string, CompiledCutover>;
}

/** Seconds a finished journey keeps its side, for confirmation pages. */
const graceSeconds = 60;

/**
 * @param ways by the names of the upstreams, every one of the configuration
 * @param secrets asked for a cutover's journey secrets at each use
 */
export function compileTable(
  config: Config,
  ways: ReadonlyMap<string, Way>,
  secrets: Pick<JourneySecrets, "of">,
  meter: Meter,
): Table {
  const destinations = new Map<string, Destination>();
  const destination = (name: string): Destination => {
    const known = destinations.get(name);
    if (known !== undefined) return known;
    const way = ways.get(name);
    const totalMs = config.upstreams[name]?.timeouts.total;
    if (way === undefined || totalMs === undefined) throw new Error(`no upstream named ${name}`);
    const made = { way, total: createDeadlines(totalMs) };
    destinations.set(name, made);
    return made;
  };
  const cutovers = new Map<string, CompiledCutover>();
  const identityFields = new Set<string>();
  const journeyCookies: string[] = [];
  const routes: Parameters<typeof compileRoutes<CompiledRoute>>[0][number][] = [];
  for (const [name, declared] of Object.entries(config.cutovers)) {
    const cutover: CompiledCutover = {
      name,
      destinations: { legacy: destination(declared.legacy), new: destination(declared.new) },
      salt: saltPrefix(declared.salt ?? name),
      shopper: declared.shopper,
      journey: compileJourney(declared, () => secrets.of(name)),
      owners: declared.owners.map(({ key, learn, ttl, patterns }) => ({ key, learn, ttlMs: ttl, patterns })),
      force: declared.force && {
        header: declared.force.header,
        hashes: new Set(declared.force.secrets),
      },
      staleAfterMs: declared.onStale === "legacy" ? config.staleAfter : undefined,
      fallback: declared.fallback,
      countsOrders: countsOrders(declared),
    };
    cutovers.set(name, cutover);
    if (cutover.journey !== undefined) journeyCookies.push(cutover.journey.cookie);
    const sources = [...cutover.shopper, ...cutover.owners.flatMap((owner) => owner.key)];
    for (const source of sources) if (source.kind === "header") identityFields.add(source.name);
    if (cutover.force !== undefined) identityFields.add(cutover.force.header);
    const holdsBody = sources.some((source) => source.kind === "json");
    for (const route of declared.routes) {
      routes.push({
        pattern: route.path,
        methods: route.methods,
        value: {
          cutover,
          name: route.name,
          journey: route.journey,
          finishes: countsOrders(declared) && finishes(route),
          unknown: route.unknown,
          row: meter.row(name, route.name),
          holdsBody,
        },
      });
    }
  }
  return {
    router: compileRoutes(routes),
    fallthrough: destination(config.default),
    noneRow: meter.row(),
    journeyCookies,
    identityFields,
    cutovers,
  };
}

function compileJourney(
  cutover: CutoverConfig,
  secrets: () => readonly string[],
): CompiledJourney | undefined {
  if (cutover.journey === undefined) return undefined;
  const seconds = (milliseconds: number) => Math.max(1, Math.floor(milliseconds / 1000));
  return {
    cookie: cutover.journey.cookie,
    secrets,
    life: {
      ttl: seconds(cutover.journey.ttl),
      maxTtl: seconds(cutover.journey.maxTtl),
      grace: graceSeconds,
    },
  };
}
