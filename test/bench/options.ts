/** The words of `npm run bench`, read and checked. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { asks, type Transport, transports } from "./load.ts";

const usage = `npm run bench -- [OPTION...]: the CPU a proxied request costs, beside what else could stand in its place

  --only NAME,NAME      some of the subjects, and those that are only measured where they are named
  --rounds 15           all subjects are measured in turn, so often
  --seconds 1           for so long each time
  --starts 1            all begun so often: a process keeps the pace it began with
  --against DIR         beside the cutover built in another checkout
  --node PATH           the Node processes by another Node
  --beside PATH         the same cutover by another Node, in the same run
  --over http           or over TLS: https, h2 (needs h2load), handshakes (a new connection a request), resumptions (by ticket)
  --certificate ec      ECDSA by P-256, or rsa: of 2048 bits
  --ask small           200 bytes; or 64k, 1m: down; up: 256 KiB of a POST; checkout: a page, an order, its payment in turn;
                        messages: of open WebSockets
  --load 0.5            all at this share of the rate that the first can do
  --quota 0.25          this share of a core for each worker, and a core of its own, by control groups (needs root)
  --cold                what the first 20,000 requests of a process cost beside the steady state
  --warm-up 100000      so many requests a subject that do not count
  --profile DIR         CPU profiles of the Node processes, for a browser
  --json                rows of name, cpuMicrosPerRequest, rps, p50Ms, p99Ms, rssMiB
  --micro               decide, the router and others alone, in ns, in place of requests
  --start               what a start costs, in place of requests

docs/performance.md says what is measured and how to read it.
`;

const options = {
  seconds: { type: "string", default: "1" },
  rounds: { type: "string", default: "15" },
  only: { type: "string" },
  against: { type: "string" },
  starts: { type: "string", default: "1" },
  micro: { type: "boolean", default: false },
  start: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  profile: { type: "string" },
  load: { type: "string" },
  quota: { type: "string" },
  over: { type: "string", default: "http" },
  certificate: { type: "string", default: "ec" },
  ask: { type: "string", default: "small" },
  cold: { type: "boolean", default: false },
  node: { type: "string", default: process.execPath },
  beside: { type: "string" },
  "warm-up": { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const count = z.coerce.number().int().min(1).max(600);
/** All of it is not to be had, or leaves none for the others. */
const share = z.coerce.number().gt(0).lt(1).optional();
const path = z
  .string()
  .transform((text) => resolve(text))
  .optional();
const form = z
  .strictObject({
    ...{ seconds: count, rounds: count, starts: count },
    ...{ load: share, quota: share },
    ...{ against: path, profile: path, beside: path },
    only: z
      .string()
      .transform((names) => names.split(","))
      .optional(),
    over: z.enum(transports),
    certificate: z.enum(["ec", "rsa"]),
    ask: z.enum(asks),
    node: z.string().transform((text) => resolve(text)),
    "warm-up": z.coerce.number().int().min(1).optional(),
    ...{ micro: z.boolean(), start: z.boolean(), json: z.boolean(), cold: z.boolean() },
  })
  .refine(
    ({ over, load, ask }) =>
      over === "http" || over === "https" || (load === undefined && ask !== "checkout" && ask !== "messages"),
    "--load, checkouts and messages are for HTTP/1.1",
  );

export type BenchOptions = z.output<typeof form>;

/** What it takes until V8 has compiled the whole way of a request: before, the compiler is what is measured. */
const warmUpRequestsOver = {
  http: 100_000,
  https: 100_000,
  h2: 50_000,
  handshakes: 10_000,
  resumptions: 10_000,
} as const satisfies Record<Transport, number>;
/** With large bodies. */
const warmUpBodies = 5000;

/** @returns how many requests of a subject do not count */
export function warmUpOf({ over, ask, "warm-up": told }: BenchOptions): number {
  return told ?? (ask === "small" ? warmUpRequestsOver[over] : warmUpBodies);
}

/** Says what there is, or what is wrong, and ends the process, where there is nothing to measure. */
export function readOptions(words: readonly string[]): BenchOptions {
  try {
    const { help, ...values } = parseArgs({ args: [...words], options }).values;
    if (help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    return form.parse(values);
  } catch (error) {
    return refuse(wrongOf(error));
  }
}

/** Says what is wrong with the words, and ends the process. */
export function refuse(wrong: string): never {
  process.stderr.write(`${wrong}\nnpm run bench -- --help says what there is\n`);
  process.exit(2);
}

function wrongOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  const told = error.issues.map((issue) => [...issue.path.map((name) => `--${String(name)}`), issue.message]);
  return told.map((parts) => parts.join(": ")).join("\n");
}
