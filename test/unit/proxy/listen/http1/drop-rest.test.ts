import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dropRest } from "../../../../../src/proxy/listen/http1/drop-rest.ts";
import { until } from "../../../../support/until.ts";

const open: (() => void)[] = [];
beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => {
  vi.useRealTimers();
  for (const close of open.splice(0)) close();
});

/**
 * A client whose upload was answered at its head, with the close of its connection.
 *
 * @param octets of the answer
 */
async function answered(octets = 0) {
  let accepted: Socket | undefined;
  const server = createServer((_request, response) => {
    response.shouldKeepAlive = false;
    response.writeHead(413, { "content-length": octets, connection: "close" });
    dropRest(response);
    response.end(Buffer.alloc(octets));
  });
  server.on("connection", (socket) => {
    accepted = socket;
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  client.on("error", () => {});
  open.push(
    () => server.close(),
    () => client.destroy(),
  );
  client.write("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 100000000\r\n\r\n");
  await once(client, "data");
  return {
    client,
    taken: () => accepted?.bytesRead ?? 0,
    isOpen: () => accepted?.destroyed === false,
    closings: () => accepted?.listenerCount("finish") ?? 0,
  };
}

async function send(client: Socket, octets: number, taken: () => number): Promise<void> {
  const before = taken();
  client.write(Buffer.alloc(octets, "x"));
  await until("it is taken", () => taken() >= before + octets, 2000);
}

test("who goes on to upload after its answer is heard out, for thirty seconds at most", async () => {
  const { client, taken, isOpen } = await answered();
  for (let second = 1; second < 30; second++) {
    await send(client, 65_536, taken);
    vi.advanceTimersByTime(1000);
    expect(isOpen(), `after ${second} s`).toBe(true);
  }
  await send(client, 65_536, taken);
  vi.advanceTimersByTime(1000);
  await until("it is closed", () => !isOpen(), 2000);
});

test("who sends too little of an upload after its answer is closed after a second", async () => {
  const { client, taken, isOpen } = await answered();
  await send(client, 65_535, taken);
  vi.advanceTimersByTime(999);
  expect(isOpen()).toBe(true);
  vi.advanceTimersByTime(1);
  await until("it is closed", () => !isOpen(), 2000);
});

test("who reads nothing of its answer has its connection ended once, however long it stays", async () => {
  const { client, closings } = await answered(32 * 1024 * 1024);
  client.pause();
  vi.advanceTimersByTime(1000);
  const once = closings();
  expect(once).toBeGreaterThan(0);
  vi.advanceTimersByTime(100_000);
  expect(closings()).toBe(once);
});
