/** HTTP/2 on the proxy's listener, through the whole data plane (RFC 9113). */
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import { describe, expect, test } from "vitest";
import { engineNames, type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { type Script, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

interface Answered {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly interims: Readonly<Record<string, unknown>>[];
  readonly trailers: Readonly<Record<string, unknown>> | undefined;
  readonly body: Buffer;
  /** The code of the stream's end; 0 for a clean one. */
  readonly code: number;
}

async function start(script: Script, options: Omit<ProxyOptions, "old" | "tls"> = {}) {
  const raw = await startRawUpstream(script);
  cleanups.push(() => raw.close());
  const proxy = await startProxy({ old: { url: raw.url.origin }, tls: pair, ...options });
  cleanups.push(() => proxy.close());
  const session = (): ClientHttp2Session => {
    const made = connect(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    made.on("error", () => {});
    cleanups.push(() => made.destroy());
    return made;
  };
  return { raw, proxy, session };
}

function send(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Buffer) {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const interims: Readonly<Record<string, unknown>>[] = [];
  const chunks: Buffer[] = [];
  let answer: Readonly<Record<string, unknown>> = {};
  let trailers: Readonly<Record<string, unknown>> | undefined;
  stream.on("headers", (got) => interims.push({ ...got }));
  stream.on("response", (got) => {
    answer = { ...got };
  });
  stream.on("trailers", (got) => {
    trailers = { ...got };
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {});
  const over = new Promise<Answered>((resolve) => {
    stream.on("close", () =>
      resolve({
        headers: answer,
        interims,
        trailers,
        body: Buffer.concat(chunks),
        code: stream.rstCode ?? 0,
      }),
    );
  });
  return { stream, over, received: () => chunks.length };
}

const ok: Script = (connection) =>
  connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));

const valueIn = (request: { readonly fields: readonly string[] } | undefined, name: string) =>
  valuesOf(request?.fields ?? [], name);

describe.each(engineNames)("by %s", (engine) => {
  test("a request goes on as HTTP/1.1 and tells of the way (RFC 9110 §7.6)", async () => {
    const { raw, proxy, session } = await start(ok, { engine });
    const { over } = send(session(), {
      ":path": "/cart/1?a=b",
      "x-shopper-id": "a",
      "X-Mixed": "v",
      te: "trailers",
    });
    const answer = await over;
    expect(answer.headers).toMatchObject({ ":status": 200, "content-length": "2", via: "1.1 cutover-test" });
    expect(answer.headers).not.toHaveProperty("connection");
    expect(answer.body.toString()).toBe("ok");
    const [request] = raw.requests();
    expect(request?.line).toBe("GET /cart/1?a=b HTTP/1.1");
    expect(valueIn(request, "host")).toEqual([`localhost:${proxy.port}`]);
    expect(valueIn(request, "via")).toEqual(["2 cutover-test"]);
    expect(valueIn(request, "x-forwarded-proto")).toEqual(["https"]);
    expect(valueIn(request, "forwarded")[0]).toContain("proto=https");
    expect(valueIn(request, "te")).toEqual([]);
    expect(
      request?.fields.filter((_, index) => index % 2 === 0 && request.fields[index]?.startsWith(":")),
    ).toEqual([]);
    expect(request?.framing).toBe("none");
    expect(proxy.counted).toEqual(["legacy ok"]);
  });

  test("a body of declared length goes sized, one of none chunked, one of no octets is no body", async () => {
    const { raw, session } = await start(ok, { engine });
    const client = session();
    await send(client, { ":method": "POST", ":path": "/a", "content-length": 5 }, "12345").over;
    await send(client, { ":method": "POST", ":path": "/b" }, "abc").over;
    await send(client, { ":method": "POST", ":path": "/c" }).over;
    await send(client, { ":method": "GET", ":path": "/d" }, "in a GET").over;
    expect(raw.requests().map(({ framing, body }) => `${framing} ${body}`)).toEqual([
      "sized 12345",
      "chunked abc",
      expect.stringMatching(/^(none|sized) $/),
      "chunked in a GET",
    ]);
  });

  test("bodies both ways, octet for octet, under flow control", async () => {
    const { raw, session } = await start(
      (connection) =>
        connection.onRequest(({ body }) => {
          connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
          connection.write(body);
        }),
      { engine },
    );
    const body = Buffer.alloc(3 << 20);
    for (let i = 0; i < body.length; i += 1) body[i] = (i * 31 + (i >> 8)) & 255;
    const answer = await send(session(), { ":method": "PUT", ":path": "/x" }, body).over;
    expect(answer.code).toBe(0);
    expect(answer.body.equals(body)).toBe(true);
    expect(raw.requests()[0]?.body.equals(body)).toBe(true);
  });

  test("103, trailers and repeated fields are passed on (RFC 9110 §15.2, §6.5)", async () => {
    const { session } = await start(
      (connection) =>
        connection.onRequest(() => {
          connection.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
          connection.write(
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Content-Type-Options: nosniff\r\nX-Content-Type-Options: nosniff\r\nVary: a\r\nVary: b\r\nX-Latin: caf\xe9\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
          );
        }),
      { engine },
    );
    const answer = await send(session(), { ":path": "/x" }).over;
    expect(answer.interims).toEqual([
      expect.objectContaining({ ":status": 103, link: "</a.css>; rel=preload" }),
    ]);
    expect(answer.headers).toMatchObject({
      "set-cookie": ["a=1", "b=2"],
      "x-content-type-options": "nosniff, nosniff",
      vary: "a, b",
      "x-latin": "caf\xe9",
    });
    expect(answer.headers).not.toHaveProperty("transfer-encoding");
    expect(answer.headers).not.toHaveProperty("trailer");
    expect(answer.body.toString()).toBe("ok");
    expect(answer.trailers).toMatchObject({ "x-sum": "7" });
  });

  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", { ":status": 200, "content-length": "99" }],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n", { ":status": 204 }],
    [
      "GET",
      'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 99\r\n\r\n',
      { ":status": 304, etag: '"a"', "content-length": "99" },
    ],
    ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", { ":status": 200, "content-length": "0" }],
  ])("%s %j has no body", async (method, head, headers) => {
    const { session } = await start((connection) => connection.onRequest(() => connection.write(head)), {
      engine,
    });
    const client = session();
    for (let i = 0; i < 2; i += 1) {
      const answer = await send(client, { ":method": method, ":path": "/x" }).over;
      expect(answer.headers).toMatchObject(headers);
      expect(answer).toMatchObject({ code: 0 });
      expect(answer.body).toHaveLength(0);
    }
  });

  test("an upstream's body cut short ends the stream with an error, never cleanly", async () => {
    const { proxy, session } = await start(
      (connection) =>
        connection.onRequest(() => {
          connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
          connection.socket.end();
        }),
      { engine },
    );
    const answer = await send(session(), { ":path": "/x" }).over;
    expect(answer.headers[":status"]).toBe(200);
    expect(answer.code).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect(proxy.counted).toEqual(["none reset"]);
  });

  test.each([
    ["while the upstream thinks", ""],
    ["during the answer's body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"],
  ])(
    "a stream the client resets %s frees the upstream within 100 ms; the session goes on",
    async (_, bytes) => {
      const { raw, proxy, session } = await start(
        (connection) => connection.onRequest(() => connection.write(bytes)),
        { engine },
      );
      const client = session();
      const { stream, over, received } = send(client, { ":path": "/x" });
      await until("it arrives", () => raw.requests().length === 1);
      if (bytes !== "") await until("some of the body comes", () => received() > 0);
      stream.close(constants.NGHTTP2_CANCEL);
      await over;
      await until("the upstream is closed", () => raw.connections[0]?.closedBy() !== "open", 100);
      expect(proxy.counted).toEqual(["none client_aborted"]);
      expect(client.closed).toBe(false);
    },
  );

  test("a client that leaves in the middle of its upload frees the upstream", async () => {
    const { raw, proxy, session } = await start(() => {}, { engine });
    const client = session();
    const stream = client.request({ ":method": "POST", ":path": "/x" });
    stream.on("error", () => {});
    stream.write("abc");
    await until("it arrives", () => (raw.connections[0]?.received().length ?? 0) > 0);
    client.destroy();
    await until("the upstream is closed", () => raw.connections[0]?.closedBy() !== "open", 200);
    expect(proxy.counted).toEqual(["none client_aborted"]);
  });
});

test("a namesake in a crumb before the journey's cookie hides it from nobody", async () => {
  const { raw, proxy, session } = await start(ok, { state: { percentThousandths: 100_000 } });
  const client = session();
  const first = await send(client, { ":path": "/checkout", ":method": "POST", "x-shopper-id": "a" }, "{}")
    .over;
  const cookie = String(first.headers["set-cookie"]).split(";")[0] ?? "";
  expect(cookie).toMatch(/^cutover_journey=1\.n\./);
  proxy.set({ percentThousandths: 0 });
  const crumbs = ["cutover_journey=theirs", "b=2", cookie];
  await send(client, { ":path": "/cart/1", "x-shopper-id": "a", cookie: crumbs }).over;
  expect(proxy.decisions).toEqual(["new bucket", "new journey"]);
  expect(valueIn(raw.requests()[1], "cookie")).toEqual(["cutover_journey=theirs; b=2"]);
});

test("cookie crumbs are one field again (RFC 9113 §8.2.3) without the page's, and the journey's cookie is Secure", async () => {
  const { raw, session } = await start(ok);
  const client = session();
  const answer = await send(client, {
    ":method": "POST",
    ":path": "/checkout",
    // A session of the admin API's page is no shop's business: page-cookies.test.ts.
    cookie: ["sid=a", "__Secure-cutover_session=x", "b=2", "cutover_session=x", "c=3"],
  }).over;
  expect(valueIn(raw.requests()[0], "cookie")).toEqual(["sid=a; b=2; c=3"]);
  expect(String(answer.headers["set-cookie"])).toMatch(/^cutover_journey=.*; Secure$/);
});

describe(":authority and Host (RFC 9113 §8.3.1)", () => {
  const host = (index: number, raw: Awaited<ReturnType<typeof start>>["raw"]) =>
    valueIn(raw.requests()[index], "host");

  test("the same is one, Host alone counts, another is refused", async () => {
    const { raw, proxy, session } = await start(ok);
    const client = session();
    await send(client, { ":path": "/x", ":authority": "shop.example", host: "shop.example" }).over;
    await send(client, { ":path": "/x", ":authority": "", host: "only.example" }).over;
    expect(host(0, raw)).toEqual(["shop.example"]);
    const refused = await send(client, { ":path": "/x", ":authority": "a.example", host: "b.example" }).over;
    expect(refused.headers).toMatchObject({ ":status": 400, "content-type": "application/problem+json" });
    expect(refused.headers).not.toHaveProperty("connection");
    expect(proxy.counted.at(-1)).toBe("none rejected");
    expect(client.closed).toBe(false);
  });

  test("user information is refused", async () => {
    const { raw, session } = await start(ok);
    const answer = await send(session(), { ":path": "/x", ":authority": "u@shop.example" }).over;
    expect([400, undefined]).toContain(answer.headers[":status"]);
    expect(raw.requests()).toEqual([]);
  });
});

describe("what is refused", () => {
  test.each([
    ["CONNECT", { ":method": "CONNECT", ":authority": "shop.example:443" }, 405],
    ["TRACE", { ":method": "TRACE", ":path": "/x" }, 405],
    ["a path that is ambiguous", { ":path": "/cart/../x" }, 400],
    ["a path with a fragment", { ":path": "/x#y" }, 400],
    ["an expectation other than 100-continue", { ":method": "POST", ":path": "/x", expect: "a-pony" }, 417],
    ["a head over 16 KiB", { ":path": "/x", "x-large": "a".repeat(20_000) }, 431],
  ])("%s", async (_, headers, status) => {
    const { raw, proxy, session } = await start(ok);
    const client = session();
    const answer = await send(client, headers).over;
    expect(answer.headers[":status"]).toBe(status);
    expect(raw.requests()).toEqual([]);
    expect(proxy.counted).toHaveLength(1);
    expect((await send(client, { ":path": "/x" }).over).headers[":status"]).toBe(200);
  });

  test("heads and targets that are too large by the configuration, and none that are not", async () => {
    const { raw, session } = await start(ok, { limits: { head: "48KiB", target: "40KiB" } });
    const client = session();
    const status = async (headers: OutgoingHttpHeaders) =>
      (await send(client, headers).over).headers[":status"];
    expect(await status({ ":path": "/x", "x-large": "a".repeat(45_000) })).toBe(200);
    expect(await status({ ":path": `/${"a".repeat(40_959)}` })).toBe(200);
    expect(await status({ ":path": `/${"a".repeat(40_960)}` })).toBe(414);
    expect(await status({ ":path": "/x", "x-a": "a".repeat(25_000), "x-b": "a".repeat(25_000) })).toBe(431);
    expect(raw.requests()).toHaveLength(2);
  });

  test.each([
    ["Connection", { connection: "close" }],
    ["Keep-Alive", { "keep-alive": "5" }],
    ["Transfer-Encoding", { "transfer-encoding": "chunked" }],
    ["Upgrade", { upgrade: "websocket" }],
    ["TE other than trailers", { te: "gzip" }],
  ])("a field of a connection: %s (RFC 9113 §8.2.2)", async (_, fields) => {
    const { raw, proxy } = await start(ok);
    const code = await rawRequest(proxy.port, { ":path": "/x", ...fields });
    expect(code).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
    expect(raw.requests()).toEqual([]);
  });

  test("a body shorter or longer than declared (RFC 9113 §8.1.1)", async () => {
    const { raw, proxy, session } = await start(ok);
    const short = await send(session(), { ":method": "POST", ":path": "/x", "content-length": 9 }, "abc")
      .over;
    const long = await send(session(), { ":method": "POST", ":path": "/x", "content-length": 2 }, "abc").over;
    expect([short.code, long.code]).toEqual([1, 1]);
    expect(raw.requests()).toEqual([]);
    await until("both are counted", () => proxy.entries.length === 2);
    expect(proxy.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  });
});

test("Expect: 100-continue is answered once the body is wanted (RFC 9110 §10.1.1)", async () => {
  const { raw, session } = await start(ok);
  const { stream, over } = send(
    session(),
    { ":method": "POST", ":path": "/x", expect: "100-continue" },
    "abc",
  );
  const asked = new Promise((resolve) => stream.once("continue", resolve));
  expect((await over).headers[":status"]).toBe(200);
  await asked;
  expect(raw.requests()[0]?.body.toString()).toBe("abc");
  expect(valueIn(raw.requests()[0], "expect")).toEqual([]);
});

test("an answer before the request's end is whole, and the rest of the request is let go (RFC 9113 §8.1)", async () => {
  const { raw, session } = await start((connection) => {
    connection.socket.once("data", () =>
      connection.write("HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno"),
    );
  });
  const client = session();
  const stream = client.request({ ":method": "POST", ":path": "/x" });
  stream.on("error", () => {});
  let status: unknown;
  let body = "";
  stream.on("response", (headers) => {
    status = headers[":status"];
  });
  stream.on("data", (chunk: Buffer) => {
    body += chunk;
  });
  stream.write("some of it");
  await new Promise((resolve) => stream.once("close", resolve));
  expect([status, body, stream.rstCode]).toEqual([413, "no", 0]);
  await until("the upstream is closed", () => raw.connections[0]?.closedBy() !== "open");
});

test("a reader that grants no window holds the upstream off, and loses nothing", async () => {
  const size = 24 << 20;
  const { raw, session } = await start((connection) =>
    connection.onRequest(() => {
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      connection.write(Buffer.alloc(size, "b"));
    }),
  );
  const stream = session().request({ ":path": "/x" });
  await new Promise((resolve) => stream.once("response", resolve));
  await until("the upstream is held off", () => (raw.connections[0]?.socket.writableLength ?? 0) > size / 4);
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    length += chunk.length;
  });
  await new Promise((resolve) => stream.once("close", resolve));
  expect(length).toBe(size);
});

/** A head that node:http2's own client would not send. @returns the code its stream ends with */
async function rawRequest(port: number, headers: Readonly<Record<string, string>>): Promise<number> {
  const { rawFrames } = await import("../../support/h2-frames.ts");
  const client = await rawFrames(port, authority.caPem);
  cleanups.push(() => client.close());
  client.headers(1, { ":method": "GET", ":scheme": "https", ":authority": "localhost", ...headers }, true);
  await until("the stream is reset", () => client.resets.has(1));
  return client.resets.get(1) ?? -1;
}
