/** Sends requests to one upstream by a ClientRequest of node:http each (client-request.ts), until the last is over. */
import type { ClientRequest, ClientRequestArgs } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createFifo } from "../../../base/waiting/fifo.ts";
import type { Dial } from "../dial/dial.ts";
import { codes } from "../failure.ts";
import { type MendedSocket, mendHeads } from "../old-habits.ts";
import type { Forwarding, ForwardRequest, ResponseSink, UpgradeLimits, UpstreamTimeouts } from "../port.ts";
import { awaitHead, createWaits } from "../timers.ts";
import { type Attempt, begin, createAttempt, failWith } from "./client-request.ts";

interface Sender {
  /**
   * @param make makes the ClientRequest and hands it over before anything of it is written, in one go; or else has
   *   itself called `again`. What it throws, or tells later, is why the request was not sent
   * @param limits where the request asks for an upgrade: a 101 that grants it gives the connection to the sink
   */
  send(
    request: ForwardRequest,
    sink: ResponseSink,
    make: (take: (made: ClientRequest) => void, fail: (error: Error) => void, again: () => void) => void,
    limits?: UpgradeLimits,
  ): Forwarding;
  /** Makes a connection, for the `createConnection` of a request or an agent. */
  connect(options: ClientRequestArgs, connected?: (error: Error | null, socket: Duplex) => void): undefined;
  /** Sends nothing from now on; resolves when what was sent is over. */
  close(): Promise<void>;
}

interface SenderOptions {
  /** Requests that are sent at once, and so the connections; more wait. */
  readonly most?: number | undefined;
  readonly lenient?: boolean | undefined;
}

/** @param dial makes the connections: an agent's own count of them begins when one is there, and is of no use here */
export function createSender(
  timeouts: UpstreamTimeouts,
  dial: Dial,
  { most = Number.POSITIVE_INFINITY, lenient = false }: SenderOptions = {},
): Sender {
  const mended = new WeakMap<Socket, MendedSocket>();
  const waits = createWaits(timeouts);
  const waiting = createFifo<() => void>();
  let running = 0;
  /** Whose request is being made: Node asks for its connection before it hands the request over. */
  let current: Attempt | undefined;
  let closed = false;
  let onIdle = () => {};

  function onOver(attempt: Attempt): void {
    const { place } = attempt;
    if (place === undefined || !waiting.remove(place)) {
      running -= 1;
      // Node gives the connection back only now.
      if (waiting.size > 0) setImmediate(beginNext);
    }
    if (running + waiting.size === 0) onIdle();
  }

  function onSocket(socket: Socket): void {
    mended.get(socket)?.begin();
  }

  function beginNext(): void {
    while (running < most) {
      const start = waiting.shift();
      if (start === undefined) return;
      running += 1;
      start();
    }
  }

  return {
    send(request, sink, make, limits) {
      const given = limits === undefined ? request.waits : undefined;
      const attempt = createAttempt(request, sink, limits, given ?? waits, { onSocket, onOver });
      awaitHead(attempt);
      // What fails before anything was sent is told later: the caller has no Forwarding yet.
      const fail = (error: Error) => queueMicrotask(() => failWith(attempt, error));
      const take = (made: ClientRequest) => {
        if (attempt.over) {
          attempt.giveUp?.();
          made.destroy();
        } else begin(attempt, made);
      };
      const start = () => {
        current = attempt;
        try {
          make(take, fail, start);
        } catch (error) {
          fail(error instanceof Error ? error : new Error("not sent"));
        } finally {
          current = undefined;
        }
      };
      if (closed || (running < most && waiting.size === 0)) {
        running += 1;
        if (closed) fail(Object.assign(new Error("closed"), { code: codes.closed }));
        else start();
      } else attempt.place = waiting.push(start);
      return attempt;
    },
    connect(_options, connected) {
      const withinMs = current?.waits.connectMs ?? timeouts.connectMs;
      const giveUp = dial(withinMs, (error, socket) => {
        if (lenient && socket !== undefined) mended.set(socket, mendHeads(socket));
        connected?.(error, socket ?? new Socket());
      });
      if (current !== undefined) current.giveUp = giveUp;
      return undefined;
    },
    async close() {
      closed = true;
      if (running + waiting.size === 0) return;
      await new Promise<void>((resolve) => {
        onIdle = resolve;
      });
    },
  };
}
