/**
 * `npm run bench`: the CPU a proxied request costs, beside what else could stand in its place. docs/performance.md
 * says what is measured and how to read it, options.ts what can be asked for.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthority } from "../support/certificates.ts";
import { type MeasureOptions, measure, type Slice, verified } from "./measure.ts";
import { microTable } from "./micro.ts";
import { readOptions, refuse, warmUpOf } from "./options.ts";
import { type Limit, limitWorkers } from "./quota.ts";
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

const options = readOptions(process.argv.slice(2));
const { seconds, rounds, starts, load, quota, over, ask } = options;

if (options.micro) process.stdout.write(`${await microTable()}\n`);
else if (options.start) process.stdout.write(`${await startTable(rounds, options.against)}\n`);
else await runSubjects(chosen(options.only));

function chosen(only: readonly string[] | undefined): readonly Subject[] {
  const can = subjects.filter((subject) => subject.over?.includes(over) ?? true);
  const usual = can.filter(({ isSpecial }) => !isSpecial);
  const names = only ?? usual.map((subject) => subject.name);
  const wanted = names.map((name) => {
    const subject = can.find((each) => each.name === name);
    return subject ?? refuse(`no subject ${name}: ${can.map((each) => each.name).join(", ")}`);
  });
  const more: Subject[] = options.against === undefined ? [] : [againstOf(wanted, options.against)];
  if (options.beside !== undefined) more.push(byNode("beside", options.beside));
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
    `${options.json ? JSON.stringify(rows, null, 2) : tableOf(rows, comparedWith(wanted))}\n`,
  );
}

/** All rounds of processes that are begun for them. */
async function runOnce(
  subjects: readonly Subject[],
  place: Pick<Place, "folder" | "upstreams">,
  measured: ReadonlyMap<string, Slice[]>,
): Promise<void> {
  const nodeFlags =
    options.profile === undefined
      ? (process.env.BENCH_NODE_FLAGS?.split(" ") ?? [])
      : ["--cpu-prof", `--cpu-prof-dir=${options.profile}`];
  const authority = createAuthority(options.certificate);
  const certificate = authority.issue("bench");
  const how = { core: subjectCore, otherCore: loadCore, node: options.node, over, certificate };
  const running: Pair[] = [];
  const limits: Limit[] = [];
  try {
    for (const subject of subjects) {
      const started = await subject.start({ ...place, ...how, nodeFlags });
      running.push({ subject, started });
      if (quota !== undefined) limits.push(limitWorkers(started.pid, quota));
    }
    const asking = { seconds, loadCore, upstreams: place.upstreams, over, ask };
    for (const { subject, started } of options.cold ? running : []) {
      const { answered, micros } = await firstOf(subject, started, asking);
      say(`${subject.name}: its first ${answered} requests took ${micros.toFixed(1)} µs each`);
    }
    for (const { subject, started } of running) {
      await verified(subject, asking, () => warmUp(subject, started, { ...asking, seconds: warmUpSeconds }));
    }
    if (running.length > 1) await sleep(restMs);
    const paced = { ...asking, ...(await paceOf(running[0], asking)) };
    for (let round = 1; round <= rounds; round++) {
      const inTurn = round % 2 === 1 ? running : running.toReversed();
      for (const { subject, started } of inTurn) {
        measured.get(subject.name)?.push(await measure(subject, started, paced));
      }
      say(`round ${round}: ${roundOf(measured)}`);
    }
  } finally {
    await Promise.all(running.map(({ started }) => started.stop()));
    for (const limit of limits) await limit.remove();
    authority.remove();
  }
}

/** What a process costs that has not served yet: asked before anything else. */
async function firstOf(subject: Subject, started: Started, asking: MeasureOptions) {
  let answered = 0;
  let micros = 0;
  while (answered < coldRequests) {
    const slice = await measure(subject, started, { ...asking, seconds: 1 });
    answered += slice.answered;
    micros += slice.answered * slice.cpuMicrosPerRequest;
  }
  return { answered, micros: micros / answered };
}

async function warmUp(subject: Subject, started: Started, asking: MeasureOptions): Promise<readonly Slice[]> {
  const warmUpRequests = warmUpOf(options);
  const slices: Slice[] = [];
  for (let run = 0, answered = 0; run < mostWarmUps && answered < warmUpRequests; run++) {
    const slice = await measure(subject, started, asking);
    answered += slice.answered;
    slices.push(slice);
  }
  return slices;
}

/** @returns the rate that is asked for, by what the subject can do now; nothing where none is asked for */
async function paceOf(
  first: Pair | undefined,
  asking: MeasureOptions,
): Promise<Pick<MeasureOptions, "perSecond">> {
  if (load === undefined || first === undefined) return {};
  const { rps } = await measure(first.subject, first.started, asking);
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
