/** When the failure of a write is told. */
import { Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { hearingLastWords } from "../../../../../src/proxy/upstream/dial/last-words.ts";

/** @returns what is told of a write that fails with the code, and the socket */
function failing(code: string) {
  const socket = new Socket();
  socket._write = (_chunk, _encoding, written) => written(Object.assign(new Error(code), { code }));
  const told: string[] = [];
  hearingLastWords(socket)._write("x", "latin1", (error) => told.push(error?.message ?? "written"));
  return { socket, told };
}

afterEach(() => void vi.useRealTimers());

test("a write that fails because the other end has closed is told once what came is read", async () => {
  for (const code of ["EPIPE", "ECONNRESET"]) {
    const { socket, told } = failing(code);
    expect(told).toEqual([]);
    socket.emit("end");
    expect(told).toEqual([]);
    await new Promise(setImmediate);
    expect(told).toEqual([code]);
    socket.emit("close");
    expect(told).toEqual([code]);
  }
});

test("it is told at once where the connection is closed, or when the write failed for another reason", () => {
  const { socket, told } = failing("EPIPE");
  socket.emit("close");
  expect(told).toEqual(["EPIPE"]);
  expect(failing("ETIMEDOUT").told).toEqual(["ETIMEDOUT"]);
});

test("it is told after a while where nothing more is heard", () => {
  vi.useFakeTimers();
  const { told } = failing("EPIPE");
  vi.advanceTimersByTime(250);
  expect(told).toEqual(["EPIPE"]);
});
