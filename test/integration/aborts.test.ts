/**
 * Clients that leave at any point leave nothing behind: no connection to an upstream, no request in flight, no memory,
 * and each request they sent is counted once. CUTOVER_BARS=full: 10,000 of them. CUTOVER_SEED: the seed, else one of
 * the clock's, which is printed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Inspected, startInspected } from "../support/inspected.ts";
import { numbersEach, type Place, plainVisits, secureVisits, type Visit } from "../support/leavers.ts";
import { type LeftUpstream, startLeftUpstream } from "../support/left-upstream.ts";
import { scrape, sumOf } from "../support/scrape.ts";
import { secured } from "../support/secured.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { createRandom } from "../wire/fuzz/random.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const count = isFull ? 5000 : 120;
/** After some 1,000 sessions of HTTP/2, what V8 compiles and keeps of their ways has grown to its size. */
const warmUp = isFull ? 3000 : 60;
const seed = Number(process.env.CUTOVER_SEED ?? Date.now() % 1_000_000);
const atOnce = 16;
const maxConnections = 128;

const { authority, cleanups } = secured();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-aborts-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function start(
  name: string,
  tls: string | undefined,
): Promise<{ serve: Inspected; upstream: LeftUpstream }> {
  const upstream = await startLeftUpstream();
  cleanups.push(() => upstream.close());
  const yaml = serveYaml({
    sides: { legacy: upstream.url, new: upstream.url },
    more: [`limits: { connections: ${maxConnections} }`],
    ...(tls === undefined ? {} : { listeners: { proxy: tls } }),
  });
  const serve = await startInspected({ folder, name, yaml });
  cleanups.push(async () => {
    await serve.kill();
  });
  return { serve, upstream };
}

/** So many visits, a few at a time. @returns requests sent */
async function visitAll(
  place: Place,
  kinds: readonly [Visit, ...Visit[]],
  from: number,
  to: number,
): Promise<number> {
  let next = from;
  let sent = 0;
  const visitor = async () => {
    while (next < to) {
      const visit = next++;
      const random = createRandom(seed, visit);
      const kind = kinds[visit % kinds.length] ?? kinds[0];
      const requests = await kind({ ...place, random, number: visit * numbersEach });
      sent += requests;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, visitor));
  return sent;
}

/** The silence after which a client of HTTP/2 is taken for gone: in the full form as long as it is by default. */
const idleMs = isFull ? 65_000 : 8000;
/** A quarter more, and a while. */
const settledMs = 1.25 * idleMs + 15_000;

/** Waits until all is counted and nothing is open, and expects it. */
async function settled({ serve, upstream }: { serve: Inspected; upstream: LeftUpstream }, sent: number) {
  const deadline = performance.now() + settledMs;
  for (;;) {
    const series = await scrape(serve.admin);
    const found = {
      counted: sumOf(series, "cutover_requests_total"),
      inFlight: sumOf(series, "cutover_inflight_requests"),
      clients: sumOf(series, "cutover_client_connections"),
      upgrades: sumOf(series, "cutover_upgraded_connections"),
      upstream: await upstream.connections(),
    };
    const wanted = { counted: sent, inFlight: 0, clients: 0, upgrades: 0, upstream: 0 };
    if (performance.now() > deadline || JSON.stringify(found) === JSON.stringify(wanted)) {
      expect(found, `seed ${seed}`).toEqual(wanted);
      return series;
    }
    await sleep(50);
  }
}

/** Per cent. What the short form's few clients might leave is told from what compiled code takes meanwhile less well. */
const mostGrowth = isFull ? 5 : 8;
/** Compiled code of ways that are gone no more, and what waited for timers, is let go only after a while. */
const letGoMs = 60_000;

/** @returns bytes on the heap, once they are as few as told or it is time */
async function heapWithin(serve: Inspected, bytes: number): Promise<number> {
  const deadline = performance.now() + letGoMs;
  for (;;) {
    const found = await serve.heapBytes();
    if (found <= bytes || performance.now() > deadline) return found;
    await sleep(1000);
  }
}

async function leaveNothing(
  name: string,
  tls: string | undefined,
  kinds: readonly [Visit, ...Visit[]],
  ca: Buffer | undefined,
): Promise<Inspected> {
  const started = await start(name, tls);
  const { serve, upstream } = started;
  const place = { port: Number(new URL(serve.proxy).port), upstream, ...(ca === undefined ? {} : { ca }) };
  let sent = await visitAll(place, kinds, 0, warmUp);
  await settled(started, sent);
  const before = await serve.heapBytes();
  sent += await visitAll(place, kinds, warmUp, warmUp + count);
  const series = await settled(started, sent);
  const after = await heapWithin(serve, before * (1 + mostGrowth / 100));
  const aborted = sumOf(series, "cutover_requests_total", 'outcome="client_aborted"');
  const growth = (100 * (after - before)) / before;
  console.log(
    `aborts, ${name}, seed ${seed}: ${count} clients left, ${sent} requests sent and counted, ${aborted} aborted; heap ` +
      `${(before / 2 ** 20).toFixed(2)} → ${(after / 2 ** 20).toFixed(2)} MiB (${growth.toFixed(2)} %)`,
  );
  expect(growth).toBeLessThanOrEqual(mostGrowth);
  expect(aborted).toBeGreaterThan(sent / 2);
  return serve;
}

test("clients that leave in a head, an upload, a wait, a download or a WebSocket leave nothing behind", async () => {
  await leaveNothing("plain", undefined, plainVisits, undefined);
}, 1_800_000);

test("clients that leave in a TLS handshake, a stream or a session of HTTP/2 leave nothing behind", async () => {
  const { cert, key } = authority.issue("proxy");
  const tls = `port: 0, idle: ${idleMs}ms, tls: { cert: '${cert}', key: '${key}' }`;
  const serve = await leaveNothing("secure", tls, secureVisits, authority.caPem);
  // Handshakes under way count among the connections there may be: none is taken for one that has long ended.
  const port = Number(new URL(serve.proxy).port);
  const all = Array.from({ length: maxConnections }, () => {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca: authority.caPem });
    cleanups.push(async () => socket.destroy());
    return new Promise((resolve, reject) => socket.on("secureConnect", resolve).on("error", reject));
  });
  await Promise.all(all);
}, 1_800_000);
