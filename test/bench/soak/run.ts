/**
 * `npm run soak`: millions of requests through one `cutover serve`, of all sizes, over kept connections and fresh ones,
 * some answered with errors and some left in the middle. Memory has to be flat after the first tenth, and each request
 * sent has to be counted once.
 *
 *   npm run soak -- [--requests 5000000] [--minutes 120]     ends at whichever comes first; needs nginx and wrk
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { freePort } from "../../support/free-port.ts";
import { scrape, sumOf } from "../../support/scrape.ts";
import { startWrk } from "../load.ts";
import { type Running, startOnCore, usageOf } from "../processes.ts";
import { untilAnswering } from "../until-answering.ts";
import { startAborts } from "./aborts.ts";
import { type Sample, slopesOf, tenthsOf } from "./trend.ts";
import { startSoakUpstream } from "./upstream.ts";

/** MiB a million requests. */
const bar = 1;
const sampleEveryMs = 2000;
/** Each upload begins a journey, which the store, here in the same process, has to hold for as long as it is open. */
const journeyTtl = "20s";
const subjectCore = 0;
const loadCore = 1;
const script = fileURLToPath(new URL("./soak.lua", import.meta.url));
const bin = fileURLToPath(new URL("../../../bin/cutover.js", import.meta.url));

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "5000000" },
    minutes: { type: "string", default: "120" },
  },
});
const wanted = z.coerce.number().int().min(1000).parse(values.requests);
const minutes = z.coerce.number().min(0.1).max(1440).parse(values.minutes);
/** A load ends and another begins: its connections are closed in the middle of what is under way. */
const sliceMs = 20_000;
const sliceResult = z.object({ sent: z.int(), answered: z.int(), refused: z.int(), broken: z.int() });

const folder = await mkdtemp(join(tmpdir(), "cutover-soak-"));
const upstream = await startSoakUpstream(folder, loadCore);
const subject = await startSubject();
let isOver = false;
try {
  const samples: Sample[] = [];
  const sampling = sample(samples);
  const aborts = startAborts(subject.port);
  const total = { sent: 0, answered: 0, refused: 0, broken: 0 };
  const begunAt = performance.now();
  while (total.sent + aborts.sent() < wanted && performance.now() < begunAt + minutes * 60_000) {
    const wrk = startWrk({ port: subject.port, core: loadCore, script });
    // Without samples there is nothing to go on for.
    await Promise.race([sleep(sliceMs), sampling]);
    const slice = sliceResult.parse(await wrk.stop());
    for (const name of ["sent", "answered", "refused", "broken"] as const) total[name] += slice[name];
    const seconds = (performance.now() - begunAt) / 1000;
    const resident = usageOf(subject.pid).rssMiB.toFixed(0);
    say(`${total.sent} requests, ${(total.sent / seconds).toFixed(0)}/s, ${resident} MiB`);
  }
  await aborts.stop();
  isOver = true;
  await sampling;
  judge(samples, total.sent + aborts.sent(), await counted(total.sent + aborts.sent()), total.broken);
} finally {
  isOver = true;
  await Promise.all([subject.running.stop(), upstream.stop()]);
  await rm(folder, { recursive: true, force: true });
}

async function startSubject(): Promise<{
  readonly running: Running;
  readonly pid: number;
  readonly port: number;
  readonly admin: string;
}> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const config = join(folder, "cutover.yaml");
  const url = `http://127.0.0.1:${upstream.port}`;
  await writeFile(
    config,
    `
listeners: { proxy: { port: ${port} }, admin: { port: ${adminPort} } }
store: "memory:"
snapshot: "off"
upstreams: { social-shop: { url: "${url}" }, marketplace: { url: "${url}" } }
default: social-shop
cutovers:
  checkout:
    legacy: social-shop
    new: marketplace
    shopper: ["cookie:sid"]
    routes:
      - { name: upload, path: "/cart/upload", methods: [POST], journey: start }
      - { name: cart, path: "/cart/*" }
    journey: { cookie: cutover_journey, ttl: ${journeyTtl}, maxTtl: ${journeyTtl} }
    owners: { budget: off, keys: [{ key: "header:idempotency-key", ttl: 24h }] }
`,
  );
  const running = startOnCore(subjectCore, [process.execPath, bin, "serve", "--config", config], folder);
  const admin = `http://127.0.0.1:${adminPort}`;
  await untilAnswering(`${admin}/health/ready`);
  const set = await fetch(`${admin}/api/v1/cutovers/checkout/percent`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ percent: 50, reason: "soak" }),
  });
  if (set.status !== 200) throw new Error(`percent could not be set: ${set.status}`);
  return { running, pid: running.pid, port, admin };
}

async function sample(samples: Sample[]): Promise<void> {
  while (!isOver) {
    const requests = sumOf(await scrape(subject.admin), "cutover_requests_total");
    samples.push({ requests, rssMiB: usageOf(subject.pid).rssMiB });
    await sleep(sampleEveryMs);
  }
}

/** Outcomes, once nothing is in flight and, if that comes about, as many as were sent are counted. */
async function counted(sent: number): Promise<ReadonlyMap<string, number>> {
  for (let attempt = 0; ; attempt++) {
    const series = await scrape(subject.admin);
    const isSettled = sumOf(series, "cutover_inflight_requests") === 0;
    if ((isSettled && sumOf(series, "cutover_requests_total") >= sent) || attempt === 50) return series;
    await sleep(200);
  }
}

function judge(
  samples: readonly Sample[],
  sent: number,
  series: ReadonlyMap<string, number>,
  broken: number,
): void {
  const outcomes = ["ok", "server_error", "reset", "client_aborted", "connect_failed", "timeout"];
  outcomes.push("protocol_error", "failed", "gave_up", "shed", "rejected");
  const byOutcome = outcomes.map((name) => {
    return `${name} ${sumOf(series, "cutover_requests_total", `outcome="${name}"`)}`;
  });
  const all = sumOf(series, "cutover_requests_total");
  const inFlight = sumOf(series, "cutover_inflight_requests");
  const slopes = slopesOf(samples, sent);
  process.stdout.write(
    `${tenthsOf(samples, sent)}\n${sent} sent, ${all} counted, ${inFlight} in flight, ${broken} broken connections\n` +
      `${byOutcome.join(", ")}\nslope after the first tenth: ${slopes.floors.toFixed(2)} MiB a million requests through the floors, ` +
      `${slopes.all.toFixed(2)} through all samples\n`,
  );
  const faults = [
    slopes.floors > bar ? `memory grows by more than ${bar} MiB a million requests` : [],
    all !== sent ? "not every request is counted once" : [],
    inFlight !== 0 ? "requests are left in flight" : [],
    broken !== 0 ? "connections broke" : [],
  ].flat();
  for (const fault of faults) say(fault);
  if (faults.length > 0) process.exitCode = 1;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
