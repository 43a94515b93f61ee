/** The shape of an upstream in the configuration (schema.ts). */
import * as z from "zod";
import { block } from "./block.ts";
import { rewrite } from "./rewrite-schema.ts";
import * as value from "./single-values.ts";

const upstreamTls = block({
  /** File of the authorities believed in place of the system's; PEM. */
  ca: value.file.optional(),
  /** Name asked for (SNI) and looked for in the certificate, where it is not the URL's host. */
  servername: value.hostName.optional(),
  /** Files of the certificate and key this proxy shows; PEM. */
  cert: value.file.optional(),
  key: value.file.optional(),
  /** false: any certificate will do. */
  verify: z.boolean().default(true),
});

/** Most connections at once; without it as many as requests in flight. */
const most = z.int().min(1).max(100_000);
/** How old one may be when a request begins on it: a name that moves is followed by then. */
const maxAge = 300_000;

export const upstream = block({
  url: value.origin,
  /** What it is spoken to by. HTTP/2 is refused by name: docs/decisions/0006 says why. */
  protocol: z
    .enum(["h1"], {
      error:
        "expected h1: h2 to upstreams is not supported, since requests and answers would not stay as they are (docs/decisions/0006-upgrades-and-http2.md)",
    })
    .default("h1"),
  /** The Host of its requests: the shopper's, that of the URL, or this one. */
  host: value.upstreamHost.default("preserve"),
  connections: z
    .union([most, block({ max: most.optional(), maxAge: value.wait.default(maxAge) })], {
      error: "expected a number of at least 1, or a mapping of max and maxAge",
    })
    .transform((given) => (typeof given === "number" ? { max: given, maxAge } : given))
    .prefault({}),
  timeouts: block({
    connect: value.wait.default(2000),
    /** From the request sent whole to the response's head. */
    headers: value.wait.default(30_000),
    /** Longest silence while a body moves. */
    idle: value.wait.default(60_000),
    /** From the first byte to the answer's head and the request's end, whichever is later. */
    total: value.wait.default(300_000),
    /** From then on; without it an answer may go on for as long as it moves. */
    lifetime: value.wait.optional(),
    /** For requests that change the protocol (WebSocket). */
    upgrade: block({
      /** From the connection to the head of the answer. */
      handshake: value.wait.default(10_000),
      /** Longest silence of both sides afterwards. */
      idle: value.wait.default(3_600_000),
      lifetime: value.wait.default(86_400_000),
    }).prefault({}),
  }).prefault({}),
  /** How an https upstream is known. */
  tls: upstreamTls.optional(),
  /** Whether heads of its answers may have faults that leave no doubt of where the answer ends. */
  lenient: z.boolean().default(false),
  /** Where this proxy names itself (Via): on requests and answers, on answers alone, nowhere. */
  via: value.viaOrOff.default("both"),
  /** Fields of its requests that the proxy sets, in place of what came. */
  set: z.record(value.fieldName, z.enum(["client-address"])).default({}),
  /** Without it, paths, fields and addresses go both ways byte for byte. */
  rewrite: rewrite.optional(),
  /** Requests it may have at once, of one process; more wait, the rest are shed. */
  concurrency: block({
    max: z.int().min(1).max(100_000).default(4096),
    queue: z.int().min(0).max(100_000).default(1024),
    wait: value.wait.default(1000),
  }).prefault({}),
  /** Without it, every request tries to connect. */
  breaker: block({
    /** Connects that fail in a row and open it. */
    failures: z.int().min(1).max(10_000).default(5),
    /** How long it stays open before it is tried again. */
    open: value.wait.default(5000),
    /** Connects that close it again; so many are tried at once. */
    probes: z.int().min(1).max(1000).default(1),
  }).optional(),
  health: block({
    path: value.target,
    /** From one check's end to the next. */
    interval: value.wait.default(5000),
    timeout: value.wait.default(2000),
  }).optional(),
});
