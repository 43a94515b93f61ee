/** Who has an answer to give, and nobody that takes it. */
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { awaitReader } from "../../../../src/proxy/listen/lost-peer.ts";
import { until } from "../../../support/until.ts";

function full(): PassThrough {
  const stream = new PassThrough({ highWaterMark: 1 });
  expect(stream.write("answer")).toBe(false);
  return stream;
}

test("a client that takes nothing of its answer for long is cut off", async () => {
  const stream = full();
  awaitReader(stream, 20);
  await until("the cut", () => stream.destroyed);
});

test("a client that takes its answer in time is left alone, and nobody listens any more", async () => {
  const stream = full();
  const before = ["drain", "close"].map((event) => stream.listenerCount(event));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  awaitReader(stream, 50);
  stream.resume();
  await once(stream, "drain");
  vi.advanceTimersByTime(100);
  expect(stream.destroyed).toBe(false);
  expect(["drain", "close"].map((event) => stream.listenerCount(event))).toEqual(before);
});
