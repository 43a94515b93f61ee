/**
 * Requests that ask to change the connection's protocol (RFC 9110 §7.8), the same behind every engine: each goes over
 * a connection of its own. A 101 that grants what was asked for gives the connection away; any other answer is an
 * ordinary response.
 */
import { request as createRequest } from "node:http";
import { createDial } from "./dial.ts";
import { codes } from "./failure.ts";
import { createExchange } from "./http-proxy/client-request.ts";
import type {
  Forwarding,
  ForwardRequest,
  ResponseSink,
  UpgradeLimits,
  Upstream,
  UpstreamTls,
} from "./port.ts";
import { createWaits } from "./timers.ts";

export interface UpgradeOptions {
  readonly name: string;
  readonly url: URL;
  readonly tls?: UpstreamTls | undefined;
  readonly timeouts: {
    readonly connectMs: number;
    /** From the connection to the head of the answer. */
    readonly handshakeMs: number;
    /** Longest silence while the body of a refusal moves. */
    readonly idleMs: number;
  };
  readonly limits: UpgradeLimits;
}

/** An Upstream for requests that ask for an upgrade, each over a connection of its own. */
export function createUpgradeUpstream({ name, url, tls, timeouts, limits }: UpgradeOptions): Upstream {
  const dial = createDial(url, tls, { allowHalfOpen: true });
  const { connectMs, handshakeMs, idleMs } = timeouts;
  const waiting = { waits: createWaits({ connectMs, headersMs: handshakeMs, idleMs }), connectMs };
  let active = 0;
  let closed = false;
  let onIdle: (() => void) | undefined;

  function forward(request: ForwardRequest, sink: ResponseSink): Forwarding {
    active += 1;
    const { fields: given, upgrade } = request;
    const fields = upgrade === undefined ? given : [...given, "Connection", "Upgrade", "Upgrade", upgrade];
    const exchange = createExchange(
      { ...request, fields },
      sink,
      waiting,
      () => {
        active -= 1;
        if (active === 0) onIdle?.();
      },
      (head, connection) => {
        if (sink.switched === undefined) connection.stream.destroy();
        else sink.switched(head, connection, limits);
      },
    );
    if (closed)
      queueMicrotask(() => exchange.fail({ outcome: "connect_failed", sent: false, code: codes.closed }));
    else {
      try {
        const made = createRequest({ createConnection: dial, setHost: false });
        // Node keeps the connection of an answered request open where Connection does not say close.
        made.once("response", ({ socket }) => socket.once("free", () => socket.destroy()));
        exchange.take(made);
      } catch (error) {
        // Nothing has been sent; the caller has no Forwarding yet.
        queueMicrotask(() => exchange.failWith(error instanceof Error ? error : new Error("not sent")));
      }
    }
    return { resume: exchange.resume, abort: exchange.abort };
  }

  return {
    name,
    forward,
    async close() {
      closed = true;
      if (active > 0) {
        await new Promise<void>((resolve) => {
          onIdle = resolve;
        });
      }
    },
  };
}
