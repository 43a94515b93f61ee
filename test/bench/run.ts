/**
 * `npm run bench`: the CPU a proxied request costs, beside what else could stand in its place. docs/performance.md
 * says what is measured and how to read it.
 *
 *   npm run bench -- [--rounds 15] [--seconds 1] [--only cutover,bare-http-proxy] [--micro] [--json]
 *   npm run bench -- --only cutover --against DIR --starts 9     beside the cutover built in another checkout, both begun
 *                                                                nine times: a process keeps the pace it began with
 *   npm run bench -- --only cutover --rounds 5 --profile DIR     CPU profiles of the Node processes, for a browser
 *   npm run bench -- --start [--against DIR]                     what a start costs in place of a request
 *   npm run bench -- --only cutover,bare-engine --load 0.5       all at the rate that is half of what the first can do
 *   npm run bench -- --over h2 --only cutover,bare-relay         over TLS: https, h2 (needs h2load), handshakes (a new
 *                                                                connection a request), resumptions (by ticket)
 *   npm run bench -- --over handshakes --certificate rsa         by RSA of 2048 bits; ec without it: ECDSA by P-256
 *   npm run bench -- --ask 64k                                   also 1m down; up: 256 KiB of a POST; checkout: a page, an
 *                                                                order, its payment; messages: of open WebSockets
 *   npm run bench -- --cold                                      what the first 20,000 requests of a process cost beside
 *                                                                the steady state
 *   npm run bench -- --node PATH                                 the Node processes by another Node
 *   npm run bench -- --only cutover --beside PATH                the same cutover by another Node, in the same run
 *   npm run bench -- --warm-up 20000                             so many requests a subject that do not count, on a machine
 *                                                                that is slow
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { createAuthority } from "../support/certificates.ts";
import { asks, type Transport, transports } from "./load.ts";
import { type MeasureOptions, measure, type Slice, verified } from "./measure.ts";
import { microTable } from "./micro.ts";
import { addedLatency, rowsOf, tableOf } from "./report.ts";
import { startTable } from "./start.ts";
import {
  againstOf,
  byNode,
  isInstalled,
  type Place,
  type Started,
  type Subject,
  subjects,
} from "./subjects.ts";
import { startUpstreams } from "./upstreams.ts";

/** The subjects share the first core, load and upstreams the second. */
const subjectCore = 0;
const loadCore = 1;
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
/** What a process has served that still compiles. */
const coldRequests = 20_000;
const mostWarmUps = 12;
const warmUpSeconds = 10;
/** The last to be warmed up rests before it is measured, as the others did meanwhile: V8 collects and compacts then. */
const restMs = 10_000;
const references = [
  "bare-engine",
  "bare-http-proxy",
  "bare-relay",
  "bare-checkout",
  "haproxy",
  "against",
  "beside",
];

const { values } = parseArgs({
  options: {
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
    over: { type: "string", default: "http" },
    certificate: { type: "string", default: "ec" },
    ask: { type: "string", default: "small" },
    cold: { type: "boolean", default: false },
    node: { type: "string", default: process.execPath },
    beside: { type: "string" },
    "warm-up": { type: "string" },
  },
});
const count = z.coerce.number().int().min(1).max(600);
const seconds = count.parse(values.seconds);
const rounds = count.parse(values.rounds);
/** How often all processes are begun, for so many rounds each time. */
const starts = count.parse(values.starts);
/** The share of what the first subject can do; more than that is not to be had. */
const load = z.coerce.number().gt(0).lt(1).optional().parse(values.load);
const over = z.enum(transports).parse(values.over);
const keyKind = z.enum(["ec", "rsa"]).parse(values.certificate);
const ask = z.enum(asks).parse(values.ask);
const isByWrk = over === "http" || over === "https";
if (!isByWrk && (load !== undefined || ask === "checkout" || ask === "messages"))
  throw new Error("--load, checkouts and messages are for HTTP/1.1");
const warmUpRequests =
  z.coerce.number().int().optional().parse(values["warm-up"]) ??
  (ask === "small" ? warmUpRequestsOver[over] : warmUpBodies);

if (values.micro) process.stdout.write(`${await microTable()}\n`);
else if (values.start)
  process.stdout.write(`${await startTable(rounds, values.against && resolve(values.against))}\n`);
else await runSubjects(chosen(values.only));

function chosen(only: string | undefined): readonly Subject[] {
  const can = subjects.filter((subject) => subject.over?.includes(over) ?? true);
  const usual = can.filter(({ isSpecial }) => !isSpecial);
  const names = only?.split(",") ?? usual.map((subject) => subject.name);
  const wanted = names.map((name) => {
    const subject = can.find((each) => each.name === name);
    if (subject === undefined)
      throw new Error(`no subject ${name}: ${can.map((each) => each.name).join(", ")}`);
    return subject;
  });
  const more: Subject[] = values.against === undefined ? [] : [againstOf(wanted, resolve(values.against))];
  if (values.beside !== undefined) more.push(byNode("beside", resolve(values.beside)));
  return [...wanted, ...more];
}

/** What is special is beside the usual one. */
function comparedWith(wanted: readonly Subject[]): readonly string[] {
  return wanted.some(({ isSpecial }) => isSpecial) ? ["cutover", ...references] : references;
}

interface Pair {
  readonly subject: Subject;
  readonly started: Started;
}

async function runSubjects(wanted: readonly Subject[]): Promise<void> {
  if (availableParallelism() < 2) throw new Error("the bench needs two cores");
  const installed = wanted.filter((subject) => {
    if (!isInstalled(subject)) say(`${subject.name} is skipped: it is not installed`);
    return isInstalled(subject);
  });
  const folder = await mkdtemp(join(tmpdir(), "cutover-bench-"));
  const upstreams = await startUpstreams(folder, loadCore);
  const measured = new Map(installed.map(({ name }): [string, Slice[]] => [name, []]));
  try {
    for (let start = 0; start < starts; start++) {
      await runOnce(start % 2 === 0 ? installed : installed.toReversed(), { folder, upstreams }, measured);
    }
  } finally {
    await upstreams.stop();
    await rm(folder, { recursive: true, force: true });
  }
  const rows = rowsOf(measured);
  const [first] = installed;
  if (load !== undefined && first !== undefined) say(addedLatency(first.name, measured));
  process.stdout.write(
    `${values.json ? JSON.stringify(rows, null, 2) : tableOf(rows, comparedWith(wanted))}\n`,
  );
}

/** All rounds of processes that are begun for them. */
async function runOnce(
  subjects: readonly Subject[],
  place: Pick<Place, "folder" | "upstreams">,
  measured: ReadonlyMap<string, Slice[]>,
): Promise<void> {
  const nodeFlags =
    values.profile === undefined
      ? (process.env.BENCH_NODE_FLAGS?.split(" ") ?? [])
      : ["--cpu-prof", `--cpu-prof-dir=${resolve(values.profile)}`];
  const authority = createAuthority(keyKind);
  const certificate = authority.issue("bench");
  const how = { core: subjectCore, otherCore: loadCore, node: resolve(values.node), over, certificate };
  const running: Pair[] = [];
  try {
    for (const subject of subjects) {
      running.push({ subject, started: await subject.start({ ...place, ...how, nodeFlags }) });
    }
    const options = { seconds, loadCore, upstreams: place.upstreams, over, ask };
    for (const { subject, started } of values.cold ? running : []) {
      const { answered, micros } = await firstOf(subject, started, options);
      say(`${subject.name}: its first ${answered} requests took ${micros.toFixed(1)} µs each`);
    }
    for (const { subject, started } of running) {
      await verified(subject, options, () =>
        warmUp(subject, started, { ...options, seconds: warmUpSeconds }),
      );
    }
    if (running.length > 1) await sleep(restMs);
    const paced = { ...options, ...(await paceOf(running[0], options)) };
    for (let round = 1; round <= rounds; round++) {
      const inTurn = round % 2 === 1 ? running : running.toReversed();
      for (const { subject, started } of inTurn) {
        measured.get(subject.name)?.push(await measure(subject, started, paced));
      }
      say(`round ${round}: ${roundOf(measured)}`);
    }
  } finally {
    await Promise.all(running.map(({ started }) => started.stop()));
    authority.remove();
  }
}

/** What a process costs that has not served yet: asked before anything else. */
async function firstOf(subject: Subject, started: Started, options: MeasureOptions) {
  let answered = 0;
  let micros = 0;
  while (answered < coldRequests) {
    const slice = await measure(subject, started, { ...options, seconds: 1 });
    answered += slice.answered;
    micros += slice.answered * slice.cpuMicrosPerRequest;
  }
  return { answered, micros: micros / answered };
}

async function warmUp(
  subject: Subject,
  started: Started,
  options: MeasureOptions,
): Promise<readonly Slice[]> {
  const slices: Slice[] = [];
  for (let run = 0, answered = 0; run < mostWarmUps && answered < warmUpRequests; run++) {
    const slice = await measure(subject, started, options);
    answered += slice.answered;
    slices.push(slice);
  }
  return slices;
}

/** @returns the rate that is asked for, by what the subject can do now; nothing where none is asked for */
async function paceOf(
  first: Pair | undefined,
  options: MeasureOptions,
): Promise<Pick<MeasureOptions, "perSecond">> {
  if (load === undefined || first === undefined) return {};
  const { rps } = await measure(first.subject, first.started, options);
  const perSecond = Math.round(load * rps);
  say(`${perSecond} requests a second, where ${first.subject.name} can do ${rps.toFixed(0)}`);
  return { perSecond };
}

function roundOf(measured: ReadonlyMap<string, readonly Slice[]>): string {
  const parts = [...measured].map(
    ([name, slices]) => `${name} ${(slices.at(-1)?.cpuMicrosPerRequest ?? Number.NaN).toFixed(1)}`,
  );
  return `${parts.join(", ")} µs`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
