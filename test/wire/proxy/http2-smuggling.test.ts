/**
 * What is only octets in HTTP/2 is syntax in HTTP/1.1: a line end in a value, a space in a method, a second length.
 * Written down as it came, one request would be two (request smuggling by downgrade; J. Kettle, "HTTP/2: The Sequel is
 * Always Worse", 2021). RFC 9113 §8.2.1, §10.3: each is refused, and the upstream sees nothing of it. Of fields whose
 * name or value can be none, nghttp2 refuses the field and not the request: it goes on without.
 */
import { describe, expect, test } from "vitest";
import { rawFrames } from "../../support/h2-frames.ts";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { startRawUpstream } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

const pseudo = [":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/x"];
const but = (name: string, value: string) => {
  const at = pseudo.indexOf(name);
  return [...pseudo.slice(0, at + 1), value, ...pseudo.slice(at + 2)];
};

const leftOut: readonly (readonly [string, readonly string[]])[] = [
  ["a line end in a value", [...pseudo, "x-a", "b\r\nTransfer-Encoding: chunked"]],
  ["a bare LF in a value", [...pseudo, "x-a", "b\nTransfer-Encoding: chunked"]],
  ["a bare CR in a value", [...pseudo, "x-a", "b\rTransfer-Encoding: chunked"]],
  ["a NUL in a value", [...pseudo, "x-a", "b\0c"]],
  ["a line end in a name", [...pseudo, "x-a: b\r\ntransfer-encoding", "chunked"]],
  ["a colon in a name", [...pseudo, "transfer-encoding: chunked", "x"]],
  ["a space in a name", [...pseudo, "transfer-encoding ", "chunked"]],
  ["an empty name", [...pseudo, "", "x"]],
];

/** nghttp2 of Node 20 to 24 leaves the field out, that of Node 26 refuses the request: the upstream is as safe. */
const eitherWay = ["a length with a space", [...pseudo, "content-length", " 3"]] as const;

const refused: readonly (readonly [string, readonly string[]])[] = [
  ["a name in capitals", [...pseudo, "Transfer-Encoding", "chunked"]],
  ["transfer-encoding", [...pseudo, "transfer-encoding", "chunked"]],
  ["a request line in the method", but(":method", "GET /admin HTTP/1.1\r\nHost: evil\r\n\r\nPOST")],
  ["a space in the method", but(":method", "GET /admin HTTP/1.1")],
  ["an empty method", but(":method", "")],
  ["a line end in the path", but(":path", "/x HTTP/1.1\r\nHost: evil\r\n\r\nGET /admin")],
  ["a space in the path", but(":path", "/x HTTP/1.1")],
  ["a tab in the path", but(":path", "/x\tHTTP/1.1")],
  ["a byte above ASCII in the path", but(":path", "/caf\xe9")],
  ["an empty path", but(":path", "")],
  ["an absolute path of another scheme", but(":path", "ftp://evil/x")],
  ["a line end in the authority", but(":authority", "localhost\r\nX-Evil: 1")],
  ["a space in the authority", but(":authority", "local host")],
  ["a path in the authority", but(":authority", "localhost/evil")],
  ["a line end in the scheme", but(":scheme", "https\r\nX-Evil: 1")],
  ["a pseudo-field behind the fields", ["x-a", "b", ...pseudo]],
  ["an unknown pseudo-field", [...pseudo, ":evil", "1"]],
  ["a pseudo-field twice", [...pseudo, ":path", "/admin"]],
  ["no method", pseudo.slice(2)],
  ["no path", pseudo.slice(0, 6)],
  ["two lengths", [...pseudo, "content-length", "3", "content-length", "4"]],
  ["a length that is a list", [...pseudo, "content-length", "3, 3"]],
  ["a length with a sign", [...pseudo, "content-length", "+3"]],
];

describe.each(engineNames)("by %s", (engine) => {
  async function send(fields: readonly string[]) {
    const raw = await startRawUpstream((connection) =>
      connection.onRequest(() => connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
    );
    const proxy = await startProxy({ engine, old: { url: raw.url.origin }, tls: pair });
    const client = await rawFrames(proxy.port, authority.caPem);
    cleanups.push(
      () => raw.close(),
      () => proxy.close(),
      () => client.close(),
    );
    client.list(1, fields);
    client.frame("data", 1, 1, Buffer.from("GET"));
    const isOver = () => client.closed() || client.goaways.length > 0;
    await until("it is over", () => client.resets.has(1) || client.answered.has(1) || isOver());
    if (!isOver()) {
      client.list(3, pseudo, true);
      await until("the next is answered", () => client.answered.has(3));
    }
    await until("none is in flight", () => proxy.inFlight.none === 0);
    expect(proxy.faults).toEqual([]);
    for (const connection of raw.connections) expect(connection.unread()).toHaveLength(0);
    return { raw, proxy };
  }

  test.each(refused)("refused: %s", async (_, fields) => {
    const { raw, proxy } = await send(fields);
    expect(raw.requests().filter(({ body }) => body.length > 0)).toEqual([]);
    for (const connection of raw.connections) {
      expect(connection.received().toString("latin1")).not.toMatch(/evil|admin|chunked/i);
    }
    const counts = /^(none ok|none rejected|none client_aborted|refused \d+)$/;
    expect(proxy.counted.filter((what) => !counts.test(what))).toEqual([]);
  });

  test.each(leftOut)("left out: %s", async (_, fields) => {
    const { raw, proxy } = await send(fields);
    expect(raw.requests().map(({ line, body }) => `${line} ${body}`)).toEqual([
      "POST /x HTTP/1.1 GET",
      "POST /x HTTP/1.1 ",
    ]);
    const [request] = raw.requests();
    expect(request?.framing).toBe("chunked");
    expect(request?.fields.join("\n")).not.toMatch(/^(?:x-a|content-length)/im);
    expect(proxy.counted).toEqual(["none ok", "none ok"]);
  });

  test(`left out, or the request refused: ${eitherWay[0]}`, async () => {
    const { raw } = await send(eitherWay[1]);
    const [request] = raw.requests().filter(({ body }) => body.length > 0);
    if (request === undefined) return expect(raw.requests().length).toBeLessThanOrEqual(1);
    expect(request.framing).toBe("chunked");
    expect(request.fields.join("\n")).not.toMatch(/content-length/i);
    expect(request.body.toString()).toBe("GET");
  });
});
