/** `cutover serve` as a process of its own, of one process, with its heap under inspection. */
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { z } from "zod";
import { type Served, type ServeOptions, startServe } from "./cutover.ts";

export interface Inspected extends Served {
  /** What an expression comes to in it, as JSON has it. */
  evaluate(expression: string): Promise<unknown>;
  /** Bytes that are alive: after collections, until they free no more. */
  heapBytes(): Promise<number>;
  residentBytes(): Promise<number>;
  /** The most that was resident since `forgetPeak`. */
  peakBytes(): Promise<number>;
  forgetPeak(): Promise<void>;
}

const usage = z.object({ usedSize: z.number() });
const evaluated = z.object({ result: z.object({ value: z.unknown().optional() }) });
const reply = z.object({ id: z.int(), result: z.unknown() });

export async function startInspected(options: Omit<ServeOptions, "nodeFlags">): Promise<Inspected> {
  const running = await startServe({ ...options, nodeFlags: ["--inspect=127.0.0.1:0"] });
  const logged = await readFile(join(options.folder, `${options.name}.log`), "utf8");
  const [address] = /ws:\/\/\S+/.exec(logged) ?? [];
  if (address === undefined) throw new Error(`no inspector\n${logged}`);
  const session = await openSession(address);
  void running.exit.then(session.close);

  async function statusOf(name: string): Promise<number> {
    const status = await readFile(`/proc/${running.pid}/status`, "utf8");
    return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
  }
  return {
    ...running,
    async evaluate(expression) {
      const told = await session.call("Runtime.evaluate", { expression, returnByValue: true });
      return evaluated.parse(told).result.value;
    },
    async heapBytes() {
      for (let last = Number.POSITIVE_INFINITY; ; ) {
        await session.call("HeapProfiler.collectGarbage");
        const { usedSize } = usage.parse(await session.call("Runtime.getHeapUsage"));
        if (usedSize > 0.999 * last) return usedSize;
        last = usedSize;
        // What is freed lets go of more on the next turns: sockets, finalizers.
        await sleep(50);
      }
    },
    residentBytes: () => statusOf("VmRSS"),
    peakBytes: () => statusOf("VmHWM"),
    // proc(5): 5 sets the peak to what is resident now.
    forgetPeak: () => writeFile(`/proc/${running.pid}/clear_refs`, "5"),
  };
}

interface Session {
  call(method: string, params?: Readonly<Record<string, unknown>>): Promise<unknown>;
  close(): void;
}

async function openSession(address: string): Promise<Session> {
  const socket = new WebSocket(address);
  await once(socket, "open");
  const waiting = new Map<number, (result: unknown) => void>();
  let calls = 0;
  socket.on("message", (data) => {
    const read = reply.safeParse(JSON.parse(String(data)));
    if (!read.success) return;
    waiting.get(read.data.id)?.(read.data.result);
    waiting.delete(read.data.id);
  });
  return {
    call(method, params = {}) {
      calls += 1;
      socket.send(JSON.stringify({ id: calls, method, params }));
      return new Promise((resolve) => waiting.set(calls, resolve));
    },
    close: () => socket.terminate(),
  };
}
