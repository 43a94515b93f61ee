/** Attempts at the addresses of a host: when they begin, who wins, what is left. */
import { type AddressInfo, connect, createServer, type LookupFunction, Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connectToHost } from "../../../../src/base/dial/connect.ts";
import { until } from "../../../support/until.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** Attempts that nothing comes of before the test says so. */
let begun: { readonly to: string; readonly socket: Socket }[] = [];
beforeEach(() => {
  begun = [];
});

const finding =
  (...addresses: readonly string[]): LookupFunction =>
  (_name, _options, done) => {
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    done(
      addresses.length === 0 ? Object.assign(new Error("no such name"), { code: "ENOTFOUND" }) : null,
      found,
    );
  };

function attemptAt(...addresses: readonly string[]) {
  const told: unknown[] = [];
  const giveUp = connectToHost(
    {
      host: "shop.test",
      port: 80,
      lookup: finding(...addresses),
      connectTo({ host = "" }) {
        const socket = new Socket();
        begun.push({ to: host, socket });
        return socket;
      },
    },
    (error, socket) => told.push(error?.message ?? begun.find((one) => one.socket === socket)?.to),
  );
  return { told, giveUp, addresses: () => begun.map(({ to }) => to) };
}

test("attempts begin 250 ms apart, families in turn, and go on side by side", () => {
  vi.useFakeTimers();
  const { told, addresses } = attemptAt("::1", "::2", "::3", "10.0.0.1");
  expect(addresses()).toEqual(["::1"]);
  vi.advanceTimersByTime(249);
  expect(addresses()).toEqual(["::1"]);
  vi.advanceTimersByTime(1);
  expect(addresses()).toEqual(["::1", "10.0.0.1"]);
  vi.advanceTimersByTime(10_000);
  expect(addresses()).toEqual(["::1", "10.0.0.1", "::2", "::3"]);
  expect(begun.every(({ socket }) => !socket.destroyed)).toBe(true);
  begun[0]?.socket.emit("connect");
  expect(told).toEqual(["::1"]);
  expect(begun.map(({ socket }) => socket.destroyed)).toEqual([false, true, true, true]);
});

test("one that fails is followed by the next at once; when all have, the first's error is told", async () => {
  const { told, addresses } = attemptAt("10.0.0.1", "10.0.0.2", "10.0.0.3");
  for (const count of [1, 2, 3]) {
    await until("the attempt", () => begun.length === count);
    expect(told).toEqual([]);
    begun[count - 1]?.socket.destroy(new Error(`refused ${count}`));
  }
  await until("the end", () => told.length > 0);
  expect(told).toEqual(["refused 1"]);
  expect(addresses()).toHaveLength(3);
});

test("who gives up is told nothing, and nothing is left", async () => {
  const { told, giveUp } = attemptAt("10.0.0.1", "10.0.0.2");
  giveUp();
  await until("the end of the attempt", () => begun[0]?.socket.closed === true);
  expect(begun).toHaveLength(1);
  expect(told).toEqual([]);
});

test("a name without addresses is told as it was found", () => {
  expect(attemptAt().told).toEqual(["no such name"]);
});

test("an address needs no name: its connection is there, and later errors of it end no process", async () => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const socket = await new Promise<Socket | undefined>((resolve) => {
    connectToHost({ host: "127.0.0.1", port, connectTo: connect }, (_error, made) => resolve(made));
  });
  socket?.resume();
  await until("the other end", () => accepted.length > 0);
  accepted[0]?.resetAndDestroy();
  await until("the end", () => socket?.destroyed === true);
  await new Promise((resolve) => server.close(resolve));
});
