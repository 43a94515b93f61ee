import { expect, test } from "vitest";
import { readEvents, type ServerEvent } from "../../../src/cli/events.ts";

async function* chunksOf(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size = 1000): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(chunksOf(new TextEncoder().encode(text), size))) events.push(event);
  return events;
}

test("an empty line ends an event; data lines are joined; comments and other fields are passed over", async () => {
  expect(await read(": hello\nretry: 1000\n\nevent: change\ndata: {\ndata:}\nid: 3\n\ndata: x\n\n")).toEqual([
    { event: "change", data: "{\n}" },
    { event: "message", data: "x" },
  ]);
});

test("an event whose end has not come is not given", async () => {
  expect(await read("event: tick\ndata: 1\n\nevent: tick\ndata: 2\n")).toEqual([
    { event: "tick", data: "1" },
  ]);
});

test.each(["\n", "\r", "\r\n"])(
  "reads the same whatever ends lines (%j) and wherever chunks are cut",
  async (end) => {
    const text = "event: change\ndata: 支払い 🛒\n\nevent: tick\ndata: 2\n\n: end\n".replaceAll("\n", end);
    for (let size = 1; size <= 40; size += 1) {
      expect(await read(text, size)).toEqual([
        { event: "change", data: "支払い 🛒" },
        { event: "tick", data: "2" },
      ]);
    }
  },
);

test("a line without end is given up, not collected for ever", async () => {
  await expect(read(`data: ${"x".repeat(4_100_000)}`, 100_000)).rejects.toThrow("line without end");
});
