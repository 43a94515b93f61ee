/** A connection read without a stream: what undici relies on, and that connections share a buffer and nothing else. */
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { portOf } from "../../../../../src/proxy/listen/server.ts";
import { connectDirect } from "../../../../../src/proxy/upstream/undici/connections.ts";
import { settled, until } from "../../../../support/until.ts";

interface Pair {
  readonly upstream: Socket;
  readonly socket: Socket;
}

let server: Server;
const pairs: Pair[] = [];

async function open(): Promise<Pair> {
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const socket = connectDirect({ host: "127.0.0.1", port: portOf(server.address()) });
  const pair = { upstream: await accepted, socket };
  pairs.push(pair);
  return pair;
}

beforeEach(async () => {
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  for (const { socket, upstream } of pairs.splice(0)) {
    socket.destroy();
    upstream.destroy();
  }
  await new Promise((resolve) => server.close(resolve));
});

test("what was read stays as it was when other connections are read", async () => {
  const all: Buffer[][] = [];
  for (const letter of ["a", "b", "c"]) {
    const { socket, upstream } = await open();
    const chunks: Buffer[] = [];
    all.push(chunks);
    socket.on("readable", () => {
      for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read())
        chunks.push(chunk);
    });
    upstream.write(letter.repeat(100_000));
    upstream.write(letter);
  }
  const texts = () => all.map((chunks) => Buffer.concat(chunks).toString());
  await until("all of it", () => texts().every((text) => text.length === 100_001));
  expect(texts()).toEqual(["a", "b", "c"].map((letter) => letter.repeat(100_001)));
});

test("what is given back is next, and the end waits for it", async () => {
  const { socket, upstream } = await open();
  const events: string[] = [];
  socket.once("readable", () => {
    const chunk: unknown = socket.read();
    if (!Buffer.isBuffer(chunk)) throw new Error("nothing to read");
    socket.unshift(chunk.subarray(3));
    events.push(chunk.subarray(0, 3).toString());
  });
  socket.on("end", () => events.push("end"));
  upstream.end("onetwo");
  await until("the first half", () => events.length > 0);
  await settled(() => events.length);
  expect(events).toEqual(["one"]);

  events.push(`${socket.read()}`);
  expect(socket.read()).toBe(null);
  await until("the end", () => events.includes("end"));
  expect(events).toEqual(["one", "two", "end"]);
});

test("nothing is read while something waits, and all of it afterwards", async () => {
  const { socket, upstream } = await open();
  upstream.write(Buffer.alloc(8 * 1024 * 1024, "x"));
  await until("the first packet", () => socket.bytesRead > 0);
  expect(await settled(() => socket.bytesRead)).toBeLessThanOrEqual(64 * 1024);

  let received = 0;
  const take = () => {
    for (let chunk: unknown = socket.read(); Buffer.isBuffer(chunk); chunk = socket.read())
      received += chunk.length;
  };
  socket.on("readable", take);
  take();
  await until("all of it", () => received === 8 * 1024 * 1024);
});
