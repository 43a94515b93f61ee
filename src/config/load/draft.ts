/**
 * A configuration as far as it can be read: value by value, so that the checks between parts (checks/) find
 * everything at once even while other parts are wrong. What could not be read is absent, its problem already
 * said; unknown keys are passed over here.
 */
import type { z } from "zod";
import type { AuthConfig } from "../auth-schema.ts";
import {
  type Config,
  type CookieConfig,
  type CutoverConfig,
  configSchema,
  type ListenerConfig,
  parts,
} from "../schema.ts";
import type { Expression } from "../values/expression.ts";
import { parseHost } from "../values/hosts.ts";
import type { Source } from "../values/source.ts";
import { each, keysAt, type Located, listAt, read, textOf, texts } from "./drafting.ts";
import { isMapping, valueAt } from "./issues.ts";
import type { Path } from "./problems.ts";
import { type RewriteDraft, rewriteDrafts } from "./rewrite-draft.ts";
import { type FixedDraft, fixedDraft, hostsDraft, type RouteDraft, routeDraft } from "./route-draft.ts";

interface OwnerDraft {
  readonly at: Path;
  readonly keys: readonly Located<Source>[];
  readonly learns: readonly Located<Source>[];
  /** Learned, right or wrong as `learns` may be: it is not claimed by use. */
  readonly learned: boolean;
  /** The names of the routes where it is learned, where some are given. */
  readonly on: readonly Located<string>[] | undefined;
  readonly what: CutoverConfig["owners"]["keys"][number]["what"] | undefined;
  readonly ttl: Located<number | undefined>;
  readonly patterns: readonly Located<Expression>[];
}

interface CookieDraft {
  readonly at: Path;
  readonly cookie: string | undefined;
  readonly sameSite: CookieConfig["sameSite"] | undefined;
  /** Whether the cookie is for a whole domain. */
  readonly wide: boolean;
  readonly secure: CookieConfig["secure"] | undefined;
}

interface JourneyDraft extends CookieDraft {
  readonly ttl: number | undefined;
  readonly maxTtl: number | undefined;
  readonly secrets: readonly Located<string>[];
}

export interface CutoverDraft {
  readonly at: Path;
  readonly legacy: string | undefined;
  readonly new: string | undefined;
  /** Those that could be read; absent where it has none. */
  readonly hosts: readonly Located<string>[] | undefined;
  readonly shopper: readonly Located<Source>[];
  readonly salt: string | undefined;
  readonly group: string | undefined;
  readonly routes: readonly RouteDraft[];
  readonly owners: readonly OwnerDraft[];
  /** The cutover that it goes after. */
  readonly after: string | undefined;
  readonly anonymous: string | undefined;
  /** What is written of each: its name, its side, and the path parameter and the list that its rule asks. */
  readonly cohorts: readonly Located<Readonly<Record<"name" | "side" | "param" | "list", unknown>>>[];
  /** Where they are kept, where that is said. */
  readonly ownerStore: Located<string> | undefined;
  readonly journey: JourneyDraft | undefined;
  readonly visit: CookieDraft | undefined;
  readonly link: CookieDraft | undefined;
  readonly forceHeader: string | undefined;
  /** What a tester's link gives. */
  readonly forceCookie: CookieDraft | undefined;
  readonly forceSecrets: readonly Located<string>[];
  /** The header that names shoppers and counts from trusted addresses alone. */
  readonly trustedHeader: string | undefined;
  /** Where it says what becomes of journeys that a hard rollback takes away. */
  readonly onVoid: Path | undefined;
  readonly exposure: Path | undefined;
  /** Whether large raises wait for another person. */
  readonly fourEyes: boolean;
  /** What says which side served a shopper last. */
  readonly handover: CookieDraft | undefined;
  /** Names of cookies that each side has for itself, those that could be read. */
  readonly apart: readonly Located<string>[];
  /** Names of the routes that the guard goes by, where some are given. */
  readonly guardRoutes: readonly Located<string>[];
}

interface HostDraft {
  readonly at: Path;
  readonly host: string;
  readonly default: string | undefined;
}

export interface Draft {
  readonly proxy: ListenerConfig | undefined;
  readonly admin: Pick<ListenerConfig, "host" | "port"> | undefined;
  readonly auth: AuthConfig | undefined;
  readonly default: string | undefined;
  /** What is of some hosts, by the one spelling of each. */
  readonly hosts: readonly HostDraft[];
  readonly fixed: readonly FixedDraft[];
  readonly decisionHeader: string | undefined;
  readonly engine: Config["engine"] | undefined;
  readonly store: string | undefined;
  /** Whether owners that wait for the store are kept in files. */
  readonly spooled: boolean;
  /** Names; `undefined` when there is no mapping to take them from. */
  readonly upstreams: readonly string[] | undefined;
  /** Bytes of a request's head and target. */
  readonly head: number | undefined;
  readonly target: number | undefined;
  /** Client connections at once. */
  readonly connections: number | undefined;
  /** Whether some peers are believed that a client speaks TLS to them. */
  readonly trusting: boolean;
  /** How many requests each upstream may take: those it has and those that wait. */
  readonly capacities: readonly Located<number>[];
  /** Names of the fields that each upstream is to have set. */
  readonly setFields: readonly (readonly Located<string>[])[];
  readonly rewrites: readonly RewriteDraft[];
  /** Where an upstream says that it is lenient. */
  readonly lenient: readonly Path[];
  /** The cookie of visitors, where a cutover knows shoppers by it. */
  readonly visitor: CookieDraft | undefined;
  /** Names of the lists that are declared. */
  readonly lists: readonly Located<string>[];
  readonly cutovers: readonly CutoverDraft[];
}

export function draftOf(root: unknown): Draft {
  const { proxy, admin } = configSchema.shape.listeners.unwrap().shape;
  const { limits } = configSchema.shape;
  const upstreams = valueAt(root, ["upstreams"]);
  const given = valueAt(root, ["cutovers"]);
  const cutovers = isMapping(given)
    ? Object.keys(given).map((name) => cutoverDraft(["cutovers", name], given[name]))
    : [];
  const hasVisitors = cutovers.some(({ shopper }) => shopper.some(({ value }) => value.kind === "visitor"));
  return {
    proxy: read(proxy.unwrap().strip().prefault({}), valueAt(root, ["listeners", "proxy"])),
    admin: read(admin.unwrap().strip().prefault({}), valueAt(root, ["listeners", "admin"])),
    auth: read(configSchema.shape.auth, valueAt(root, ["auth"])),
    default: textOf(valueAt(root, ["default"])),
    hosts: hostDrafts(valueAt(root, ["hosts"])),
    fixed: listAt(root, "routes").map((route, index) => fixedDraft(["routes", index], route)),
    decisionHeader: textOf(valueAt(root, ["decisionHeader"])),
    engine: read(configSchema.shape.engine, valueAt(root, ["engine"])),
    store: read(configSchema.shape.store, valueAt(root, ["store"])),
    spooled: read(configSchema.shape.spool, valueAt(root, ["spool"])) !== undefined,
    upstreams: isMapping(upstreams) ? Object.keys(upstreams) : undefined,
    head: read(limits.unwrap().shape.head, valueAt(root, ["limits", "head"])),
    target: read(limits.unwrap().shape.target, valueAt(root, ["limits", "target"])),
    connections: read(limits.unwrap().shape.connections, valueAt(root, ["limits", "connections"])),
    trusting: (read(configSchema.shape.trustedProxies, valueAt(root, ["trustedProxies"])) ?? []).length > 0,
    capacities: isMapping(upstreams)
      ? Object.keys(upstreams).flatMap((name) => capacityOf(["upstreams", name], upstreams[name]))
      : [],
    lenient: isMapping(upstreams)
      ? Object.keys(upstreams)
          .map((name) => ["upstreams", name, "lenient"])
          .filter((path) => valueAt(root, path) === true)
      : [],
    setFields: isMapping(upstreams)
      ? Object.keys(upstreams).map((name) => keysAt(["upstreams", name, "set"], root))
      : [],
    rewrites: rewriteDrafts(root),
    visitor: hasVisitors
      ? cookieDraft(["visitor"], valueAt(root, ["visitor"]), "cutover_visitor")
      : undefined,
    lists: keysAt(["lists"], root),
    cutovers,
  };
}

function hostDrafts(root: unknown): HostDraft[] {
  if (!isMapping(root)) return [];
  return Object.keys(root).flatMap((key) => {
    const host = parseHost(key);
    if (typeof host !== "string") return [];
    return { at: ["hosts", key], host, default: textOf(valueAt(root[key], ["default"])) };
  });
}

function capacityOf(at: Path, root: unknown): Located<number>[] {
  const found = read(parts.upstream.shape.concurrency, valueAt(root, ["concurrency"]));
  return found === undefined ? [] : [{ path: [...at, "concurrency", "max"], value: found.max + found.queue }];
}

function cutoverDraft(at: Path, root: unknown): CutoverDraft {
  const journey = valueAt(root, ["journey"]);
  const cookieAt = (path: Path, name?: string): CookieDraft | undefined => {
    const given = valueAt(root, path);
    return given === undefined ? undefined : cookieDraft([...at, ...path], given, name);
  };
  const keyAt = (key: string) => (valueAt(root, [key]) === undefined ? undefined : [...at, key]);
  return {
    at,
    legacy: textOf(valueAt(root, ["legacy"])),
    new: textOf(valueAt(root, ["new"])),
    salt: textOf(valueAt(root, ["salt"])),
    group: textOf(valueAt(root, ["group"])),
    hosts: hostsDraft(at, root),
    shopper: sources([...at, "shopper"], valueAt(root, ["shopper"]), parts.shopperSource),
    routes: listAt(root, "routes").map((route, index) => routeDraft([...at, "routes", index], route)),
    owners: ownerDrafts([...at, "owners"], valueAt(root, ["owners"])),
    after: textOf(valueAt(root, ["after"])),
    anonymous: textOf(valueAt(root, ["anonymous"])),
    cohorts: listAt(root, "cohorts").map((cohort, index) => ({
      path: [...at, "cohorts", index],
      value: {
        name: valueAt(cohort, ["name"]),
        side: valueAt(cohort, ["side"]),
        param: valueAt(cohort, ["when", "param"]),
        list: valueAt(cohort, ["when", "list"]),
      },
    })),
    ownerStore: storeAt([...at, "owners", "store"], valueAt(root, ["owners", "store"])),
    journey: journey === undefined ? undefined : journeyDraft([...at, "journey"], journey),
    visit: cookieAt(["visit"], "cutover_visit"),
    link: cookieAt(["identity", "link"], "cutover_link"),
    trustedHeader: read(parts.trustedShopper.shape.header, valueAt(root, ["trustedShopper", "header"])),
    forceHeader: read(parts.force.shape.header, valueAt(root, ["force", "header"])),
    forceCookie:
      valueAt(root, ["force", "cookie"]) === undefined
        ? undefined
        : cookieDraft([...at, "force"], valueAt(root, ["force"])),
    handover: cookieAt(["handover"], "cutover_side"),
    forceSecrets: texts([...at, "force", "secrets"], valueAt(root, ["force", "secrets"])),
    onVoid: keyAt("onVoid"),
    exposure: keyAt("exposure"),
    fourEyes: valueAt(root, ["approval"]) !== undefined,
    apart: each(
      parts.cookies.shape.apart.element,
      [...at, "cookies", "apart"],
      valueAt(root, ["cookies", "apart"]),
    ),
    guardRoutes: texts([...at, "guard", "routes"], valueAt(root, ["guard", "routes"])),
  };
}

/** A list is the keys alone. */
function ownerDrafts(at: Path, root: unknown): OwnerDraft[] {
  if (isMapping(root)) return ownerDrafts([...at, "keys"], root.keys);
  return Array.isArray(root) ? root.map((owner, index) => ownerDraft([...at, index], owner)) : [];
}

function storeAt(path: Path, root: unknown): Located<string> | undefined {
  const value = root === undefined ? undefined : read(configSchema.shape.store, root);
  return value === undefined ? undefined : { path, value };
}

function ownerDraft(at: Path, root: unknown): OwnerDraft {
  const { pattern } = parts.pattern.shape;
  return {
    at,
    keys: sources([...at, "key"], valueAt(root, ["key"])),
    learns: sources([...at, "learn"], valueAt(root, ["learn"])),
    learned: valueAt(root, ["learn"]) !== undefined,
    on: valueAt(root, ["on"]) === undefined ? undefined : texts([...at, "on"], valueAt(root, ["on"])),
    what: read(parts.owner.shape.what, valueAt(root, ["what"])),
    ttl: { path: [...at, "ttl"], value: read(parts.owner.shape.ttl, valueAt(root, ["ttl"])) },
    patterns: listAt(root, "patterns").flatMap((item, index) => {
      const value = read(pattern, valueAt(item, ["pattern"]));
      return value === undefined ? [] : [{ path: [...at, "patterns", index, "pattern"], value }];
    }),
  };
}

function journeyDraft(at: Path, root: unknown): JourneyDraft {
  const { shape } = parts.journey;
  return {
    ...cookieDraft(at, root),
    ttl: read(shape.ttl, valueAt(root, ["ttl"])),
    maxTtl: read(shape.maxTtl, valueAt(root, ["maxTtl"])),
    secrets: texts([...at, "secret"], valueAt(root, ["secret"])),
  };
}

function cookieDraft(at: Path, root: unknown, name?: string): CookieDraft {
  const { shape } = parts.journey;
  return {
    at,
    cookie: read(shape.cookie, valueAt(root, ["cookie"]) ?? name),
    sameSite: read(shape.sameSite, valueAt(root, ["sameSite"])),
    wide: valueAt(root, ["domain"]) !== undefined,
    secure: read(shape.secure, valueAt(root, ["secure"])),
  };
}

/** A single source may stand without a list. */
function sources(path: Path, value: unknown, form: z.ZodType<Source> = parts.source): Located<Source>[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => sources([...path, index], item, form));
  const source = read(form, value);
  return source === undefined ? [] : [{ path, value: source }];
}
