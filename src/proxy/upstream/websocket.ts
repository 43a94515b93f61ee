/**
 * Requests that ask to change the connection's protocol (RFC 9110 §7.8), the same behind every engine: each goes over
 * a connection of its own. A 101 that grants what was asked for gives the connection away; any other answer is an
 * ordinary response.
 */
import { type ClientRequest, request as createRequest } from "node:http";
import type { LookupFunction } from "node:net";
import { createDial } from "./dial/dial.ts";
import { createSender } from "./http-proxy/sender.ts";
import type { UpgradeLimits, Upstream, UpstreamTls } from "./port.ts";

interface UpgradeOptions {
  readonly name: string;
  readonly url: URL;
  readonly tls?: UpstreamTls | undefined;
  readonly lookup?: LookupFunction | undefined;
  readonly lenient?: boolean;
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
export function createUpgradeUpstream({
  name,
  url,
  tls,
  lookup,
  lenient,
  timeouts,
  limits,
}: UpgradeOptions): Upstream {
  const { connectMs, handshakeMs, idleMs } = timeouts;
  const dial = createDial(url, tls, { allowHalfOpen: true, lookup });
  const sender = createSender({ connectMs, headersMs: handshakeMs, idleMs }, dial, { lenient });
  const make = (take: (made: ClientRequest) => void) => {
    const made = createRequest({ createConnection: sender.connect, setHost: false });
    // Node keeps the connection of an answered request open where Connection does not say close.
    made.once("response", ({ socket }) => socket.once("free", () => socket.destroy()));
    take(made);
  };
  return {
    name,
    forward(request, sink) {
      const { fields: given, upgrade } = request;
      const fields = upgrade === undefined ? given : [...given, "Connection", "Upgrade", "Upgrade", upgrade];
      return sender.send({ ...request, fields }, sink, make, limits);
    },
    close: sender.close,
  };
}
