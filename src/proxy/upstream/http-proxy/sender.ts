/** Sends requests to one upstream by a ClientRequest of node:http each (client-request.ts), until the last is over. */
import type { ClientRequest } from "node:http";
import { codes } from "../failure.ts";
import type { Forwarding, ForwardRequest, ResponseSink, UpgradeLimits, UpstreamTimeouts } from "../port.ts";
import { awaitHead, createWaits } from "../timers.ts";
import { begin, createAttempt, failWith } from "./client-request.ts";

interface Sender {
  /**
   * @param make makes the ClientRequest, now or later, and hands it over before anything of it is written; what it
   *   throws, or tells later, is why the request was not sent
   * @param limits where the request asks for an upgrade: a 101 that grants it gives the connection to the sink
   */
  send(
    request: ForwardRequest,
    sink: ResponseSink,
    make: (take: (made: ClientRequest) => void, fail: (error: Error) => void) => void,
    limits?: UpgradeLimits,
  ): Forwarding;
  /** Sends nothing from now on; resolves when what was sent is over. */
  close(): Promise<void>;
}

export function createSender(timeouts: UpstreamTimeouts): Sender {
  const waits = createWaits(timeouts);
  let active = 0;
  let closed = false;
  let onIdle = () => {};
  const onOver = () => {
    active -= 1;
    if (active === 0) onIdle();
  };
  return {
    send(request, sink, make, limits) {
      const given = limits === undefined ? request.waits : undefined;
      const attempt = createAttempt(request, sink, limits, given ?? waits, onOver);
      active += 1;
      awaitHead(attempt);
      // What fails before anything was sent is told later: the caller has no Forwarding yet.
      const fail = (error: Error) => queueMicrotask(() => failWith(attempt, error));
      if (closed) fail(Object.assign(new Error("closed"), { code: codes.closed }));
      else {
        try {
          make((made) => {
            if (attempt.over) made.destroy();
            else begin(attempt, made);
          }, fail);
        } catch (error) {
          fail(error instanceof Error ? error : new Error("not sent"));
        }
      }
      return attempt;
    },
    async close() {
      closed = true;
      if (active === 0) return;
      await new Promise<void>((resolve) => {
        onIdle = resolve;
      });
    },
  };
}
