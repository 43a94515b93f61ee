/**
 * The configuration's shape and defaults (zod). What it accepts is one YAML file after environment variables
 * were filled in (load/load.ts); what it gives is ready to use: durations in milliseconds, sources and paths parsed.
 * An unknown key is an error everywhere. What one value says about another is checked in checks/.
 */
import * as z from "zod";
import { auth, token } from "./auth-schema.ts";
import { block } from "./block.ts";
import {
  cookies,
  cutover,
  force,
  handover,
  journey,
  owner,
  pattern,
  trustedShopper,
  visitor,
} from "./cutover-schema.ts";
import { window } from "./plan/plan-schema.ts";
import { fixedRoute, route } from "./route-schema.ts";
import * as value from "./single-values.ts";
import { upstream } from "./upstream-schema.ts";
import { webhook } from "./webhooks/webhook-schema.ts";

/** Blocks that belong to the contract but that this version cannot honour: refused by name, never ignored. */
export const unsupported = {
  cutover: ["shadow", "ledger"],
} as const;

const address = (port: number) => ({
  host: z.string().min(1).default("127.0.0.1"),
  /** 0: any free port. */
  port: z.int().min(0).max(65_535).default(port),
});

/** HTTPS, with HTTP/2 and HTTP/1.1. Files, PEM; the certificate's chain follows it in its file. */
const listenerTls = block({ cert: value.file, key: value.file });

/** What a page leads to: a browser goes there, and runs nothing of it here. */
const link = z.string().regex(/^https?:\/\/\S+$/, "expected an address, https://…");

const collector = z.url({ protocol: /^https?$/, error: "expected the URL of a collector, http://HOST:4318" });

/** An OpenTelemetry collector, by OTLP over HTTP. */
const otlp = block({
  /** Without the path of a signal. */
  url: collector,
  /** The share that is kept of the traces that begin here. */
  sample: z.union([z.literal("100%").transform(() => 1), value.part]).prefault("100%"),
  /** Sent with each delivery, as to sign in. */
  headers: z.record(value.headerName, z.string()).default({}),
});

export const configSchema = block({
  listeners: block({
    proxy: block({
      ...address(8080),
      /** Of several, the one that is of the name the client asks for. */
      tls: z
        .union([listenerTls, z.array(listenerTls).min(1)], {
          error: "expected { cert, key }, or a list of these",
        })
        .optional(),
      /** How long a kept connection may be idle: longer than whoever stands in front keeps his. */
      idle: value.wait.default(65_000),
      /** Whether those of `trustedProxies` say whose each connection is, in front of it. */
      proxyProtocol: z.boolean().default(false),
    }).prefault({}),
    /** `ca`: of clients, who need a certificate of it then. */
    admin: block({
      ...address(9900),
      tls: block({ cert: value.file, key: value.file, ca: value.file.optional() }).optional(),
    }).prefault({}),
    /** How long a start waits for a port that is taken. */
    wait: value.pause.default(0),
  }).prefault({}),
  instance: block({
    /** What people find it by. */
    name: z
      .string()
      .regex(/^[\x21-\x7e]{1,100}$/, "expected 1 to 100 characters of ASCII without spaces")
      .optional(),
  }).prefault({}),
  /** Processes that serve; with 1 the instance is one process. `auto`: one a core. */
  workers: z
    .union([z.int().min(1).max(256), z.literal("auto")], {
      error: "expected a number from 1 to 256, or auto",
    })
    .default(1),
  drain: block({
    /** Between the end of readiness and the end of accepting connections. */
    delay: value.pause.default(0),
    /** How long a connection may then be idle before it is closed. */
    idle: value.pause.default(1000),
    /** How long exchanges under way may then go on. */
    grace: value.pause.default(10_000),
  }).prefault({}),
  limits: block({
    /** Client connections at once, of one process. */
    connections: z.int().min(1).max(1_000_000).default(20_000),
    /** Bytes of a request's head. HTTP/2 has no way to say a field of more than 64 KiB. */
    head: value.sizeWithin("1KiB", "64KiB").default(16_384),
    /** Bytes of its target. */
    target: value.sizeWithin("256B", "64KiB").default(8192),
    /** Bytes of a request's body. */
    body: value.size.default(2 * 1024 ** 3),
    /** How long a client that is awaited may send next to nothing of its body. */
    pace: value.wait.default(30_000),
  }).prefault({}),
  engine: z.enum(["undici", "http-proxy"]).default("undici"),
  prefix: value.name.default("cutover"),
  staleAfter: value.wait.default(30_000),
  snapshot: value.pathOrOff("file").prefault("var/snapshot.json"),
  /** Folder of the owners that wait for a store out of reach; without it they wait in memory only. */
  spool: value.pathOrOff("folder").prefault("var/spool"),
  /** File of every change and refusal, for a person to keep. */
  audit: value.pathOrOff("file").prefault("var/audit.ndjson"),
  store: value.store.default("file:var/state.json"),
  trustedProxies: z.array(value.cidr).default([]),
  /** Fields that tell of the client or the request and go on from whoever sends them. */
  trustedFields: z.array(value.headerName).default([]),
  auth: auth.default("none"),
  /** What the console says of where it is, and what it leads to. */
  console: block({
    environment: z.string().min(1).max(40).optional(),
    links: block({
      runbook: link.optional(),
      grafana: link.optional(),
      alerts: link.optional(),
    }).prefault({}),
  }).prefault({}),
  visitor: visitor.prefault({}),
  graphql: block({
    /** Files of the documents that clients name by an id. */
    manifests: z.array(value.file).default([]),
  }).prefault({}),
  /** What becomes of paths with encoded slashes, backslashes or dot segments. */
  paths: block({
    /** Where the path, read in one way or the other, is on a cutover's route. */
    onRoutes: z.enum(["refuse", "pass"]).default("refuse"),
    elsewhere: z.enum(["refuse", "pass"]).default("pass"),
  }).prefault({}),
  upstreams: z.record(value.name, upstream),
  default: z.string(),
  /** What is of one host, or of all below one. */
  hosts: z.record(value.hostKey, block({ default: z.string() })).default({}),
  /** Routes that move with no cutover. */
  routes: z.array(fixedRoute).default([]),
  /** Times in which nothing is raised, of every cutover. */
  freeze: z.array(window).max(100).default([]),
  /** Who is told of what happens to the cutovers. */
  webhooks: z.array(webhook).max(16).default([]),
  /** Who answers for the guards' own metrics. */
  prometheus: z.url({ protocol: /^https?$/, error: "expected the URL of a Prometheus" }).optional(),
  /** The OpenTelemetry collector that spans go to; without it there are none. */
  otlp: z
    .union([z.enum(["off"]), z.literal(false), collector, otlp], {
      error: "expected the URL of a collector, a mapping with it, or off",
    })
    .transform((given) =>
      given === "off" || given === false
        ? undefined
        : typeof given === "string"
          ? otlp.parse({ url: given })
          : given,
    )
    .optional(),
  /** Name of a response field that tells how a request was decided, for tests and debugging. */
  decisionHeader: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, "expected a header name")
    .optional(),
  /** Lists that cohorts are told by: their members are in the store. */
  lists: z
    .record(
      value.name,
      block({
        /** What the API takes: members as a request has them, or their SHA-256 alone. */
        members: z.enum(["plain", "digests"]).default("plain"),
        /** Four eyes: a change of more members waits so long for another person. */
        approval: block({
          over: z.int().min(0).max(100_000_000),
          ttl: value.wait.default(30 * 60_000),
        }).optional(),
      }),
    )
    .default({}),
  cutovers: z.record(value.name, cutover).default({}),
}).superRefine(({ prometheus, cutovers }, context) => {
  for (const [name, { guard }] of Object.entries(cutovers)) {
    if (prometheus !== undefined || guard === undefined || guard.metrics === undefined) continue;
    const path = ["cutovers", name, "guard", "metrics"];
    context.addIssue({ code: "custom", path, message: "expected prometheus: who answers for them" });
  }
});

/** What is also read by itself, so that a wrong part hides nothing about the others. */
export const parts = {
  upstream,
  cutover,
  route,
  fixedRoute,
  journey,
  owner,
  pattern,
  force,
  handover,
  cookies,
  trustedShopper,
  token,
  source: value.source,
  shopperSource: value.shopperSource,
  visitor,
} as const;

/** What the buckets of a cutover's shoppers are reckoned with. @param name the cutover's */
export function saltOf(
  { salt, group }: { readonly salt?: string | undefined; readonly group?: string | undefined },
  name: string,
): string {
  return salt ?? group ?? name;
}

type After = Readonly<Record<string, { readonly after?: string | undefined }>>;

type Linking = Readonly<
  Record<
    string,
    {
      readonly after?: string | undefined;
      readonly group?: string | undefined;
      readonly identity?: { readonly link?: object | undefined } | undefined;
    }
  >
>;

/**
 * @returns the cutover whose links through logins count for the named one: of its group the first of the file that has any,
 *   else the first of those that go one after another; the named one itself where it is of neither
 */
export function linkingIn(cutovers: Linking, name: string): string {
  const group = Object.hasOwn(cutovers, name) ? cutovers[name]?.group : undefined;
  const [ofGroup] =
    Object.entries(cutovers).find(
      ([, each]) => group !== undefined && each.group === group && each.identity?.link !== undefined,
    ) ?? [];
  return ofGroup ?? leadersOf(cutovers, name).at(-1) ?? name;
}

/** @returns names of the cutovers that the named one goes after, the nearest first; ends where the configuration is wrong */
export function leadersOf(cutovers: After, name: string): readonly string[] {
  const leaders: string[] = [];
  for (let at = afterOf(cutovers, name); at !== undefined; at = afterOf(cutovers, at)) {
    if (at === name || leaders.includes(at)) break;
    leaders.push(at);
  }
  return leaders;
}

function afterOf(cutovers: After, name: string): string | undefined {
  const after = Object.hasOwn(cutovers, name) ? cutovers[name]?.after : undefined;
  return after !== undefined && Object.hasOwn(cutovers, after) ? after : undefined;
}

export type Config = z.output<typeof configSchema>;
export type CutoverConfig = z.output<typeof cutover>;
export type RouteConfig = z.output<typeof route>;
export type VisitorConfig = z.output<typeof visitor>;
export type CookieConfig = Pick<VisitorConfig, "cookie" | "sameSite" | "domain" | "secure">;
export type ListenerConfig = Config["listeners"]["proxy"];
export type UpstreamConfig = z.output<typeof upstream>;
