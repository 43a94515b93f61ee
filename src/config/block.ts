import * as z from "zod";

/** A mapping of exactly these keys. */
export function block<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? `expected one of ${keys}` : undefined),
  });
}

/** One, or a list of them. @param what each is, as a message says it */
export const oneOrMore = <Input, Output>(one: z.ZodType<Output, Input>, what: string) =>
  z.union([one.transform((value) => [value]), z.array(one).min(1)], {
    error: `expected ${what}, or a list of them`,
  });
