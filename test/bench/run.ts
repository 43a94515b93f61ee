/**
 * `npm run bench`: the CPU a proxied request costs, beside what else could stand in its place. docs/performance.md
 * says what is measured and how to read it.
 *
 *   npm run bench -- [--rounds 5] [--seconds 4] [--only cutover,bare-http-proxy] [--micro] [--json]
 *   npm run bench -- --only cutover --rounds 1 --profile DIR     CPU profiles of the Node processes, for a browser
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { measure, type Round } from "./measure.ts";
import { microTable } from "./micro.ts";
import { rowOf, tableOf } from "./report.ts";
import { isInstalled, type Started, type Subject, subjects } from "./subjects.ts";
import { startUpstreams } from "./upstreams.ts";

/** The subjects share the first core, load and upstreams the second. */
const subjectCore = 0;
const loadCore = 1;
/** What it takes until V8 has compiled the whole way of a request: before, the compiler is what is measured. */
const warmUpRequests = 100_000;
const mostWarmUps = 20;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    micro: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    profile: { type: "string" },
  },
});
const count = z.coerce.number().int().min(1).max(600);
const seconds = count.parse(values.seconds);
const rounds = count.parse(values.rounds);

if (values.micro) process.stdout.write(`${microTable()}\n`);
else await runSubjects(chosen(values.only));

function chosen(only: string | undefined): readonly Subject[] {
  const names = only?.split(",") ?? subjects.map((subject) => subject.name);
  return names.map((name) => {
    const subject = subjects.find((each) => each.name === name);
    if (subject === undefined)
      throw new Error(`no subject ${name}: ${subjects.map((each) => each.name).join(", ")}`);
    return subject;
  });
}

async function runSubjects(wanted: readonly Subject[]): Promise<void> {
  if (availableParallelism() < 2) throw new Error("the bench needs two cores");
  const folder = await mkdtemp(join(tmpdir(), "cutover-bench-"));
  const running: { readonly subject: Subject; readonly started: Started; readonly measured: Round[] }[] = [];
  const nodeFlags =
    values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(values.profile)}`];
  const upstreams = await startUpstreams(folder, loadCore);
  try {
    for (const subject of wanted) {
      if (!isInstalled(subject)) say(`${subject.name} is skipped: it is not installed`);
      else {
        const started = await subject.start({ folder, core: subjectCore, upstreams, nodeFlags });
        running.push({ subject, started, measured: [] });
      }
    }
    const options = { seconds, loadCore, upstreams };
    for (const { subject, started } of running) {
      let answered = 0;
      for (let run = 0; run < mostWarmUps && answered < warmUpRequests; run++)
        answered += (await measure(subject, started, options)).requests;
    }
    for (let round = 1; round <= rounds; round++) {
      for (const { subject, started, measured } of running) {
        const result = await measure(subject, started, options);
        measured.push(result);
        say(`round ${round}: ${subject.name} ${result.cpuMicrosPerRequest.toFixed(1)} µs`);
      }
    }
  } finally {
    await Promise.all([...running.map(({ started }) => started.stop()), upstreams.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
  const rows = running.map(({ subject, measured }) => rowOf(subject.name, measured));
  process.stdout.write(`${values.json ? JSON.stringify(rows, null, 2) : tableOf(rows)}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
