/**
 * Which routes a request may be on: by its host first, then by its path.
 *
 * The routes of a host stand in layers, the most specific first: those that name the very host, those of the longest
 * wildcard that it is one of, then of shorter ones, then those that name no host. The first layer with a route for the
 * path has it. Where the configuration names no host there is one layer, and no host is looked at.
 */
import type { Config, CutoverConfig, RouteConfig } from "../../config/schema.ts";
import { compileHosts, type HostTable, spelledHost } from "../../config/values/hosts.ts";
import type { PathPattern } from "../../config/values/path.ts";
import type { When } from "../../config/values/when.ts";
import { compileLayers, type Router } from "../../decide/route.ts";
import type { Destination, destinationsOf } from "../destinations.ts";
import type { Witnesses } from "../witness.ts";

/** Where requests go that are no cutover's. */
export interface FixedRoute {
  readonly cutover: undefined;
  /** What it is counted and logged as; `none` where it has no name, and for what no route matches. */
  readonly name: string;
  readonly destination: Destination;
  readonly witnesses: Witnesses;
  readonly spelling: RouteConfig["match"];
}

/** A route of a cutover. */
interface Moving {
  readonly cutover: object;
}

/** Where requests for one host, or one kind of hosts, go. */
export interface HostRouting<Route extends Moving> {
  readonly router: Router<Route | FixedRoute, Route>;
  /** What matches no route. */
  readonly fallthrough: FixedRoute;
}

export interface Routings<Route extends Moving> extends HostRouting<Route> {
  /** Of hosts that the configuration names; absent where it names none. */
  readonly hosts: HostTable<HostRouting<Route>> | undefined;
  /** Whether any route asks for more than a host, a path and a method. */
  readonly asksMore: boolean;
}

/** A route as it is found by. */
export interface PlacedRoute<Route> {
  readonly pattern: PathPattern;
  readonly methods: readonly string[] | undefined;
  /** Absent: all. */
  readonly hosts: readonly string[] | undefined;
  readonly except?: readonly PathPattern[];
  readonly when?: When | undefined;
  readonly value: Route;
}

/**
 * @param routes of the cutovers
 * @param witnessesOf of a fixed route by its name; of what matches no route by none
 */
export function compileRouting<Route extends Moving>(
  config: Config,
  routes: readonly PlacedRoute<Route>[],
  destination: ReturnType<typeof destinationsOf>,
  witnessesOf: (name: string | undefined) => Witnesses,
): Routings<Route> {
  const spelling = { trailingSlash: "match", params: "match" } as const;
  const unmatched = witnessesOf(undefined);
  const to = (upstream: string): FixedRoute => ({
    cutover: undefined,
    name: "none",
    destination: destination(upstream),
    witnesses: unmatched,
    spelling,
  });
  const fixed = config.routes.map(({ name, path, methods, hosts, except, upstream, match, timeouts }) => {
    const own = name === undefined ? {} : { name, witnesses: witnessesOf(name) };
    const value = { ...to(upstream), ...own, destination: destination(upstream, timeouts), spelling: match };
    return { pattern: path, methods, hosts, except, value };
  });
  const all: readonly PlacedRoute<Route | FixedRoute>[] = [...routes, ...fixed];
  const layerOf = (host: string | undefined) =>
    all.filter(({ hosts }) => (host === undefined ? hosts === undefined : hosts?.includes(host)));
  const standard = to(config.default);
  const defaults = new Map(
    Object.entries(config.hosts).map(([host, own]) => [spelledHost(host), to(own.default)]),
  );
  const routingOf = (hosts: readonly string[]): HostRouting<Route> => ({
    router: compileLayers([...hosts, undefined].map(layerOf), isMoving<Route>),
    fallthrough: hosts.flatMap((host) => defaults.get(host) ?? [])[0] ?? standard,
  });
  const named = [...all.flatMap(({ hosts = [] }) => hosts), ...defaults.keys()];
  return {
    ...routingOf([]),
    hosts: named.length === 0 ? undefined : compileHosts(named, routingOf),
    asksMore: routes.some(({ when }) => when !== undefined),
  };
}

/** @returns none where a route is for every host */
export function hostsOf({ hosts, routes }: CutoverConfig): string[] {
  const all = routes.map((route) => route.hosts ?? hosts ?? []);
  return all.some((each) => each.length === 0) ? [] : [...new Set(all.flat())];
}

/** Whether it is a cutover's. */
export function isMoving<Route extends Moving>(route: Route | FixedRoute): route is Route {
  return route.cutover !== undefined;
}

/** @param host the authority that the request is for */
export function routingFor<Route extends Moving>(
  routings: Omit<Routings<Route>, "asksMore">,
  host: string,
): HostRouting<Route> {
  return routings.hosts === undefined ? routings : routings.hosts.of(host);
}
