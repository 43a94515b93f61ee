/** Where requests are sent: the way to an upstream, the time it may take, and what is said there of this proxy. */
import { createDeadlines, type Deadlines } from "../base/waiting/deadlines.ts";
import { maintenancePageOf } from "../config/checks/named-files.ts";
import type { Config, CutoverConfig, RouteConfig, UpstreamConfig } from "../config/schema.ts";
import { type ApartCookies, apartCookiesOf } from "./relay/cookies/apart.ts";
import { compileRewriting, type Rewriting } from "./relay/rewrite/compiled.ts";
import type { Way } from "./upstream/admission.ts";
import type { Waits } from "./upstream/port.ts";
import { createWaits } from "./upstream/timers.ts";

/** The way to an upstream, and the time an exchange with it may take. */
export interface Destination {
  readonly way: Way;
  /** Until the answer's head is there and the request is sent whole. */
  readonly total: Deadlines;
  /** From then on, where that is bounded. */
  readonly lifetime: Deadlines | undefined;
  /** Those of an attempt, where they are not the upstream's own. */
  readonly waits: Waits | undefined;
  readonly marking: Marking;
  /** Absent where requests and answers go on as they are. */
  readonly rewriting: Rewriting | undefined;
}

/** What an upstream is told of this proxy and of the client, and the client of this proxy. */
export interface Marking {
  /** The Host of the request, where it is not the one that the client asks for. */
  readonly host: string | undefined;
  /** The field of the request that names this proxy, so that it knows what has been here before. */
  readonly onRequest: "Via" | "CDN-Loop" | undefined;
  /** Whether the answer has this proxy in its Via. */
  readonly onAnswer: boolean;
  /** Names of fields that hold the client's address, as they are written. */
  readonly clientAddress: readonly string[];
  /** Whether what came by a name, in lower case, does not go on for these; absent without any. */
  readonly replaces: ((name: string) => boolean) | undefined;
  /** How its cookies go there and come from there; absent where none are kept apart. */
  readonly cookies: ApartCookies | undefined;
}

/** Times of a route in place of the upstream's, in ms. */
type OwnTimes = RouteConfig["timeouts"];

/**
 * @returns the destination by the name of an upstream, with a route's own times where it has any
 * @throws Error when there is no way to the upstream, or none of that name
 */
export function destinationsOf(config: Config, ways: ReadonlyMap<string, Way>) {
  const made = new Map<string, Destination>();
  const apart = apartCookiesOf(config);
  const find = (name: string): Destination => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const way = ways.get(name);
    const upstream = config.upstreams[name];
    if (way === undefined || upstream === undefined) throw new Error(`no upstream named ${name}`);
    const { rewrite, url } = upstream;
    const { total, lifetime } = upstream.timeouts;
    const destination: Destination = {
      way,
      total: createDeadlines(total),
      lifetime: lifetime === undefined ? undefined : createDeadlines(lifetime),
      waits: undefined,
      marking: markingOf(upstream, apart.get(name)),
      rewriting: rewrite && compileRewriting(rewrite, url, hostOf(upstream)),
    };
    made.set(name, destination);
    return destination;
  };
  return (name: string, own?: OwnTimes): Destination => {
    const plain = find(name);
    const timeouts = config.upstreams[name]?.timeouts;
    return own === undefined || timeouts === undefined ? plain : withTimes(plain, own, timeouts);
  };
}

function withTimes(
  plain: Destination,
  own: NonNullable<OwnTimes>,
  timeouts: UpstreamConfig["timeouts"],
): Destination {
  const { connect, headers, idle, total, lifetime } = own;
  const isSame = connect === undefined && headers === undefined && idle === undefined;
  const waits = createWaits({
    connectMs: connect ?? timeouts.connect,
    headersMs: headers ?? timeouts.headers,
    idleMs: idle ?? timeouts.idle,
  });
  return {
    ...plain,
    ...(total === undefined ? {} : { total: createDeadlines(total) }),
    ...(lifetime === undefined ? {} : { lifetime: createDeadlines(lifetime) }),
    waits: isSame ? undefined : waits,
  };
}

/** What a shopper comes to see in place of what a side would answer. */
export interface OwnPages {
  /** Where he is sent whose journey a hard rollback took away; path and query. */
  readonly onVoid: string | undefined;
  /** The page in maintenance, HTML; absent: the proxy's own. */
  readonly maintenance: Buffer | undefined;
}

/** @throws Error when the file of a page is none */
export function ownPagesOf(declared: Pick<CutoverConfig, "onVoid" | "maintenance">): OwnPages {
  return { onVoid: declared.onVoid?.redirect, maintenance: maintenancePageOf(declared) };
}

/** How long the other side is waited for, where it is asked for what the one decided for has not. */
const orElseMs = 5000;

/** @returns `undefined` where it is not asked */
export function orElseTime({ orElse }: Pick<RouteConfig, "orElse">): Deadlines | undefined {
  return orElse === undefined ? undefined : createDeadlines(orElseMs);
}

const marks = { both: "Via", response: "CDN-Loop", off: undefined } as const;

/** @returns what an upstream is asked for; `undefined`: what its client asks for */
export function hostOf({ host, url }: Pick<UpstreamConfig, "host" | "url">): string | undefined {
  if (host === "preserve") return undefined;
  return host === "upstream" ? new URL(url).host : host;
}

function markingOf(upstream: UpstreamConfig, cookies: ApartCookies | undefined): Marking {
  const { via, set } = upstream;
  const names = Object.keys(set);
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return {
    host: hostOf(upstream),
    onRequest: marks[via],
    onAnswer: via !== "off",
    clientAddress: names,
    replaces: names.length === 0 ? undefined : (name) => lower.has(name.replaceAll("_", "-")),
    cookies,
  };
}
