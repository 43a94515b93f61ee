/** PROXY headers in front of what clients send: believed from trusted addresses, and from nobody else. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { isInstalled, startProgram } from "../../support/oracles.ts";
import { type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { tcp6, tlv, version2 } from "../../support/proxy-header.ts";
import { answering, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";
import { connectRaw } from "../../support/wire-client.ts";
import { get, ok } from "./lab.ts";

const { authority, pair, cleanups } = secured();
const client = "203.0.113.7";
const line = `PROXY TCP4 ${client} 192.0.2.1 4711 443\r\n`;

async function start(options: Partial<ProxyOptions> = {}) {
  const raw = await startRawUpstream(answering(ok()));
  cleanups.push(() => raw.close());
  const proxy = await startProxy({
    old: { url: raw.url.origin, set: { "X-Real-IP": "client-address" } },
    proxyProtocol: true,
    trustedProxies: ["127.0.0.1"],
    ...options,
  });
  cleanups.push(() => proxy.close());
  const dial = async () => {
    const connected = await connectRaw(`http://127.0.0.1:${proxy.port}`);
    cleanups.push(() => void connected.socket.destroy());
    return connected;
  };
  /** What the upstream was told of the client, request by request. */
  const told = (name = "x-forwarded-for") => raw.requests().flatMap(({ fields }) => valuesOf(fields, name));
  return { proxy, raw, dial, told };
}

describe("in front of HTTP/1.1", () => {
  test.each([
    ["version 1", Buffer.from(line), client],
    ["version 1 for IPv6", Buffer.from("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"), "2001:db8::7"],
    ["version 2", version2({}), client],
    [
      "version 2 for IPv6",
      version2({ family: 0x21, addresses: tcp6("2001:db8:0:0:0:0:0:7") }),
      "2001:db8::7",
    ],
    ["version 2 with TLVs", version2({ rest: tlv(0x20, Buffer.alloc(300)) }), client],
    [
      "LOCAL, the balancer's own",
      version2({ kind: 0x20, family: 0, addresses: Buffer.alloc(0) }),
      "127.0.0.1",
      // It is trusted, so what it says of a client is believed.
      "6.6.6.6",
    ],
    ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), "127.0.0.1"],
  ])(
    "%s: whose the requests are, all of a connection, whatever they say themselves",
    async (_, header, address, forwarded = address) => {
      const { dial, told } = await start();
      const { write, response } = await dial();
      write(Buffer.concat([header, Buffer.from(get("/cart/1"))]));
      expect((await response()).status).toBe(200);
      write(get("/cart/2", ["Forwarded: for=6.6.6.6"]));
      expect((await response()).status).toBe(200);
      expect(told()).toEqual([address, address]);
      expect(told("x-real-ip")).toEqual([address, forwarded]);
    },
  );

  test.each([
    ["a client that was told of", line, false],
    ["a client that was not", "PROXY UNKNOWN\r\n", false],
    ["the balancer itself", version2({ kind: 0x20, family: 0, addresses: Buffer.alloc(0) }), true],
    ["a trusted proxy that was told of", "PROXY TCP4 127.0.0.1 192.0.2.1 4711 443\r\n", true],
  ])("of %s X-Forwarded-For is believed: %s", async (_, header, isBelieved) => {
    const { dial, told } = await start();
    const { write, response } = await dial();
    write(header);
    write(get("/cart/1", ["X-Forwarded-For: 6.6.6.6"]));
    expect((await response()).status).toBe(200);
    expect(told()[0]?.includes("6.6.6.6")).toBe(isBelieved);
  });

  test.each([
    ["version 1", Buffer.from(line)],
    ["version 2", version2({ rest: tlv(0x02, Buffer.from("shop.example")) })],
  ])("%s octet by octet, and the request behind it too", async (_, header) => {
    const { dial, told } = await start();
    const { write, response, socket } = await dial();
    socket.setNoDelay(true);
    for (const octet of Buffer.concat([header, Buffer.from(get("/cart/1"))])) {
      write(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    expect((await response()).status).toBe(200);
    expect(told()).toEqual([client]);
  });

  test("a body that is large, and a second request behind it", async () => {
    const { dial, raw, told } = await start();
    const { write, response } = await dial();
    const body = "x".repeat(200_000);
    write(
      `${line}POST /cart/1 HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}${get("/cart/2")}`,
    );
    expect((await response("POST")).status).toBe(200);
    expect((await response()).status).toBe(200);
    expect(raw.requests().map(({ body: { length } }) => length)).toEqual([body.length, 0]);
    expect(told()).toEqual([client, client]);
  });
});

describe("from an address that is not trusted", () => {
  test("a header is a malformed request, and no header is no fault", async () => {
    const { dial, told, proxy } = await start({ trustedProxies: ["192.0.2.1"] });
    for (const header of [line, version2({})]) {
      const { write, response, closed } = await dial();
      write(Buffer.concat([Buffer.from(header), Buffer.from(get("/cart/1"))]));
      expect((await response()).status).toBe(400);
      expect(await closed()).toBe("fin");
    }
    const { write, response } = await dial();
    write(get("/cart/1"));
    expect((await response()).status).toBe(200);
    expect(told()).toEqual(["127.0.0.1"]);
    expect(proxy.counted.filter((what) => what.startsWith("header"))).toEqual([]);
  });
});

describe("a connection of a trusted address is closed without a word", () => {
  test.each([
    ["missing", get("/cart/1")],
    ["malformed", "PROXY TCP4 me you 1 2\r\n"],
    ["malformed", version2({ family: 0x21 })],
    ["too_large", "PROXY TCP4 ".padEnd(200, "1")],
    ["too_large", version2({ length: 65_535 })],
  ])("%s: %j", async (fault, bytes) => {
    const { dial, proxy, raw } = await start();
    const { write, closed, received } = await dial();
    write(bytes);
    await closed();
    expect(received().length).toBe(0);
    expect(raw.requests()).toEqual([]);
    await until("its count", () => proxy.counted.includes(`header ${fault}`));
  });

  test("when its header takes too long; one that says nothing is no fault, nor is one behind its header", async () => {
    const { dial, proxy } = await start({ headTimeoutMs: 100 });
    const [silent, late, idle] = [await dial(), await dial(), await dial()];
    late.write("PROXY TC");
    idle.write(line);
    await Promise.all([silent.closed(), late.closed(), idle.closed()]);
    expect(proxy.counted).toEqual(["header late"]);
    expect(idle.received().length).toBe(0);
  });

  test("a balancer's checks are quiet: connect and close, connect and reset, a header and close", async () => {
    const { dial, proxy } = await start();
    (await dial()).socket.end();
    (await dial()).reset();
    const checked = await dial();
    checked.write(version2({ kind: 0x20, family: 0, addresses: Buffer.alloc(0) }));
    checked.socket.end();
    await checked.closed();
    const { write, response } = await dial();
    write(line);
    write(get("/cart/1"));
    expect((await response()).status).toBe(200);
    await until("the end of the others", () => proxy.clients() === 1);
    expect(proxy.counted).toEqual(["legacy ok"]);
  });

  test("what is too many is closed and counted before its header is read, and so is what waits for one", async () => {
    const { dial, proxy } = await start({ maxConnections: 2 });
    await dial();
    await dial();
    const third = await dial();
    await third.closed();
    expect(proxy.counted).toEqual(["connection refused"]);
  });

  test("a stop does not wait for headers that do not come", async () => {
    const { dial, proxy } = await start();
    const { write, closed } = await dial();
    write("PROXY TC");
    await proxy.server.close(20, 10);
    await closed();
  });
});

describe("in front of TLS", () => {
  function introduced(port: number, header: Buffer | string): Promise<Socket> {
    const socket = connect(port, "127.0.0.1");
    cleanups.push(() => void socket.destroy());
    socket.write(header);
    return once(socket, "connect").then(() => socket);
  }
  const over = (socket: Socket, protocol: string) =>
    connectTls({ socket, servername: "localhost", ca: authority.caPem, ALPNProtocols: [protocol] });

  test.each([
    ["version 1", Buffer.from(line)],
    ["version 2", version2({})],
  ])("%s: HTTP/1.1 and HTTP/2", async (_, header) => {
    const { proxy, told } = await start({ tls: pair });
    const secure = over(await introduced(proxy.port, header), "http/1.1");
    secure.write(get("/cart/1"));
    expect(String((await once(secure, "data"))[0])).toContain("200 OK");
    const under = over(await introduced(proxy.port, header), "h2");
    const session = connectHttp2("https://localhost", { createConnection: () => under });
    cleanups.push(() => session.destroy());
    for (const path of ["/cart/2", "/cart/3"]) {
      const stream = session.request({ ":path": path });
      expect((await once(stream, "response"))[0][":status"]).toBe(200);
      stream.resume();
    }
    expect(told()).toEqual([client, client, client]);
  });

  test("a handshake without a header is missing it", async () => {
    const { proxy } = await start({ tls: pair });
    const socket = over(connect(proxy.port, "127.0.0.1"), "h2");
    await expect(once(socket, "secureConnect")).rejects.toThrow();
    await until("its count", () => proxy.counted.includes("header missing"));
  });
});

describe.skipIf(!isInstalled("haproxy"))("behind HAProxy", () => {
  test.each([
    ["send-proxy", "tcp"],
    ["send-proxy-v2", "tcp"],
    ["send-proxy-v2-ssl proxy-v2-options unique-id,crc32c", "tcp"],
    ["send-proxy", "http"],
    ["send-proxy-v2 check check-send-proxy inter 50ms", "tcp"],
  ])("%s in mode %s: the client's address is told", async (words, mode) => {
    const { proxy, told } = await start();
    const haproxy = await startProgram(
      "haproxy",
      1,
      (_, [port]) => `
global
  maxconn 100
defaults
  mode ${mode}
  timeout connect 2s
  timeout client 10s
  timeout server 10s
listen l
  bind 127.0.0.1:${port}
  unique-id-format %ci-%ts
  server s 127.0.0.1:${proxy.port} source 127.0.0.1 ${words}
`,
    );
    cleanups.push(() => haproxy.close());
    // Another loopback address than HAProxy's own, which it must hand on.
    const socket = connect({
      port: Number(haproxy.urls[0]?.port),
      host: "127.0.0.1",
      localAddress: "127.0.0.9",
    });
    cleanups.push(() => void socket.destroy());
    socket.write(get("/cart/1"));
    expect(String((await once(socket, "data"))[0])).toContain("200 OK");
    expect(told()).toEqual(["127.0.0.9"]);
    expect(proxy.counted.filter((what) => what !== "legacy ok")).toEqual([]);
  });
});
