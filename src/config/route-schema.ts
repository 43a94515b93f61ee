/** The shape of a route in the configuration: which requests it is for, and what they and their answers do (schema.ts). */
import * as z from "zod";
import { block, oneOrMore } from "./block.ts";
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

/** Which requests of its path a route is for: one entry of each kind has to hold. */
const requestRule = block({
  header: oneOrMore(value.namedTest("header"), "a header's name").optional(),
  query: oneOrMore(value.namedTest("query"), "the name of a parameter of the query").optional(),
  form: oneOrMore(value.namedTest("form"), "the name of a form's field").optional(),
  json: oneOrMore(value.pointerTest, "a JSON pointer such as /type").optional(),
  graphql: oneOrMore(value.operationTest, "the name of an operation or of a field at its top").optional(),
}).refine((given) => Object.values(given).some((list) => list !== undefined), {
  error: "expected header, query, form, json, graphql, or several of them",
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
  /** Without it, every request of the path and the methods. */
  when: requestRule.optional(),
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
