/**
 * The configuration's shape and defaults (zod). What it accepts is one YAML file after environment variables
 * were filled in (load.ts); what it gives is ready to use: durations in milliseconds, sources parsed.
 * An unknown key is an error everywhere.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { parseDuration } from "./duration.ts";
import { parsePath } from "./path.ts";
import { parseSource, type Source } from "./source.ts";

/** Blocks that belong to the contract but that this version can not honour: refused by name, never ignored. */
export const unsupported = {
  cutover: ["guard", "plan", "deadline", "shadow", "ledger"],
  proxyListener: ["tls"],
  upstream: ["health"],
} as const;

const name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    "expected lower-case letters, digits, - and _, starting with a letter or digit",
  );

const duration = z.string().transform((text, context) => {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined) return milliseconds;
  context.addIssue({ code: "custom", message: "expected a duration such as 250ms, 5s, 10m, 24h or 180d" });
  return z.NEVER;
});

const source = z.string().transform((text, context): Source => {
  const parsed = parseSource(text);
  if (typeof parsed !== "string") return parsed;
  context.addIssue({ code: "custom", message: parsed });
  return z.NEVER;
});

const listener = z.strictObject({
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int().min(0).max(65_535),
});

const cidr = z.string().refine(
  (text) => {
    const [address = "", bits, ...rest] = text.split("/");
    const family = isIP(address);
    if (family === 0 || rest.length > 0) return false;
    return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  },
  { error: "expected an address or a CIDR such as 10.0.0.0/8" },
);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected the SHA-256 as 64 lower-case hex digits");

const upstream = z.strictObject({
  url: z.string().refine(
    (text) => {
      if (!URL.canParse(text)) return false;
      const url = new URL(text);
      return url.protocol === "http:" && url.pathname === "/" && url.search === "" && url.username === "";
    },
    { error: "expected http://HOST:PORT without a path" },
  ),
  /** Most connections at once; without it as many as requests in flight. */
  connections: z.int().min(1).max(100_000).optional(),
  timeouts: z
    .strictObject({
      connect: duration.default(2000),
      /** From the request sent whole to the response's head. */
      headers: duration.default(30_000),
      /** Longest silence while a body moves. */
      idle: duration.default(60_000),
      /** Of the whole exchange. */
      total: duration.default(300_000),
    })
    .prefault({}),
});

const method = z.string().regex(/^[A-Z][A-Z-]{0,31}$/, "expected a method in capitals such as POST");

const route = z.strictObject({
  name,
  path: z.string().transform((text, context) => {
    const parsed = parsePath(text);
    if (typeof parsed !== "string") return parsed;
    context.addIssue({ code: "custom", message: parsed });
    return z.NEVER;
  }),
  /** Without it, every method. */
  methods: z.array(method).min(1).optional(),
  journey: z.enum(["start", "end"]).optional(),
  payment: z.boolean().default(false),
});

const journey = z.strictObject({
  cookie: z
    .string()
    .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "expected a cookie name")
    .default("cutover_journey"),
  ttl: duration.default(30 * 60_000),
  maxTtl: duration.default(4 * 3_600_000),
  /** Empty: generated once and shared through the store. */
  secret: z.string().default(""),
});

const owner = z.strictObject({
  key: z
    .union([source, z.array(source).min(1)])
    .transform((value) => (Array.isArray(value) ? value : [value])),
  learn: z.array(source).min(1).optional(),
  ttl: duration.default(180 * 86_400_000),
});

const cutover = z.strictObject({
  legacy: z.string(),
  new: z.string(),
  shopper: z.array(source).min(1),
  salt: z.string().min(1).optional(),
  routes: z.array(route).min(1),
  journey: journey.optional(),
  owners: z.array(owner).default([]),
  force: z
    .strictObject({
      header: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/, "expected a header name")
        .toLowerCase(),
      secrets: z.array(sha256).min(1),
    })
    .optional(),
  onStale: z.enum(["hold", "legacy"]).default("hold"),
  /** Whether a request the new side could not be connected to, nothing owned or pinned, may go to legacy. */
  fallback: z.boolean().default(false),
});

const auth = z.union(
  [
    z.literal("none"),
    z.strictObject({
      tokens: z
        .array(z.strictObject({ name, role: z.enum(["viewer", "responder", "operator", "admin"]), sha256 }))
        .min(1),
    }),
  ],
  { error: "expected none, or tokens: a list of { name, role, sha256 }" },
);

const store = z
  .string()
  .regex(
    /^(?:memory:|file:.+|redis:\/\/.+|rediss:\/\/.+)$/,
    "expected memory:, file:PATH, redis://HOST:PORT or rediss://HOST:PORT",
  );

export const configSchema = z.strictObject({
  listeners: z
    .strictObject({
      proxy: listener.prefault({ port: 8080 }),
      admin: listener.prefault({ port: 9900 }),
    })
    .prefault({}),
  workers: z
    .literal(1, { error: "expected 1: more than one worker is not supported by this version" })
    .default(1),
  engine: z.enum(["undici", "http-proxy"]).default("undici"),
  prefix: name.default("cutover"),
  staleAfter: duration.default(30_000),
  snapshot: z.string().min(1).default("var/snapshot.json"),
  store: store.default("file:var/state.json"),
  trustedProxies: z.array(cidr).default([]),
  auth: auth.default("none"),
  upstreams: z.record(name, upstream),
  default: z.string(),
  cutovers: z.record(name, cutover).default({}),
});

export type Config = z.output<typeof configSchema>;
export type CutoverConfig = z.output<typeof cutover>;
export type RouteConfig = z.output<typeof route>;
export type UpstreamConfig = z.output<typeof upstream>;
export type JourneyConfig = z.output<typeof journey>;
export type OwnerConfig = z.output<typeof owner>;
export type AuthConfig = z.output<typeof auth>;
