/**
 * A cutover's cohorts in the configuration: who is of one, and where they go. That their names differ, and that lists and
 * parameters which they ask are there, is checked in checks/cohort-checks.ts.
 */
import * as z from "zod";
import { block, oneOrMore } from "../block.ts";
import * as value from "../single-values.ts";
import { parseSource, type Source } from "../values/source.ts";

const sourceKinds = ["header", "cookie", "query", "param", "json", "form"] as const;

/** A source whose kind is the key that it stands under. */
const sourceOf = (kind: (typeof sourceKinds)[number]) =>
  z.string().transform((text, context): Source => {
    const source = parseSource(`${kind}:${text}`);
    if (typeof source !== "string") return source;
    context.addIssue({ code: "custom", message: source });
    return z.NEVER;
  });

/** All that is asked for has to hold; of a list, one entry. */
const when = block({
  header: sourceOf("header").optional(),
  cookie: sourceOf("cookie").optional(),
  query: sourceOf("query").optional(),
  param: sourceOf("param").optional(),
  json: sourceOf("json").optional(),
  form: sourceOf("form").optional(),
  /** What is asked of that value, or without one of the shopper: it is one of these. */
  in: oneOrMore(z.string().min(1), "a text").optional(),
  /** An expression is found in it. */
  matches: value.expression.optional(),
  /** The list of this name has it. */
  list: value.name.optional(),
  host: oneOrMore(value.host, "a host such as shop.example or *.shop.example").optional(),
  /** Of the client, as far as trusted proxies tell. */
  cidr: oneOrMore(value.cidr, "an address or a CIDR such as 10.0.0.0/8").optional(),
  /** Percent of all shoppers, by a hash that has nothing to do with their buckets. */
  share: value.points.optional(),
})
  .refine((given) => Object.values(given).some((each) => each !== undefined), {
    error: "expected what is asked of a request: a header, a host, a list, …",
  })
  .refine((given) => sourceKinds.filter((kind) => given[kind] !== undefined).length < 2, {
    error: `expected one of ${sourceKinds.join(", ")} at most`,
  })
  .transform(({ header, cookie, query, param, json, form, ...rest }) => ({
    ...rest,
    /** Absent: the shopper. */
    source: header ?? cookie ?? query ?? param ?? json ?? form,
  }));

export const cohort = block({
  name: value.name,
  when,
  /** All of them, whatever the percent. */
  side: z.enum(["legacy", "new"]).optional(),
  /** Where their own percent begins; from the first change of the cutover on it is state. */
  percent: value.points.optional(),
}).refine(({ side, percent }) => (side === undefined) !== (percent === undefined), {
  error: "expected side or percent, and not both",
});
