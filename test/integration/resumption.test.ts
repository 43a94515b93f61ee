/** Sessions of TLS are resumed wherever a client comes back to: another worker, another instance, after a restart. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Authority, createAuthority } from "../support/certificates.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

let folder: string;
let authority: Authority;
let redis: RedisServer;
let upstream: Server;
const served: Served[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-resumption-"));
  authority = createAuthority();
  redis = await startRedis();
  upstream = createServer((_request, response) => void response.end("ok"));
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  await Promise.all([start("one", 2), start("other", 1)]);
});
afterAll(async () => {
  await Promise.all(served.map((serve) => serve.kill()));
  upstream.closeAllConnections();
  upstream.close();
  await redis.stop();
  authority.remove();
  await rm(folder, { recursive: true });
});

async function start(name: string, workers: number): Promise<void> {
  const { cert, key } = authority.issue(name);
  const { port } = z.object({ port: z.int() }).parse(upstream.address());
  const url = `http://127.0.0.1:${port}`;
  const yaml = [
    `listeners: { proxy: { port: 0, tls: { cert: ${cert}, key: ${key} } }, admin: { port: 0 } }`,
    `store: '${redis.url}'`,
    "snapshot: off",
    "audit: off",
    `workers: ${workers}`,
    `upstreams: { legacy: { url: '${url}' }, new: { url: '${url}' } }`,
    "default: legacy",
    "cutovers:",
    "  checkout:",
    "    legacy: legacy",
    "    new: new",
    "    shopper: ['header:x-shopper-id']",
    "    routes: [{ name: cart, path: '/cart/*' }]",
  ];
  served.push(await startServe({ folder, name, yaml: yaml.join("\n") }));
}

/** One connection with one request. @returns whether its session was resumed, and a ticket for the next */
function visit(serve: Served | undefined, version: "TLSv1.2" | "TLSv1.3", protocol: string, ticket?: Buffer) {
  return new Promise<{ readonly isResumed: boolean; readonly ticket: Buffer }>((resolve, reject) => {
    let given: Buffer | undefined;
    const socket = connect({
      port: Number(new URL(serve?.proxy ?? "").port),
      host: "127.0.0.1",
      servername: "localhost",
      ca: authority.caPem,
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: [protocol],
      ...(ticket === undefined ? {} : { session: ticket }),
    });
    const isResumed = () => socket.isSessionReused();
    socket.on("session", (session) => {
      given = session;
    });
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const over = isResumed();
      socket.once("data", () => {
        socket.destroy();
        const next = given ?? ticket;
        if (next === undefined) reject(new Error("no ticket was given"));
        else resolve({ isResumed: over, ticket: next });
      });
      // Of HTTP/2 the server speaks first: its SETTINGS come behind the tickets.
      if (protocol === "http/1.1") socket.write("GET /cart/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
      else socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
    });
  });
}

test.each([
  ["TLSv1.3", "http/1.1"],
  ["TLSv1.3", "h2"],
  ["TLSv1.2", "http/1.1"],
] as const)(
  "every second handshake was a full one, a worker's tickets were of no use to another: %s, %s",
  async (version, protocol) => {
    const [one, other] = served;
    const first = await visit(one, version, protocol);
    expect(first.isResumed).toBe(false);
    // Each connection may come to either worker.
    for (let i = 0; i < 8; i += 1) {
      expect((await visit(one, version, protocol, first.ticket)).isResumed, `${i}`).toBe(true);
      expect((await visit(other, version, protocol, first.ticket)).isResumed, `${i}`).toBe(true);
    }
  },
);

test("the secret of the tickets is in the store and in no log", async () => {
  const secret = z.string().parse(await redis.cli("GET", "cutover:shared:tls-tickets"));
  expect(secret.length).toBeGreaterThan(40);
  for (const serve of served) expect(await serve.log()).not.toContain(secret);
});
