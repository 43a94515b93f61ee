/** What `cutover apply` reads: where the cutovers are to stand, as a file that is kept (YAML, or JSON, which is YAML). */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { longestReason, percentOf } from "../../../admin/api/rules.ts";
import { codeOf } from "../../../base/errors.ts";
import { exitCodes, fail, type Result, succeed } from "../../exit.ts";
import { printable } from "../../screen/text.ts";

const reason = z.string().trim().min(1).max(longestReason);
const percent = z.number().refine((value) => percentOf(String(value)) !== undefined, {
  error: "expected a percent from 0 to 100 with at most 3 decimals",
});

const cutover = z
  .strictObject({
    percent: percent.optional(),
    /** By the cohorts' names. */
    cohorts: z.record(z.string(), percent).optional(),
    plan: z.enum(["running", "paused"]).optional(),
    reason: reason.optional(),
  })
  .refine(({ percent: own, plan }) => own === undefined || plan !== "running", {
    path: ["percent"],
    error: "expected no percent: a plan that runs sets it",
  });

const target = z.strictObject({
  /** Of all that is changed, unless a part has its own. */
  reason: reason.optional(),
  /** Of everything; `none`: nothing is frozen; left out: that is as it is. */
  freeze: z
    .union([
      z.literal("none"),
      z.strictObject({
        until: z.iso.datetime({ offset: true, error: "expected a time such as 2025-03-31T14:00:00Z" }),
        reason: reason.optional(),
      }),
    ])
    .optional(),
  cutovers: z.record(z.string(), cutover).default({}),
});
export type ApplyTarget = z.output<typeof target>;

/** @returns the problems of a file that is wrong, each with its line and column */
export async function readTargetFile(path: string): Promise<Result<ApplyTarget>> {
  let text: string;
  try {
    text = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    return fail(exitCodes.usage, `${printable(path)} cannot be read (${codeOf(error) ?? "unknown error"})`);
  }
  return await targetIn(text, printable(path));
}

/** @param name what stands before each problem */
export async function targetIn(text: string, name: string): Promise<Result<ApplyTarget>> {
  // Loaded here alone: no other command reads a file of this kind.
  const { isNode, LineCounter, parseDocument } = await import("./yaml.ts");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: "error" });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [first = ""] = broken.message.split("\n");
    return fail(exitCodes.usage, `${at(broken.pos[0])} ${printable(first)}`);
  }
  const read = target.safeParse(document.toJS() ?? {});
  if (read.success) return succeed(read.data);
  const problems = read.error.issues.flatMap((issue) => {
    const { path, message } = issue;
    const keys = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
    return keys.map((full) => {
      const node = nearestNode(full, (part) => document.getIn(part, true), isNode);
      const said = issue.code === "unrecognized_keys" ? "is no key of a target" : message;
      return `${at(node?.range?.[0] ?? 0)} ${printable(full.join("."))}: ${said}`;
    });
  });
  const [first = "", ...rest] = problems;
  return fail(exitCodes.usage, first, ...rest);
}

type Path = readonly PropertyKey[];

/** What is missing has the place of what it is missing from. */
function nearestNode<Found>(
  path: Path,
  find: (path: Path) => unknown,
  isFound: (value: unknown) => value is Found,
): Found | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const found = find(path.slice(0, length));
    if (isFound(found)) return found;
  }
  return undefined;
}
