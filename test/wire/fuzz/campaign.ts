/**
 * Sends cases through this proxy and, where it is installed, through nginx, and judges what their upstreams saw:
 *
 * - canonical: what this proxy sends on is read without fault by a strict reader;
 * - none invented: it is request by request what the reference reads in the bytes, and never more;
 * - none of its own: where nginx forwards the same request, it has the same content;
 * - the client reads sound HTTP.
 *
 * A finding is looked at again, alone and with patience, before it counts.
 */
import { isInstalled, startOracle } from "../../support/oracles.ts";
import { type ReceivedRequest, startRawUpstream } from "../../support/raw-upstream.ts";
import { type Observation, observe, startWitness, type Witness } from "../oracles/observe.ts";
import { type EngineName, startProxy } from "../proxy/lab.ts";
import { type Case, caseOf } from "./grammar.ts";
import { type Reading, type ReadRequest, readAll } from "./reference.ts";

export interface CampaignOptions {
  readonly engine: EngineName;
  readonly seed: number;
  /** Numbers of the cases, `from` up to, without, `to`. */
  readonly from: number;
  readonly to: number;
  readonly onProgress?: (done: number) => void;
  /** Hears of each finding as it is made; a long run need not be waited for. */
  readonly onFinding?: (finding: Finding) => void;
}

export interface Finding {
  readonly number: number;
  /** The case that went before on the same upstream. */
  readonly before: number | undefined;
  readonly what: string;
  readonly bytes: string;
  readonly told: string;
}

export interface Outcome {
  readonly findings: readonly Finding[];
  readonly cases: number;
  /** Requests that reached the upstream through this proxy, and through nginx. */
  readonly forwarded: { readonly cutover: number; readonly nginx: number | "not installed" };
}

interface Lane {
  readonly cutover: Place;
  readonly nginx: Place | undefined;
}

interface Place {
  readonly url: URL;
  readonly witness: Witness;
}

const laneCount = 4;
const patientMs = 1500;

export async function runCampaign(options: CampaignOptions): Promise<Outcome> {
  const { engine, seed, from, to, onProgress, onFinding } = options;
  const cleanups: (() => Promise<unknown>)[] = [];
  const findings: Finding[] = [];
  const forwarded = { cutover: 0, nginx: 0 };
  const hasNginx = isInstalled("nginx");
  try {
    const lanes = await openLanes(engine, hasNginx, cleanups);
    let next = from;
    await Promise.all(
      lanes.map(async (lane) => {
        let before: Case | undefined;
        for (let number = next++; number < to; number = next++) {
          const one = caseOf(seed, number);
          const found = await judge(lane, one, 100);
          forwarded.cutover += found.cutover;
          forwarded.nginx += found.nginx;
          if (found.what !== undefined) {
            // What came late belongs to the case before.
            for (const suspect of before === undefined ? [one] : [before, one]) {
              await settle(lane);
              const again = await judge(lane, suspect, patientMs);
              if (again.what === undefined) continue;
              const finding = findingOf(suspect, before, again.what, again.told);
              findings.push(finding);
              onFinding?.(finding);
            }
          }
          before = one;
          onProgress?.(number - from + 1);
        }
      }),
    );
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
  return {
    findings,
    cases: to - from,
    forwarded: { cutover: forwarded.cutover, nginx: hasNginx ? forwarded.nginx : "not installed" },
  };
}

async function openLanes(
  engine: EngineName,
  hasNginx: boolean,
  cleanups: (() => Promise<unknown>)[],
): Promise<Lane[]> {
  const witness = async () => {
    const made = await startWitness();
    cleanups.push(() => made.close());
    return made;
  };
  const behindNginx = hasNginx ? await Promise.all(Array.from({ length: laneCount }, witness)) : [];
  const nginx = hasNginx
    ? await startOracle(
        "nginx",
        behindNginx.map(({ url }) => url),
      )
    : undefined;
  if (nginx !== undefined) cleanups.push(() => nginx.close());
  const lanes: Lane[] = [];
  for (let i = 0; i < laneCount; i++) {
    const own = await witness();
    const unused = await startRawUpstream(() => {});
    cleanups.push(() => unused.close());
    const proxy = await startProxy(engine, unused, { url: own.url.origin }, cleanups);
    const [url, theirs] = [nginx?.urls[i], behindNginx[i]];
    lanes.push({
      cutover: { url: new URL(proxy.url), witness: own },
      nginx: url === undefined || theirs === undefined ? undefined : { url, witness: theirs },
    });
  }
  return lanes;
}

async function judge(lane: Lane, { parts }: Case, silenceMs: number) {
  const reading = readAll(parts.join(""));
  const methods = reading.requests.map(({ method }) => method);
  if (reading.rest !== "end" || methods.length === 0) methods.push("GET");
  // With patience it waits for what nobody expects, too.
  if (silenceMs >= patientMs) methods.push("GET", "GET", "GET");
  const through = (place: Place) => observe(place.url, place.witness, parts, methods, silenceMs);
  const [own, theirs] = await Promise.all([through(lane.cutover), lane.nginx && through(lane.nginx)]);
  return {
    what: verdict(reading, own, theirs),
    told: JSON.stringify({ reading, cutover: brief(own), nginx: theirs && brief(theirs) }),
    cutover: own.requests.length,
    nginx: theirs?.requests.length ?? 0,
  };
}

/** Lets what earlier cases are still owed come, and forgets it: a busy machine forwards after the client has given up. */
async function settle({ cutover, nginx }: Lane): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, patientMs / 50));
  for (const place of [cutover, nginx]) place?.witness.take();
}

/** @returns what is wrong, or nothing */
function verdict(reading: Reading, own: Observation, theirs: Observation | undefined): string | undefined {
  if (own.faults.length > 0) return "the upstream was sent what is not canonical HTTP";
  if (own.statuses.includes(0)) return "the client was sent what is not sound HTTP";
  if (own.requests.length > reading.requests.length) return "the upstream saw more requests than were sent";
  const ours = placed(own.requests, reading);
  if (ours === undefined) return "the upstream saw another request than was sent";
  // What nginx alone forwards is nginx's affair; about what both do they must agree.
  for (const read of ours) {
    const same = theirs?.requests.filter(({ line }) => isLineOf(line, read)) ?? [];
    const agrees = same.some(({ body }) => body.toString("latin1") === read.body);
    const sent = reading.requests.filter(
      ({ method, target }) => `${method} ${target}` === `${read.method} ${read.target}`,
    );
    // Where several look alike, nginx may have refused this one.
    if (same.length >= sent.length && !agrees) return "nginx forwards another request";
  }
  return undefined;
}

function isLineOf(line: string, read: ReadRequest): boolean {
  return line.startsWith(`${read.method} `) && line.split(" ")[1] === forwardedForm(read);
}

/** The target as the next hop gets it: of an absolute form what follows the authority (RFC 9112 §3.2.1, §3.2.4). */
function forwardedForm({ method, target }: ReadRequest): string {
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/is.exec(target) ?? [];
  if (rest === undefined || rest.startsWith("/")) return rest ?? target;
  return rest === "" && method === "OPTIONS" ? "*" : `/${rest}`;
}

/** @returns which of the requests sent were seen, in order; `undefined` when one of those seen is none of them */
function placed(seen: readonly ReceivedRequest[], { requests }: Reading): ReadRequest[] | undefined {
  const found: ReadRequest[] = [];
  let at = 0;
  for (const { line, body } of seen) {
    const content = body.toString("latin1");
    const rest = requests.slice(at);
    const skipped = rest.findIndex((read) => isLineOf(line, read) && read.body === content);
    const read = rest[skipped];
    if (read === undefined) return undefined;
    found.push(read);
    at += skipped + 1;
  }
  return found;
}

function brief({ statuses, requests, faults, unfinished }: Observation) {
  const seen = requests.map(({ line, framing, body }) => [line, framing, body.toString("latin1")]);
  return { statuses, seen, faults, unfinished };
}

function findingOf({ number, parts }: Case, before: Case | undefined, what: string, told: string): Finding {
  return { number, before: before?.number, what, bytes: JSON.stringify(parts), told };
}
