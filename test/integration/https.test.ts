/** `cutover serve` with TLS: a certificate renewed under load, WebSockets through workers, and the way down. */
import { execFile } from "node:child_process";
import { copyFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { type Authority, createAuthority, type IssuedPair } from "../support/certificates.ts";
import { type Served, startServe } from "../support/cutover.ts";
import { until } from "../support/until.ts";

const isFull = process.env.CUTOVER_BARS === "full";

const run = promisify(execFile);

let folder: string;
let authority: Authority;
let upstream: Server;
let upstreamPort: number;
const cleanups: (() => void)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-https-"));
  authority = createAuthority();
  upstream = createServer((_request, response) => void response.end("ok"));
  const sockets = new WebSocketServer({ server: upstream });
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  upstreamPort = z.object({ port: z.int() }).parse(upstream.address()).port;
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});
afterAll(async () => {
  upstream.closeAllConnections();
  upstream.close();
  authority.remove();
  await rm(folder, { recursive: true });
});

describe.each(isFull ? [1, 2] : [2])("with workers %d", (workers) => {
  let serve: Served;
  let port: number;

  const show = ({ cert, key }: IssuedPair) => {
    copyFileSync(cert, join(folder, "shown.crt"));
    copyFileSync(key, join(folder, "shown.key"));
  };
  // One process for all of it: the last test ends it.
  beforeAll(async () => {
    show(authority.issue("first"));
    const url = `http://127.0.0.1:${upstreamPort}`;
    const yaml = [
      "listeners: { proxy: { port: 0, tls: { cert: shown.crt, key: shown.key } }, admin: { port: 0 } }",
      "store: 'memory:'",
      "snapshot: off",
      "audit: off",
      `workers: ${workers}`,
      "drain: { grace: 2s }",
      `upstreams: { legacy: { url: '${url}' }, new: { url: '${url}' } }`,
      "default: legacy",
      "cutovers:",
      "  checkout:",
      "    legacy: legacy",
      "    new: new",
      "    shopper: ['header:x-shopper-id']",
      "    routes: [{ name: cart, path: '/cart/*' }]",
    ];
    serve = await startServe({ folder, name: `workers-${workers}`, yaml: yaml.join("\n") });
    port = Number(new URL(serve.proxy).port);
  });
  afterAll(() => serve.kill());

  async function shownTo(): Promise<string> {
    const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca: authority.caPem });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  }

  test("says where it is, as https", () => {
    expect(serve.proxy).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  });

  test("a certificate renewed under load of HTTP/2 and by SIGHUP is shown, and no request fails", async () => {
    const load = run("h2load", ["-n", "8000", "-c", "8", "-m", "8", `https://localhost:${port}/cart/1`]);
    expect(await shownTo()).toBe("first");
    show(authority.issue("second"));
    serve.signal("SIGHUP");
    await serve.said("configuration swapped");
    // Each connection may come to another worker.
    for (let i = 0; i < 2 * workers; i += 1) expect(await shownTo()).toBe("second");
    const { stdout } = await load;
    expect(stdout).toMatch(/8000 succeeded, 0 failed, 0 errored, 0 timeout/);
    expect(stdout).toContain("status codes: 8000 2xx");
  });

  test("WebSockets are counted on their side while open, and ended when the grace is over", async () => {
    const seen: string[] = [];
    for (let i = 0; i < 6; i += 1) {
      const socket = new WebSocket(`wss://localhost:${port}/cart/live`, {
        ca: authority.caPem,
        headers: { "x-shopper-id": `s${i}` },
      });
      cleanups.push(() => socket.terminate());
      socket.on("open", () => socket.send("hello"));
      socket.on("message", (data) => seen.push(data.toString()));
      socket.on("close", () => seen.push("closed"));
      socket.on("error", (error) => seen.push(error.message));
    }
    await until("all answer", () => seen.length === 6, 10_000);
    const open = async () => {
      const page = await (await fetch(`${serve.admin}/metrics`)).text();
      return /^cutover_upgraded_connections\{cutover="checkout",side="legacy"\} (\d+)/m.exec(page)?.[1];
    };
    let counted = await open();
    for (let asked = 0; counted !== "6" && asked < 100; asked += 1) counted = await open();
    expect(counted).toBe("6");
    const begun = performance.now();
    serve.signal("SIGTERM");
    expect(await serve.exit).toBe(0);
    expect(performance.now() - begun).toBeGreaterThan(1900);
    await until("all are closed", () => seen.filter((what) => what === "closed").length === 6);
    expect(seen.filter((what) => what !== "closed")).toEqual(Array(6).fill("hello"));
  });
});
