/** The shape of an upstream's `rewrite`: other paths and fields there than those that shoppers see. */
import * as z from "zod";
import { block } from "./block.ts";
import * as value from "./single-values.ts";

const rule = block({ from: value.path, to: value.path });

const values = z.record(value.fieldName, value.template).default({});

const fields = block({
  /** In place of whatever came by the name. */
  set: values,
  /** Beside what came. */
  add: values,
  remove: z.array(value.fieldName).default([]),
});

export const rewrite = block({
  path: z.array(rule).default([]),
  request: fields.prefault({}),
  response: fields.prefault({}),
});

export type RewriteConfig = z.output<typeof rewrite>;
