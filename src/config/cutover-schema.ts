/** The shape of a cutover in the configuration, part by part (schema.ts). */
import * as z from "zod";
import { block } from "./block.ts";
import * as value from "./single-values.ts";
import type { Condition } from "./values/condition.ts";

const conditions = z
  .union([value.condition, z.array(value.condition).min(1)], {
    error: "expected a condition or a list of conditions",
  })
  .transform((given) => (Array.isArray(given) ? given : [given]));

/** Which answers count for what a route does: all conditions of `when`, and none of `unless`. */
const answerRule = block({ when: conditions.optional(), unless: conditions.optional() }).refine(
  ({ when, unless }) => when !== undefined || unless !== undefined,
  { error: "expected when, unless, or both" },
);

const steps = block({ start: answerRule.optional(), end: answerRule.optional() }).refine(
  ({ start, end }) => start !== undefined || end !== undefined,
  { error: "expected start, end, or both" },
);

/** What a route's answers begin and end. */
const routeJourney = z
  .union([z.enum(["start", "end"]), steps], {
    error: "expected start, end, or a mapping of these with when, unless, or both",
  })
  .transform((given) => (typeof given === "string" ? { [given]: {} } : given));

const flagOrRule = z.union([z.boolean(), answerRule], {
  error: "expected true, false, or a mapping of when, unless, or both",
});

const oneOrMore = <Input, Output>(one: z.ZodType<Output, Input>, what: string) =>
  z.union([one.transform((value) => [value]), z.array(one).min(1)], {
    error: `expected ${what}, or a list of them`,
  });

/** Which answers below 500 are failures of their side all the same: where any of this is so. */
const failure = block({
  status: oneOrMore(value.status, "a status such as 409 or a class such as 4xx").optional(),
  json: oneOrMore(value.pointerCondition, "a JSON pointer such as /errors/0").optional(),
  header: oneOrMore(value.headerCondition, "a header's name").optional(),
})
  .refine(({ status, json, header }) => (status ?? json ?? header) !== undefined, {
    error: "expected status, json, header, or several of them",
  })
  .transform(({ status = [], json = [], header = [] }): Condition[] => {
    const codes = status.filter((one) => typeof one === "number");
    const classes = status.flatMap((one) => (typeof one === "number" ? [] : Number(one[0])));
    const statuses: Condition = { kind: "status", codes, classes };
    return [...(status.length === 0 ? [] : [statuses]), ...header, ...json];
  });

/** What finds a request's route, and what is made of its path. */
const place = {
  path: value.path,
  /** Without it, every method. */
  methods: z.array(value.method).min(1).optional(),
  /** Without it, the cutover's; without these, every host. */
  hosts: z.array(value.host).min(1).optional(),
  /** Spellings of the path that every server reads as it: `match` takes them for it, `refuse` answers 400. */
  match: block({
    /** `/checkout/` for `/checkout` */
    trailingSlash: z.enum(["match", "refuse"]).default("match"),
    /** `/checkout;v=1` for `/checkout` */
    params: z.enum(["match", "refuse"]).default("match"),
  }).prefault({}),
  /** In place of the upstream's. */
  timeouts: block({
    connect: value.wait.optional(),
    headers: value.wait.optional(),
    idle: value.wait.optional(),
    total: value.wait.optional(),
    lifetime: value.wait.optional(),
  }).optional(),
};

/** A route of no cutover: it goes to one upstream, whatever moves. */
export const fixedRoute = block({
  /** What it is counted and logged as. */
  name: value.name.optional(),
  ...place,
  upstream: z.string(),
  /** Paths that are not the route's, and go by whatever other route they are on. */
  except: z.array(value.path).default([]),
});

export const route = block({
  name: value.name,
  ...place,
  journey: routeJourney.optional(),
  payment: z.boolean().default(false),
  /** Whether, or which, answers tell of orders made; without it, where journeys start or end and on payments. */
  learns: flagOrRule.optional(),
  /** Whether, or which, answers finish orders; without it, where journeys end and on payments. */
  finishes: flagOrRule.optional(),
  /** Which answers are failures although they look like none. */
  failure: failure.optional(),
  /** Whether the other side is asked for what the one decided for answers 404 to. */
  orElse: z.literal("other").optional(),
  /** When the owner of the request's key cannot be learned in time: go by the bucket, or answer 503. */
  unknown: z.enum(["bucket", "retry"]).default("bucket"),
  /** With `retry`: how long a key that nobody owns may yet get its owner, from the first request with it on. */
  unknownFor: value.wait.default(30_000),
});

/** A cookie of the proxy's own. */
const cookie = (name: string) => ({
  cookie: value.cookieName.default(name),
  /** `none`: it comes along with requests from other sites, as a payment provider's page sends them. */
  sameSite: z.enum(["lax", "none"]).default("lax"),
  /** Without it the cookie is for the very host that it came from. */
  domain: value.hostName.optional(),
  /** `auto`: Secure where the client speaks TLS, to this proxy or by the word of a trusted one. */
  secure: z.enum(["auto", "always"]).default("auto"),
});

/** Who has no other name, where a cutover's `shopper` ends in `visitor`: one for all cutovers. */
export const visitor = block({
  ...cookie("cutover_visitor"),
  ttl: value.lifetime.default(400 * 86_400_000),
  /** Which requests of a browser make one: those that open a page, or any. */
  on: z.enum(["navigation", "any"]).default("navigation"),
});

export const journey = block({
  ...cookie("cutover_journey"),
  ttl: value.lifetime.default(30 * 60_000),
  maxTtl: value.lifetime.default(4 * 3_600_000),
  /** The first signs, all verify. None but empty ones: generated once and shared through the store. */
  secret: z
    .union([z.string(), z.array(z.string()).min(1)], { error: "expected a secret or a list of secrets" })
    .transform((secret) => [secret].flat().filter((text) => text !== ""))
    .prefault(""),
});

/** How long who has begun to browse stays on a side though percent is raised. */
const visit = block({
  ...cookie("cutover_visit"),
  for: value.lifetime.default(30 * 60_000),
  /** From its beginning, where each request makes it last for another `for`; without it, none does. */
  max: value.lifetime.optional(),
}).refine(({ for: each, max = each }) => each <= max, {
  path: ["for"],
  error: "expected a time of at most max",
});

/** How a shopper is known to be the one of before. */
const identity = block({
  /** Through a login: the visitor's bucket goes on for the account, for so long or until a journey ends. */
  link: block({ ...cookie("cutover_link"), for: value.lifetime.default(24 * 3_600_000) }).optional(),
});

export const pattern = block({
  pattern: value.expression,
  side: z.enum(["legacy", "new"]),
});

export const owner = block({
  key: z
    .union([value.source, z.array(value.source).min(1)], { error: "expected a source or a list of sources" })
    .transform((key) => (Array.isArray(key) ? key : [key])),
  learn: z.array(value.source).min(1).optional(),
  /** Names of the routes where it is learned; without it, wherever the cutover learns. */
  on: z.array(value.name).min(1).optional(),
  /** What it names. Orders are shown until they are finished. */
  what: z.enum(["order", "cart", "other"]).default("order"),
  ttl: value.lifetime.default(180 * 86_400_000),
  /** Forms of keys that tell their side: such a key needs no record. The first that matches counts. */
  patterns: z.array(pattern).default([]),
});

/** Claims that one client address may make in a minute. */
const budget = z
  .union([z.int().min(1).max(100_000_000), z.literal("off"), z.literal(false)], {
    error: "expected a number of at least 1, or off",
  })
  .transform((given) => (typeof given === "number" ? given : undefined));

/** What all owners of a cutover share, and their keys. */
const ownersBlock = block({
  budget: budget.prefault(6000),
  /** Percent of the store's memory in use, from which on nothing is claimed. */
  memoryShare: z.number().min(1).max(100).default(80),
  /** Bytes of an answer's body in which keys are looked for. */
  learnBody: value.size.default(1024 ** 2),
  /** Where what shoppers' requests make is kept; without it, where the states are. */
  store: value.store.optional(),
  keys: z.array(owner).default([]),
});

/** A list is the keys alone. */
const owners = z
  .union([z.array(owner), ownersBlock], {
    error: "expected a list of keys, or a mapping of budget, memoryShare, learnBody, store and keys",
  })
  .transform((given) => (Array.isArray(given) ? { ...ownersBlock.parse({}), keys: given } : given))
  .prefault([]);

/** Addresses of the connections by which a header names a shopper that anybody else could name in it. */
export const trustedShopper = block({ header: value.headerName, from: z.array(value.cidr).min(1) });

export const force = block({
  header: value.headerName,
  secrets: z.array(value.sha256).min(1),
  /** Of testers whose browsers send no header: `?cutover-force=` gives it. Without it there are no such links. */
  cookie: value.cookieName.optional(),
});

/** Four eyes. */
const approval = block({
  /** A raise by more points waits for another person; so does closing, always. */
  over: value.points,
  /** How long. */
  ttl: value.wait.default(30 * 60_000),
  /** What one person raises alone within so long counts together. */
  window: value.wait.default(60 * 60_000),
});

const blockMs = { least: 1000, most: 10_000 } as const;

/** Who watches the two sides and rolls back (src/guard/). */
const guard = block({
  /** Without it: hold until a step has passed by evidence, roll back from then on. */
  action: z.enum(["rollback", "hold", "alert"]).optional(),
  /** False alarms a day. */
  budget: value.part.prefault("1%"),
  /** Odds of a failure on new, in legacy's, that are still well. */
  tolerance: z.number().min(1).max(100).default(1),
  /** What may fail of a side's attempts, whatever the other does. */
  maxErrorRate: value.part
    .refine((share) => share <= 0.9, { error: "expected a percent of at most 90%" })
    .prefault("10%"),
  /** Shoppers who have to have failed on new. */
  minFailures: z.int().min(1).max(10_000).default(3),
  block: value.wait
    .refine((ms) => ms >= blockMs.least && ms <= blockMs.most, {
      error: "expected a duration from 1s to 10s",
    })
    .default(2000),
  /** After a block's end, when what is unanswered is no failure any more. */
  sloTimeout: value.wait
    .refine((ms) => ms >= 1000 && ms <= 120_000, { error: "expected a duration from 1s to 120s" })
    .default(10_000),
  /** Names of the routes it goes by; without it, all. */
  routes: z.array(value.name).min(1).optional(),
});

/** What the next side is told of a shopper whom the other one has served. */
export const handover = block({
  ...cookie("cutover_side"),
  /** How long it is known which side served a shopper last. */
  ttl: value.lifetime.default(400 * 86_400_000),
  /** The first signs; the shops verify. */
  secret: z
    .union([value.longSecret, z.array(value.longSecret).min(1)], {
      error: "expected a secret of at least 32 characters, or a list of them",
    })
    .transform((secret) => [secret].flat()),
  /** Whom a hand-over is for; without it, by the name of its upstream. */
  audience: z.string().min(1).optional(),
});

/** What the shops keep at the client. */
export const cookies = block({
  /** Names of those that each side has for itself, or how they begin. */
  apart: z.array(value.cookiePattern).min(1),
});

export const cutover = block({
  legacy: z.string(),
  new: z.string(),
  /** Without it, every host. */
  hosts: z.array(value.host).min(1).optional(),
  shopper: z.array(value.shopperSource).min(1),
  trustedShopper: trustedShopper.optional(),
  salt: z.string().min(1).optional(),
  routes: z.array(route).min(1),
  journey: journey.optional(),
  visit: visit.optional(),
  identity: identity.prefault({}),
  owners,
  force: force.optional(),
  approval: approval.optional(),
  /** Where requests go that name no shopper: to legacy as long as it is open, or to new once percent is 100. */
  anonymous: z.enum(["legacy", "new-at-100"]).default("legacy"),
  /** What a shopper sees whose journey a hard rollback took away, in place of what legacy makes of it. */
  onVoid: block({ redirect: value.shopPage }).optional(),
  guard: guard.optional(),
  onStale: z.enum(["hold", "legacy"]).default("hold"),
  /** Whether a request the new side could not be connected to, nothing owned or pinned, may go to legacy. */
  fallback: z.boolean().default(false),
  /** How long a client has waited for a head when its leaving counts against the side. */
  gaveUpAfter: value.wait.default(3000),
  cookies: cookies.optional(),
  handover: handover.optional(),
});
