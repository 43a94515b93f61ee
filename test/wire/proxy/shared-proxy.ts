/**
 * One proxy and its raw upstream for test after test: to start one is most of what a test of a single request costs.
 * Between two tests every connection of either side ends, as both ends have seen, and what was counted is counted off.
 * Where that does not come true at once, the proxy is not used again.
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type RawUpstream, type Script, startRawUpstream } from "../../support/raw-upstream.ts";
import { type EngineName, type Running, startProxy, unused } from "./lab.ts";

export interface SharedProxy {
  isTaken(): boolean;
  /** The proxy as if it were new, for one test. */
  take(script: Script, cleanups: (() => Promise<unknown>)[]): Promise<Running>;
  close(): Promise<void>;
}

/** What is used again. */
interface Kept {
  readonly proxy: Running;
  readonly upstream: RawUpstream;
  readonly endings: (() => Promise<unknown>)[];
}

const patienceMs = 300;

export function createSharedProxy(engine: EngineName): SharedProxy {
  let kept: Kept | undefined;
  let isTaken = false;
  let script: Script = () => {};
  let before: Readonly<Record<string, number>> = {};

  async function start(): Promise<Kept> {
    const endings: (() => Promise<unknown>)[] = [];
    const upstream = await startRawUpstream((connection, index) => script(connection, index));
    endings.push(() => upstream.close());
    before = {};
    return { proxy: await startProxy(engine, upstream, unused, endings), upstream, endings };
  }

  async function close(): Promise<void> {
    const { endings = [] } = kept ?? {};
    kept = undefined;
    for (const end of endings.reverse()) await end();
  }

  return {
    isTaken: () => isTaken,
    async take(next, cleanups) {
      isTaken = true;
      kept ??= await start();
      const { proxy, upstream } = kept;
      script = next;
      const sockets: Socket[] = [];
      cleanups.push(async () => {
        for (const socket of sockets) socket.destroy();
        const isIdle = await becomesIdle(proxy, upstream);
        if (isIdle) before = await proxy.outcomes();
        else await close();
        isTaken = false;
      });
      return asNew(proxy, before, sockets);
    },
    close,
  };
}

/** The same proxy, whose counts begin at nothing. */
function asNew(proxy: Running, before: Readonly<Record<string, number>>, sockets: Socket[]): Running {
  const client = async () => {
    const connected = await proxy.client();
    sockets.push(connected.socket);
    return connected;
  };
  const outcomes = async () => {
    const counted = Object.entries(await proxy.outcomes()).map(
      ([outcome, count]) => [outcome, count - (before[outcome] ?? 0)] as const,
    );
    return Object.fromEntries(counted.filter(([, count]) => count !== 0));
  };
  return {
    ...proxy,
    client,
    async answerTo(bytes, method = "GET") {
      const { write, response } = await client();
      write(bytes);
      return response(method);
    },
    outcomes,
    expectOutcomes: (expected) => proxy.expectOutcomes(sum(before, expected)),
  };
}

function sum(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Record<string, number> {
  const all = [...Object.keys(one), ...Object.keys(other)];
  return Object.fromEntries(all.map((key) => [key, (one[key] ?? 0) + (other[key] ?? 0)]));
}

/** Ends the connections of the upstream, and forgets them once the proxy has ended them, too. */
async function becomesIdle(proxy: Running, upstream: RawUpstream): Promise<boolean> {
  const open = upstream.connections.filter(({ socket }) => !socket.destroyed).map(({ socket }) => socket);
  const ended = open.map(async (socket) => {
    const gone = new Promise((resolve) => socket.once("close", resolve));
    socket.resume().end();
    await gone;
  });
  const inTime = await Promise.race([Promise.all(ended).then(() => true), sleep(patienceMs, false)]);
  if (!inTime) return false;
  const deadline = performance.now() + patienceMs;
  while (!(await isIdle(proxy))) if (performance.now() > deadline) return false;
  upstream.connections.splice(0);
  upstream.requests().splice(0);
  return true;
}

async function isIdle(proxy: Running): Promise<boolean> {
  for (const name of ["cutover_client_connections", "cutover_inflight_requests"]) {
    const values = Object.values(await proxy.metric(name));
    if (values.some((value) => value !== 0)) return false;
  }
  return true;
}
