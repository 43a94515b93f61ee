/**
 * A shop that answers its failures with a 200, and one that hangs: what clients of HTTP/1.1 and HTTP/2 receive is what was
 * sent, byte for byte and as it comes, and what is counted is that the side has failed.
 */

import { randomBytes } from "node:crypto";
import { connect, constants } from "node:http2";
import { Agent, request as requestByTls } from "node:https";
import { describe, expect, test } from "vitest";
import { engineNames, startProxy } from "../../support/proxy.ts";
import { type Script, startRawUpstream } from "../../support/raw-upstream.ts";
import { secured } from "../../support/secured.ts";
import { until } from "../../support/until.ts";

const { authority, pair, cleanups } = secured();

type Version = "1.1" | "2";

interface Sent {
  readonly received: () => Buffer;
  readonly over: () => boolean;
  leave(): void;
}

function send(version: Version, port: number): Sent {
  const chunks: Buffer[] = [];
  let isOver = false;
  const received = () => Buffer.concat(chunks);
  const onData = (chunk: Buffer) => chunks.push(chunk);
  const onEnd = () => {
    isOver = true;
  };
  if (version === "1.1") {
    const agent = new Agent({ ca: authority.caPem, servername: "localhost" });
    const client = requestByTls({ port, path: "/cart/1", method: "POST", agent }, (answer) =>
      answer.on("data", onData).on("end", onEnd),
    );
    client.on("error", () => {}).end();
    cleanups.push(() => agent.destroy());
    return { received, over: () => isOver, leave: () => client.destroy() };
  }
  const session = connect(`https://localhost:${port}`, { ca: authority.caPem });
  session.on("error", () => {});
  cleanups.push(() => session.destroy());
  const stream = session.request({ ":path": "/cart/1", ":method": "POST" }, { endStream: true });
  stream
    .on("error", () => {})
    .on("data", onData)
    .on("end", onEnd);
  return { received, over: () => isOver, leave: () => stream.close(constants.NGHTTP2_CANCEL) };
}

const failure = { json: ["/errors/0", "/data/*/errorCode"] };
const cutover = { owners: [], routes: [{ name: "cart", path: "/cart/*", failure }] };

async function start(engine: (typeof engineNames)[number], script: Script) {
  const raw = await startRawUpstream(script);
  cleanups.push(() => raw.close());
  const proxy = await startProxy({ old: { url: raw.url.origin }, tls: pair, engine, cutover });
  cleanups.push(() => proxy.close());
  return { raw, proxy };
}

const piece = (bytes: string | Buffer) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), Buffer.from(bytes), Buffer.from("\r\n")]);
const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
const cases = engineNames.flatMap((engine) =>
  (["1.1", "2"] as const).map((version) => [engine, version] as const),
);

describe.each(cases)("by %s, to a client of HTTP/%s", (engine, version) => {
  test("an error under a 200 has passed before it is known to be one, and counts as failed", async () => {
    let goOn = () => {};
    const { proxy } = await start(engine, (connection) =>
      connection.onRequest(() => {
        connection.write(head);
        connection.write(piece('{"data":[{"errorCode":'));
        goOn = () => connection.write(Buffer.concat([piece('"E7"}]}'), Buffer.from("0\r\n\r\n")]));
      }),
    );
    const client = send(version, proxy.port);
    await until("the first part", () => client.received().length === 22);
    goOn();
    await until("the end", () => client.over() && proxy.counted.length > 0);
    expect(client.received().toString()).toBe('{"data":[{"errorCode":"E7"}]}');
    expect(proxy.counted).toEqual(["legacy failed"]);
    expect(proxy.entries).toMatchObject([{ outcome: "failed", code: "failed", status: 200 }]);
  });

  test("an answer of 4 MiB passes byte for byte, and goes by its status", async () => {
    const body = Buffer.from(`{"errors":[1],"more":"${randomBytes(2 << 20).toString("hex")}"}`);
    const { proxy } = await start(engine, (connection) =>
      connection.onRequest(() => {
        connection.write(head);
        for (let at = 0; at < body.length; at += 100_000)
          connection.write(piece(body.subarray(at, at + 100_000)));
        connection.write("0\r\n\r\n");
      }),
    );
    const client = send(version, proxy.port);
    await until("the end", () => client.over() && proxy.counted.length > 1, 20_000);
    expect(client.received().equals(body)).toBe(true);
    expect(proxy.counted).toEqual(["unread answer legacy too_large", "legacy ok"]);
  });

  test("a client that leaves a side that hangs has given up on it, and the upstream is let go", async () => {
    const { raw, proxy } = await start(engine, () => {});
    const client = send(version, proxy.port);
    await until("it arrives", () => raw.requests().length === 1);
    proxy.time.ms += 8000;
    client.leave();
    await until("it is over", () => proxy.counted.length > 0);
    expect(proxy.counted).toEqual(["legacy gave_up"]);
    await until("the upstream is closed", () => raw.connections[0]?.closedBy() !== "open");
  });
});
