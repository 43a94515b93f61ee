/** HTTPS on the proxy's listener: what is agreed, with whom, and by which certificate; and what real clients make of it. */
import { execFile } from "node:child_process";
import { copyFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { IssuedPair } from "../../support/certificates.ts";
import { type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { type Script, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { settled, until } from "../../support/until.ts";

const run = promisify(execFile);

const { authority, pair, cleanups } = secured();

const ok: Script = (connection) =>
  connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));

async function start(script: Script = ok, options: Partial<ProxyOptions> = {}) {
  const raw = await startRawUpstream(script);
  cleanups.push(() => raw.close());
  const proxy = await startProxy({ old: { url: raw.url.origin }, tls: pair, ...options });
  cleanups.push(() => proxy.close());
  return { raw, proxy };
}

function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    servername: "localhost",
    ca: authority.caPem,
    ...options,
  });
  cleanups.push(() => void socket.destroy());
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", () => resolve(socket)).on("error", reject);
  });
}

describe("what is agreed", () => {
  test.each([
    [["h2", "http/1.1"], "h2"],
    [["http/1.1", "h2"], "h2"],
    [["http/1.1"], "http/1.1"],
    [undefined, false],
  ] as const)("of %j: %s (RFC 7301)", async (offered, agreed) => {
    const { proxy } = await start();
    const socket = await dial(proxy.port, offered === undefined ? {} : { ALPNProtocols: [...offered] });
    expect(socket.alpnProtocol).toBe(agreed);
  });

  test("no protocol in common ends the handshake (RFC 7301 §3.2)", async () => {
    const { proxy } = await start();
    await expect(dial(proxy.port, { ALPNProtocols: ["spdy/3"] })).rejects.toThrow();
  });

  test("TLS 1.1 is refused, 1.2 and 1.3 are not", async () => {
    const { proxy } = await start();
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await expect(dial(proxy.port, old)).rejects.toThrow();
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await dial(proxy.port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
    }
  });

  test("plain HTTP on the port gets no answer, and harms nobody", async () => {
    const { raw, proxy } = await start();
    const socket = connectPlain({ port: proxy.port, host: "127.0.0.1" });
    cleanups.push(() => void socket.destroy());
    socket.on("error", () => {});
    socket.write("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(raw.requests()).toEqual([]);
    expect(await get(proxy.port)).toMatchObject({ status: 200 });
  });
});

function get(port: number, headers: Readonly<Record<string, string>> = {}) {
  return new Promise<{ status: number | undefined; cookie: string }>((resolve, reject) => {
    const options = { port, host: "127.0.0.1", servername: "localhost", ca: authority.caPem, agent: false };
    request(
      { ...options, path: "/checkout", method: "POST", headers: { host: "localhost", ...headers } },
      (response) => {
        response
          .resume()
          .on("end", () =>
            resolve({ status: response.statusCode, cookie: String(response.headers["set-cookie"]) }),
          );
      },
    )
      .on("error", reject)
      .end();
  });
}

test("HTTP/1.1 over TLS: the same exchange, told as https, its cookie Secure", async () => {
  const { raw, proxy } = await start();
  const answer = await get(proxy.port, { cookie: "sid=a" });
  expect(answer.status).toBe(200);
  expect(answer.cookie).toMatch(/^cutover_journey=.*; Secure$/);
  const [received] = raw.requests();
  expect(valuesOf(received?.fields ?? [], "x-forwarded-proto")).toEqual(["https"]);
  expect(valuesOf(received?.fields ?? [], "via")).toEqual(["1.1 cutover-test"]);
});

test("a slow head of HTTP/1.1 is a 408 over TLS too", async () => {
  const { proxy } = await start(ok, { headTimeoutMs: 500 });
  const socket = await dial(proxy.port, { ALPNProtocols: ["http/1.1"] });
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.write("GET / HTTP/1.1\r\nHost:");
  await until("it is refused", () => text.startsWith("HTTP/1.1 408 "), 20_000);
});

test("a client gone by a reset while its upload is held back is let go over TLS too", async () => {
  const { proxy } = await start(({ socket }) => void socket.pause());
  const raw = connectPlain({ port: proxy.port, host: "127.0.0.1" });
  const client = await dial(proxy.port, { socket: raw, ALPNProtocols: ["http/1.1"] });
  client.on("error", () => {});
  client.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${32 << 20}\r\n\r\n`);
  client.write(Buffer.alloc(32 << 20));
  await settled(() => raw.bytesWritten);
  raw.resetAndDestroy();
  await until("it is counted", () => proxy.counted.length > 0);
  expect(proxy.counted).toEqual(["none client_aborted"]);
  expect(proxy.inFlight.none).toBe(0);
});

test("a WebSocket over TLS", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (typeof address === "string" || address === null) throw new Error("no port");
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  cleanups.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { proxy } = await start(ok, { old: { url: `http://127.0.0.1:${address.port}` } });
  const socket = new WebSocket(`wss://localhost:${proxy.port}/cart/live`, { ca: authority.caPem });
  const echo = await new Promise<string>((resolve, reject) => {
    socket.on("open", () => socket.send("over TLS"));
    socket.on("message", (data) => resolve(data.toString()));
    socket.on("error", reject);
  });
  expect(echo).toBe("over TLS");
  socket.close();
  await until("it is counted", () => proxy.counted.includes("upgrade ended closed"));
});

test("connections at once: those above the limit are closed before a handshake, whatever they would speak", async () => {
  const { proxy } = await start(ok, { maxConnections: 3 });
  const first = await dial(proxy.port, { ALPNProtocols: ["h2"] });
  await dial(proxy.port, { ALPNProtocols: ["http/1.1"] });
  const silent = connectPlain({ port: proxy.port, host: "127.0.0.1" });
  cleanups.push(() => void silent.destroy());
  await new Promise((resolve) => silent.once("connect", resolve));
  await expect(dial(proxy.port)).rejects.toThrow();
  expect(proxy.counted).toEqual(["connection refused"]);
  first.destroy();
  for (let tries = 0; ; tries += 1) {
    const made = await dial(proxy.port).catch(() => undefined);
    if (made !== undefined) break;
    expect(tries).toBeLessThan(100);
  }
});

test("a handshake that ends in no way but badly leaves room for the next", async () => {
  const { proxy } = await start(ok, { maxConnections: 4 });
  for (let i = 0; i < 40; i += 1) {
    const socket = connectPlain({ port: proxy.port, host: "127.0.0.1" });
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    if (i % 4 === 1) socket.write("GET / HTTP/1.1\r\n\r\n");
    // The beginning of a ClientHello that does not come.
    if (i % 4 === 2) socket.write(Buffer.from("16030102000100", "hex"));
    if (i % 4 === 3) socket.resetAndDestroy();
    else socket.end();
    await new Promise((resolve) =>
      socket.closed ? resolve(undefined) : socket.resume().once("close", resolve),
    );
  }
  expect(await get(proxy.port)).toMatchObject({ status: 200 });
});

test("a stop is not held up by a handshake that does not end", async () => {
  const { proxy } = await start();
  const socket = connectPlain({ port: proxy.port, host: "127.0.0.1" });
  await new Promise((resolve) => socket.once("connect", resolve));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await get(proxy.port);
  const begun = performance.now();
  await proxy.server.close(300);
  await closed;
  expect(performance.now() - begun).toBeLessThan(2000);
});

describe("another certificate", () => {
  const commonName = (socket: TLSSocket) => socket.getPeerCertificate().subject.CN;

  function shown() {
    const files = { cert: join(authority.folder, "shown.crt"), key: join(authority.folder, "shown.key") };
    const put = (next: IssuedPair, ...what: readonly ("cert" | "key")[]) => {
      for (const each of what) copyFileSync(next[each], files[each]);
    };
    put(authority.issue("first"), "cert", "key");
    return { files, put };
  }

  test("is shown to new connections; those that are open go on, on both protocols", async () => {
    const { files, put } = shown();
    const { proxy } = await start(ok, { tls: files });
    const kept = await dial(proxy.port, { ALPNProtocols: ["http/1.1"] });
    const session = connectHttp2(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    cleanups.push(() => session.destroy());
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    expect(commonName(kept)).toBe("first");
    put(authority.issue("second"), "cert", "key");
    proxy.server.refresh();
    expect(commonName(await dial(proxy.port))).toBe("second");

    let text = "";
    kept.on("data", (chunk) => {
      text += chunk;
    });
    kept.write("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    await until("the open connection is answered", () => text.endsWith("ok"));
    const stream = session.request({ ":path": "/x" }).resume();
    await new Promise((resolve) => stream.once("close", resolve));
    expect(stream.rstCode).toBe(0);
    expect(proxy.faults).toEqual([]);
  });

  test("is not shown before its key is there, nor when it is none; each is told of once", async () => {
    const { files, put } = shown();
    const { proxy } = await start(ok, { tls: files });
    const second = authority.issue("second");
    put(second, "cert");
    proxy.server.refresh();
    proxy.server.refresh();
    expect(commonName(await dial(proxy.port))).toBe("first");
    expect(proxy.faults).toHaveLength(1);
    expect(String(proxy.faults[0])).not.toContain("BEGIN");
    put(second, "key");
    proxy.server.refresh();
    expect(commonName(await dial(proxy.port))).toBe("second");
    copyFileSync(authority.ca, files.key);
    proxy.server.refresh();
    expect(commonName(await dial(proxy.port))).toBe("second");
    expect(proxy.faults).toHaveLength(2);
  });

  test("is found without being told", { timeout: 15_000 }, async () => {
    const { files, put } = shown();
    const { proxy } = await start(ok, { tls: files });
    put(authority.issue("second"), "cert", "key");
    await expect
      .poll(async () => commonName(await dial(proxy.port)), { timeout: 12_000, interval: 100 })
      .toBe("second");
  });
});

describe("real clients", () => {
  const quiet = { maxBuffer: 64 << 20 };

  test("curl by HTTP/2 and by HTTP/1.1, body up and down", async () => {
    const { proxy } = await start((connection) =>
      connection.onRequest(({ body }) => {
        connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
        connection.write(body);
      }),
    );
    const url = `https://localhost:${proxy.port}/x`;
    const common = ["-s", "--cacert", authority.ca, "-w", "|%{http_version}|%{http_code}"];
    const body = "b".repeat(100_000);
    for (const [flag, version] of [
      ["--http2", "2"],
      ["--http1.1", "1.1"],
    ] as const) {
      const { stdout } = await run("curl", [...common, flag, "--data-binary", body, url], quiet);
      expect(stdout).toBe(`${body}|${version}|200`);
    }
  });

  test("curl that offers h2c to the plain listener is served by HTTP/1.1", async () => {
    const raw = await startRawUpstream(ok);
    const proxy = await startProxy({ old: { url: raw.url.origin } });
    cleanups.push(
      () => raw.close(),
      () => proxy.close(),
    );
    const write = ["-s", "-w", "|%{http_version}|%{http_code}"];
    for (const body of [[], ["--data-binary", "a=b"]]) {
      const { stdout } = await run("curl", [
        ...write,
        "--http2",
        ...body,
        `http://127.0.0.1:${proxy.port}/x`,
      ]);
      expect(stdout).toBe("ok|1.1|200");
    }
  });

  test("nghttp: trailers, many streams of one session", async () => {
    const { proxy } = await start((connection) =>
      connection.onRequest(() =>
        connection.write(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
        ),
      ),
    );
    const { stdout } = await run(
      "nghttp",
      ["-nv", "-m", "20", "--no-dep", `https://localhost:${proxy.port}/x`],
      quiet,
    );
    expect(stdout.match(/:status: 200/g)).toHaveLength(20);
    expect(stdout.match(/x-sum: 7/g)).toHaveLength(20);
    expect(stdout).not.toMatch(/RST_STREAM|INTERNAL_ERROR|PROTOCOL_ERROR/);
    expect(proxy.counted).toEqual(Array(20).fill("none ok"));
  });

  const manyRequests = process.env.CUTOVER_BARS === "full" ? 20_000 : 5000;
  test(`h2load: ${manyRequests} requests over ten sessions of twenty streams, none fails`, {
    timeout: 60_000,
  }, async () => {
    const { proxy } = await start();
    const url = `https://localhost:${proxy.port}/x`;
    const { stdout } = await run("h2load", ["-n", String(manyRequests), "-c", "10", "-m", "20", url], quiet);
    expect(stdout).toContain("Application protocol: h2");
    expect(stdout).toContain(
      `${manyRequests} done, ${manyRequests} succeeded, 0 failed, 0 errored, 0 timeout`,
    );
    expect(stdout).toContain(`status codes: ${manyRequests} 2xx`);
    expect(proxy.counted.filter((what) => what === "none ok")).toHaveLength(manyRequests);
    expect(proxy.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  });
});
