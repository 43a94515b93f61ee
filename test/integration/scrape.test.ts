/**
 * An instance of 100 cutovers with 10 routes each, with guards, journeys and owners: how long a scrape keeps its event loop
 * from anything else, and what it takes while nothing is asked of it. CUTOVER_BARS=full: more scrapes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { cpuSoFar } from "../support/cpu-time.ts";
import { type Inspected, startInspected } from "../support/inspected.ts";
import { failed, startLoad } from "../support/kept-load.ts";
import { type Sides, startSides } from "../support/sides.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const scrapes = isFull ? 100 : 15;
const barMs = 20;
/** Of a core, without a request: each second's record, four looks of each guard, plans and series. */
const idleBar = 0.25;
const cutovers = 100;
const routes = 10;

let folder: string;
let sides: Sides;
let served: Inspected;

function yamlOf({ legacy, onNew }: { readonly legacy: string; readonly onNew: string }): string {
  const more = ["methods: [POST], journey: start", "methods: [POST], journey: end, payment: true"];
  const route = (cutover: number, at: number) =>
    `      - { name: route-${at}, path: "/c${cutover}/r${at}/*"${more[at] === undefined ? "" : `, ${more[at]}`} }`;
  const cutover = (at: number) => [
    `  cutover-${at}:`,
    "    legacy: old",
    "    new: fresh",
    "    shopper: ['header:x-shopper-id']",
    "    guard: {}",
    "    routes:",
    ...Array.from({ length: routes }, (_, each) => route(at, each)),
    `    journey: { cookie: journey-${at} }`,
    "    owners: [{ key: 'header:idempotency-key', ttl: 24h }]",
  ];
  return [
    "listeners: { proxy: { port: 0 }, admin: { port: 0 } }",
    "store: 'memory:'",
    "snapshot: 'off'",
    "spool: 'off'",
    "upstreams:",
    `  old: { url: '${legacy}' }`,
    `  fresh: { url: '${onNew}' }`,
    "default: old",
    "cutovers:",
    ...Array.from({ length: cutovers }, (_, at) => cutover(at)).flat(),
    "",
  ].join("\n");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-scrape-"));
  sides = await startSides();
  served = await startInspected({
    folder,
    name: "many",
    yaml: yamlOf({ legacy: sides.legacy, onNew: sides.new }),
  });
});

afterAll(async () => {
  await served?.kill();
  await sides?.stop();
  await rm(folder, { recursive: true, force: true });
});

// What each cutover told had all of them counted for it: 100 took all of a core.
test("100 cutovers with guards take little while nothing is asked of them", async () => {
  const load = startLoad(served.proxy, { perSecond: 200, path: (each) => `/c${each % cutovers}/r3/x` });
  await sleep(2000);
  await load.stop();
  expect(failed(load.sent)).toEqual([]);
  const [cpu, from] = [cpuSoFar(served.pid), performance.now()];
  await sleep(isFull ? 10_000 : 3000);
  const cores = (cpuSoFar(served.pid) - cpu) / (performance.now() - from);
  console.log(`${cutovers} cutovers at rest: ${(100 * cores).toFixed(1)}% of a core`);
  expect(cores).toBeLessThanOrEqual(idleBar);
});

test(`a scrape of ${cutovers} cutovers with ${routes} routes blocks the loop for at most ${barMs} ms, in either format`, async () => {
  await served.evaluate(`
    globalThis.longestTurn = 0;
    let last = performance.now();
    (function turn() {
      const now = performance.now();
      globalThis.longestTurn = Math.max(globalThis.longestTurn, now - last);
      last = now;
      setImmediate(turn);
    })()`);

  /** The longest turn of the loop while something goes on. */
  async function longest(work: () => Promise<unknown>): Promise<number> {
    await served.evaluate("globalThis.longestTurn = 0");
    await work();
    return z.number().parse(await served.evaluate("globalThis.longestTurn"));
  }

  for (const accept of ["text/plain", "application/openmetrics-text; version=1.0.0"]) {
    let octets = 0;
    const scrape = async () => {
      const answer = await fetch(`${served.admin}/metrics`, { headers: { accept } });
      expect(answer.headers.get("content-type")).toContain(accept.split(";")[0]);
      octets = (await answer.arrayBuffer()).byteLength;
    };
    // The first run what is not compiled yet.
    for (let each = 0; each < 5; each += 1) await scrape();
    const [during, beside]: [number[], number[]] = [[], []];
    for (let each = 0; each < scrapes; each += 1) {
      during.push(await longest(scrape));
      beside.push(await longest(() => sleep(40)));
    }
    const [half, most] = [quantile(during, 0.5), quantile(during, 0.9)];
    console.log(
      `${accept}: ${(octets / 1e6).toFixed(1)} MB, the longest turn of half of ${scrapes} scrapes ${half} ms, of nine of ten ${most} ms; without one ${quantile(beside, 0.5)} and ${quantile(beside, 0.9)} ms`,
    );
    expect(octets).toBeGreaterThan(5_000_000);
    // The machine's own pauses are not the scrape's.
    expect(isFull ? most : half).toBeLessThanOrEqual(barMs);
  }
});

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return Number(sorted[Math.floor(sorted.length * q)]?.toFixed(1));
}
