import * as z from "zod";

/** A mapping of exactly these keys. */
export function block<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? `expected one of ${keys}` : undefined),
  });
}
