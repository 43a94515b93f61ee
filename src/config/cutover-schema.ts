/** The shape of a cutover in the configuration, part by part (schema.ts). */
import * as z from "zod";
import { block } from "./block.ts";
import { cohort } from "./cohorts/cohort-schema.ts";
import { guardOrOff } from "./guard/guard-schema.ts";
import { deadline, gradualReturn, plan } from "./plan/plan-schema.ts";
import { route } from "./route-schema.ts";
import * as value from "./single-values.ts";

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
  /** Whether testers reach new while the cutover is rolled back, too. */
  whileRolledBack: z.boolean().default(false),
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

/** How much may be unpaid on new before no more journeys begin there. */
const exposure = block({
  /** Whole minor units of the currency. */
  maxOpenAmount: z.int().min(1),
  /** ISO 4217; it is shown, and nothing is reckoned by it. */
  currency: z.string().regex(/^[A-Z]{3}$/, "expected a currency's code of ISO 4217 such as IDR"),
  /** Where the answer that makes an order says what that is worth. */
  amount: value.source.refine(({ kind }) => kind === "json" || kind === "header" || kind === "form", {
    error: "expected a place in an answer: json:/POINTER, header:NAME or form:NAME",
  }),
  /** How many decimals of it are minor units: 0 where it is in minor units already. */
  decimals: z.int().min(0).max(4).default(0),
  /** How long an order that nobody pays counts. */
  for: value.lifetime.default(4 * 3_600_000),
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
  /** Cutovers of one group have one salt: whoever is on new in one of them is so in each with as high a percent. */
  group: value.name.optional(),
  /** A cutover of the same shoppers that it never goes further than: whoever is on new here is so there. */
  after: value.name.optional(),
  routes: z.array(route).min(1),
  journey: journey.optional(),
  visit: visit.optional(),
  identity: identity.prefault({}),
  owners,
  /** The first whose rule holds counts. */
  cohorts: z.array(cohort).max(64).default([]),
  force: force.optional(),
  approval: approval.optional(),
  /** Where requests go that name no shopper: to legacy as long as it is open, or to new once percent is 100. */
  anonymous: z.enum(["legacy", "new-at-100"]).default("legacy"),
  /** What a shopper sees whose journey a hard rollback took away, in place of what legacy makes of it. */
  onVoid: block({ redirect: value.shopPage }).optional(),
  /** What a person's browser is shown that asks for a page of a side in maintenance. */
  maintenance: block({ page: value.file }).optional(),
  /** Off: nobody watches. */
  guard: guardOrOff.prefault({}),
  exposure: exposure.optional(),
  plan: plan.optional(),
  deadline: deadline.optional(),
  /** Without it, what is lowered is lowered at once. */
  return: gradualReturn.optional(),
  onStale: z.enum(["hold", "legacy"]).default("hold"),
  /** Whether a request the new side could not be connected to, nothing owned or pinned, may go to legacy. */
  fallback: z.boolean().default(false),
  /** How long a client has waited for a head when its leaving counts against the side. */
  gaveUpAfter: value.wait.default(3000),
  cookies: cookies.optional(),
  handover: handover.optional(),
})
  .refine(({ plan: planned, guard: guarded }) => planned?.evidence === undefined || guarded !== undefined, {
    path: ["plan", "evidence"],
    error: "expected a guard that is not off: evidence is what it counts",
  })
  .refine(({ guard: guarded, routes }) => guarded?.paid !== true || followsJourneys(routes), {
    path: ["guard", "paid"],
    error: "expected a route with journey: start and one with journey: end: else no payment is seen",
  })
  .refine(
    ({ plan: planned, guard: guarded, routes }) =>
      planned?.evidence?.paid === undefined || (guarded?.paid !== false && followsJourneys(routes)),
    {
      path: ["plan", "evidence", "paid"],
      error:
        "expected a guard that sees payments: guard.paid, and routes with journey: start and journey: end",
    },
  );

/** Whether it shows in answers that journeys begin, and that they are paid. */
export function followsJourneys(routes: readonly Pick<z.output<typeof route>, "journey">[]): boolean {
  const has = (step: "start" | "end") => routes.some(({ journey: steps }) => steps?.[step] !== undefined);
  return has("start") && has("end");
}
