/** Files that one side has and the other has not, on sockets: by both engines, to HTTP/1.1 and HTTP/2. */
import { connect as connectHttp2 } from "node:http2";
import { describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { answering, startRawUpstream, valuesOf } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";
import { connectRaw } from "../../support/wire-client.ts";

const { authority, pair, cleanups } = secured();

const sized = (status: string, body: string, ...fields: string[]) =>
  [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${Buffer.byteLength(body)}`, "", body].join("\r\n");

type Answers = readonly string[];

async function start(
  engine: (typeof engineNames)[number],
  ofOld: Answers,
  ofFresh: Answers,
  isSecure = false,
) {
  const [old, fresh] = [
    await startRawUpstream(answering(...ofOld)),
    await startRawUpstream(answering(...ofFresh)),
  ];
  const proxy = await startProxy({
    engine,
    old: { url: old.url.origin },
    fresh: { url: fresh.url.origin },
    cutover: { routes: [{ name: "files", path: "/assets/*", orElse: "other" }] },
    ...(isSecure ? { tls: pair } : {}),
  });
  cleanups.push(
    () => old.close(),
    () => fresh.close(),
    () => proxy.close(),
  );
  return { proxy, old, fresh };
}

const asked = (...fields: string[]) =>
  ["GET /assets/a.js HTTP/1.1", "Host: shop.example", "X-Shopper-Id: ana", ...fields, "", ""].join("\r\n");

describe.each(engineNames)("by %s", (engine) => {
  test("what the other side has is the answer, and both connections are kept", async () => {
    const missing = sized("404 Not Found", "no", "Set-Cookie: a=1");
    const found = sized("200 OK", "js", "Set-Cookie: b=1", "Content-Type: text/javascript");
    const { proxy, old, fresh } = await start(engine, [missing, missing], [found, found]);
    const client = await connectRaw(`http://127.0.0.1:${proxy.port}`);
    for (let turn = 0; turn < 2; turn += 1) {
      client.write(asked("Cookie: sid=1", "Authorization: Bearer secret"));
      const { status, fields, body } = await client.response();
      expect([status, body.toString()]).toEqual([200, "js"]);
      expect(valuesOf(fields, "content-type")).toEqual(["text/javascript"]);
      expect(valuesOf(fields, "set-cookie")).toEqual([]);
      expect(valuesOf(fields, "via")).toEqual(["1.1 cutover-test"]);
    }
    const told = fresh.requests().map(({ fields }) => fields.join("\n"));
    expect(told).toHaveLength(2);
    expect(told.join()).not.toMatch(/sid=1|secret/);
    expect(valuesOf(old.requests()[0]?.fields ?? [], "cookie")).toEqual(["sid=1"]);
    expect([old.connections.length, fresh.connections.length]).toEqual([1, 1]);
    expect(proxy.counted).toEqual([
      ...["legacy ok", "found checkout new", "none ok"],
      ...["legacy ok", "found checkout new", "none ok"],
    ]);
    client.end();
  });

  test("a page of 404 that is longer than what is held comes whole where neither has it", async () => {
    const page = "x".repeat(6 << 20);
    const { proxy } = await start(
      engine,
      [sized("404 Not Found", page)],
      [sized("404 Not Found", page.toUpperCase())],
    );
    const client = await connectRaw(`http://127.0.0.1:${proxy.port}`);
    client.write(asked());
    const { status, body } = await client.response();
    expect([status, body.length, body.subarray(0, 1).toString()]).toEqual([404, page.length, "x"]);
    expect(proxy.counted).toEqual(["missed checkout new", "legacy ok"]);
    client.end();
  });

  test("to HTTP/2, GET and HEAD", async () => {
    const missing = sized("404 Not Found", "");
    const large = sized("200 OK", "y".repeat(3 << 20));
    const { proxy } = await start(
      engine,
      [missing, missing],
      [large, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"],
      true,
    );
    const session = connectHttp2(`https://localhost:${proxy.port}`, { ca: authority.caPem });
    cleanups.push(() => session.destroy());
    const ask = (method: string) =>
      new Promise<readonly unknown[]>((resolve) => {
        const stream = session.request({ ":method": method, ":path": "/assets/a.js", "x-shopper-id": "ana" });
        let octets = 0;
        let status: unknown;
        stream.on("response", (head) => {
          status = head[":status"];
        });
        stream.on("data", (chunk: Buffer) => {
          octets += chunk.length;
        });
        stream.on("close", () => resolve([status, octets]));
      });
    expect(await ask("GET")).toEqual([200, 3 << 20]);
    expect(await ask("HEAD")).toEqual([200, 0]);
  });

  test("a client that leaves while the other side is asked leaves nothing open there", async () => {
    const { proxy, fresh } = await start(engine, [sized("404 Not Found", "no")], []);
    const client = await connectRaw(`http://127.0.0.1:${proxy.port}`);
    client.write(asked());
    await until("the other side is asked", () => fresh.requests().length === 1);
    client.reset();
    await until("it is over", () => proxy.counted.includes("legacy client_aborted"));
    await until("nothing is open", () => fresh.connections.every(({ closedBy }) => closedBy() !== "open"));
    expect(proxy.inFlight).toEqual({ legacy: 0, new: 0, none: 0 });
  });
});
