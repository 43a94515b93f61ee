/**
 * What a connection holds that nobody uses, and what bodies hold that nobody hurries to read. Bytes resident of a
 * `cutover serve`, of one process. CUTOVER_BARS=full: 10,000 connections, and a GiB each way.
 */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type ClientRequest, createServer, type IncomingMessage, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { portOf } from "../../src/proxy/listen/server.ts";
import { type Inspected, startInspected } from "../support/inspected.ts";
import { secured } from "../support/secured.ts";
import { serveYaml } from "../support/serve-yaml.ts";
import { startSides } from "../support/sides.ts";

const isFull = process.env.CUTOVER_BARS === "full";
const idleConnections = isFull ? 10_000 : 1000;
const mebibyte = 2 ** 20;
const bodyBytes = (isFull ? 1024 : 96) * mebibyte;

const { authority, cleanups } = secured();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-memory-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function start(name: string, url: string, tls?: string): Promise<Inspected> {
  const yaml = serveYaml({
    sides: { legacy: url, new: url },
    ...(tls === undefined ? {} : { listeners: { proxy: tls } }),
  });
  const serve = await startInspected({ folder, name, yaml });
  cleanups.push(async () => {
    await serve.kill();
  });
  return serve;
}

const get = [
  "GET /cart/1 HTTP/1.1",
  "Host: shop.example",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Accept: application/json",
  "X-Shopper-Id: shopper-1",
  "\r\n",
].join("\r\n");

/** Connections that were used once and are kept. */
async function openIdle(origin: string, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  const open = async () => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(origin).port) });
    sockets.push(socket);
    socket.write(get);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toContain("200 OK");
  };
  while (sockets.length < count)
    await Promise.all(Array.from({ length: Math.min(100, count - sockets.length) }, open));
  cleanups.push(async () => closeAll(sockets));
  return sockets;
}

function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

async function residentOf(pid: number): Promise<number> {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

test("an idle client connection costs at most 12 KiB", async () => {
  const sides = await startSides();
  cleanups.push(() => sides.stop());
  const serve = await start("idle", sides.legacy);
  // As many at once as there will be, so that what grows with the load has grown.
  closeAll(await openIdle(serve.proxy, 500));
  closeAll(await openIdle(serve.proxy, 500));
  await sleep(500);

  const heapBefore = await serve.heapBytes();
  const before = await serve.residentBytes();
  const idle = await openIdle(serve.proxy, idleConnections);
  const heapEach = ((await serve.heapBytes()) - heapBefore) / idleConnections;
  const each = ((await serve.residentBytes()) - before) / idleConnections;

  closeAll(idle);

  // The same of a server of node:http that proxies nothing.
  closeAll(await openIdle(sides.legacy, 500));
  await sleep(500);
  const bareBefore = await residentOf(sides.pid);
  await openIdle(sides.legacy, idleConnections);
  const bareEach = ((await residentOf(sides.pid)) - bareBefore) / idleConnections;
  const kibibytes = (bytes: number) => (bytes / 1024).toFixed(1);
  console.log(
    `idle: ${idleConnections} connections, KiB each: ${kibibytes(each)} resident, ${kibibytes(heapEach)} of it heap; ` +
      `of a bare node:http server ${kibibytes(bareEach)} resident`,
  );
  // With few connections, the garbage of making them is most of what is resident.
  if (isFull) expect(each).toBeLessThanOrEqual(12 * 1024);
  expect(heapEach).toBeLessThanOrEqual(6 * 1024);
}, 300_000);

const chunk = Buffer.alloc(65_536, "b");

/** As fast as it is taken. */
async function pour(into: Writable): Promise<void> {
  for (let left = bodyBytes; left > 0; left -= chunk.length) {
    if (!into.write(chunk)) await once(into, "drain");
  }
  into.end();
}

/** Nothing for half a second, then some 50 MiB a second. @returns bytes */
async function sip(from: Readable): Promise<number> {
  let taken = 0;
  let due = mebibyte / 4;
  await sleep(500);
  for await (const part of from) {
    taken += part.length;
    if (taken < due) continue;
    due += mebibyte / 4;
    await sleep(5);
  }
  return taken;
}

/** Pours what is asked for at /cart/down, and sips what is sent to /cart/up. */
async function startVessel(): Promise<string> {
  const server = createServer(async (asked, response) => {
    if (asked.url === "/cart/down") {
      await pour(response);
      return;
    }
    response.end(`${asked.url === "/cart/up" ? await sip(asked) : 0}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${portOf(server.address())}`;
}

interface Client {
  down(): Promise<number>;
  /** @returns bytes that the upstream says it took */
  up(): Promise<number>;
}

async function textOf(from: Readable): Promise<string> {
  let text = "";
  for await (const part of from) text += String(part);
  return text;
}

function http1(origin: string): Client {
  const answerOf = async (sent: ClientRequest): Promise<IncomingMessage> => {
    return new Promise((resolve, reject) => sent.on("response", resolve).on("error", reject));
  };
  return {
    down: async () => sip(await answerOf(request(`${origin}/cart/down`).end())),
    async up() {
      const sent = request(`${origin}/cart/up`, { method: "POST", headers: { "content-length": bodyBytes } });
      const [answer] = await Promise.all([answerOf(sent), pour(sent)]);
      return Number(await textOf(answer));
    },
  };
}

function http2(origin: string): Client {
  const session = connectHttp2(origin.replace("127.0.0.1", "localhost"), { ca: authority.caPem });
  cleanups.push(async () => session.destroy());
  return {
    down: () => sip(session.request({ ":path": "/cart/down" })),
    async up() {
      const stream = session.request({ ":path": "/cart/up", ":method": "POST" });
      const [answer] = await Promise.all([textOf(stream), pour(stream)]);
      return Number(answer);
    },
  };
}

test.each(["HTTP/1.1", "HTTP/2"])(
  "a body that is read slowly holds at most 64 MiB, both ways, with %s",
  async (protocol) => {
    const { cert, key } = authority.issue("proxy");
    const isSecure = protocol === "HTTP/2";
    const url = await startVessel();
    const serve = await start(
      `bodies-${isSecure}`,
      url,
      isSecure ? `port: 0, tls: { cert: '${cert}', key: '${key}' }` : undefined,
    );
    const client = isSecure ? http2(serve.proxy) : http1(serve.proxy);
    const grown: Record<string, number> = {};
    for (const way of ["down", "up"] as const) {
      await serve.heapBytes();
      const before = await serve.residentBytes();
      await serve.forgetPeak();
      expect(await client[way]()).toBe(bodyBytes);
      grown[way] = ((await serve.peakBytes()) - before) / mebibyte;
    }
    console.log(
      `bodies: ${bodyBytes / mebibyte} MiB with ${protocol}; MiB resident, the most more than before: ` +
        `${grown.down?.toFixed(1)} down, ${grown.up?.toFixed(1)} up`,
    );
    expect(Math.max(...Object.values(grown))).toBeLessThanOrEqual(64);
  },
  600_000,
);
